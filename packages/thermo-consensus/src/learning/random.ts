// Random numbers that are a function of where they are used.

/** A number in [0, 1) of a seed and a step: the finaliser of MurmurHash3 (A. Appleby) over both. */
export function scrambled(seed: number, step: number): number {
  let h = Math.imul(step + 1, 0x9e3779b1) ^ (seed | 0) ^ Math.floor(seed / 2 ** 32);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return ((h ^ (h >>> 16)) >>> 0) / 2 ** 32;
}

/** Keeps normal numbers apart from the uniform ones of the same seed. */
const NORMALS = 0x5bd1e995;

/** Standard normal numbers from `first` on, in pairs by the transform of G. Box, M. Muller, 1958. */
export function normals(seed: number, first = 0): () => number {
  let step = first;
  let kept: number | undefined;
  return () => {
    if (kept !== undefined) {
      const value = kept;
      kept = undefined;
      return value;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - scrambled(seed + NORMALS, step++)));
    const angle = 2 * Math.PI * scrambled(seed + NORMALS, step++);
    kept = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  };
}
