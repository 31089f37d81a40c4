// Ids of one text. Most calls are for short ones, where making a buffer would take several times as long as encoding does.
import { markAsUntransferable } from 'node:worker_threads';
import { addon, type NativeTokenizer } from './native';

const POOL_IDS = 2048;
const MOST_UNITS = 512; // longer texts get a buffer of their own
const MOST_SHARED = 256; // and so do more ids
const MOST_INSIDE = 16; // V8 keeps so many inside of the array, without a buffer

let pool = new Uint32Array(0);
let used = 0;

/**
 * The ids, in an array whose buffer others may share, as Node's `Buffer.from(string)` does: results of short texts lie side by side
 * in blocks of 8 KiB. The buffer of a block is copied, never moved, when it is sent to a worker.
 */
export function encodeText(tokenizer: NativeTokenizer, text: string, flags: number): Uint32Array {
  if (text.length > MOST_UNITS) return addon.encode(tokenizer, text, flags);
  if (pool.length - used < text.length + 64) {
    pool = new Uint32Array(POOL_IDS);
    markAsUntransferable(pool.buffer);
    used = 0;
  }
  const count = addon.encodeInto(tokenizer, text, flags, pool, used);
  if (count > pool.length - used) return addon.encode(tokenizer, text, flags);
  if (count <= MOST_INSIDE || count > MOST_SHARED) return pool.slice(used, used + count);
  const ids = new Uint32Array(pool.buffer, 4 * used, count);
  used += count;
  return ids;
}
