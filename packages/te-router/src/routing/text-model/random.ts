// Seeded draws for fits: a 32-bit counter through an avalanche (C. Doty-Humphrey's and B. Hutchings' mixers are of this
// kind); good enough for projections, folds and samples, not for cryptography.

/** Uniform numbers in [0, 1), the same sequence for the same seed. */
export function uniforms(seed: number): () => number {
  let s = seed >>> 0;
  return () => {
    s = (s + 0x9e3779b9) >>> 0;
    let h = Math.imul(s ^ (s >>> 16), 0x21f0aaad);
    h = Math.imul(h ^ (h >>> 15), 0x735a2d97);
    return ((h ^ (h >>> 15)) >>> 0) / 4294967296;
  };
}

/** Independent standard normal numbers (Box-Muller). */
export function gaussians(count: number, seed: number): Float64Array {
  const draw = uniforms(seed);
  const out = new Float64Array(count);
  for (let i = 0; i < count; i += 2) {
    const r = Math.sqrt(-2 * Math.log(1 - draw()));
    const angle = 2 * Math.PI * draw();
    out[i] = r * Math.cos(angle);
    if (i + 1 < count) out[i + 1] = r * Math.sin(angle);
  }
  return out;
}

/** 0 .. count - 1 in a random order (Fisher-Yates). */
export function shuffled(count: number, seed: number): Int32Array {
  const draw = uniforms(seed);
  const out = Int32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(draw() * (i + 1));
    const swap = out[i]!;
    out[i] = out[j]!;
    out[j] = swap;
  }
  return out;
}
