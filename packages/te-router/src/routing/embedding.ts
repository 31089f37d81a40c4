// Embeddings of any length as a few numbers: signed random projections of their direction (D. Achlioptas, J. Comput. Syst.
// Sci. 66, 2003), which keep angles.
import { refuse, shown } from '@x/cuda-core/addon';
import { mix } from './features';

/** Numbers that stand for an embedding. */
export const EMBEDDING_SLOTS = 32;

/** @throws InvalidArgumentError for what is no array of finite numbers. */
export function projectEmbedding(embedding: ArrayLike<number>, seed: number): Float64Array {
  if (!Array.isArray(embedding) && !(ArrayBuffer.isView(embedding) && !(embedding instanceof DataView)))
    refuse('embedding', `embedding is ${shown(embedding)}; it must be an array of numbers.`);
  const out = new Float64Array(EMBEDDING_SLOTS);
  // Only the direction counts; dividing by the largest entry first keeps the squares finite.
  let largest = 0;
  for (let i = 0; i < embedding.length; i++) {
    const v = embedding[i];
    if (typeof v !== 'number' || !Number.isFinite(v))
      refuse('embedding', `embedding holds ${shown(v)} at index ${i}; its entries must be finite`);
    largest = Math.max(largest, Math.abs(v as number));
  }
  if (largest === 0) return out;
  let norm = 0;
  for (let i = 0; i < embedding.length; i++) {
    const v = embedding[i]! / largest;
    norm += v * v;
    const signs = mix(mix(2166136261 ^ seed, i & 0xffff), i >>> 16) ^ Math.imul(i + 1, 0x9e3779b1);
    for (let s = 0; s < EMBEDDING_SLOTS; s++) out[s]! += (signs >>> s) & 1 ? v : -v;
  }
  for (let s = 0; s < EMBEDDING_SLOTS; s++) out[s]! /= Math.sqrt(norm);
  return out;
}
