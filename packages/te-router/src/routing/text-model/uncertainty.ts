// How far expected quality may be off, and what a call costs: both learnt beside the quality itself.
import type { FitRow } from './fit';
import { type Design, fitRidge, type RidgeFit } from './ridge';
import { BLOCKS } from './text-model';

const B = BLOCKS.length;

/**
 * By how much the jackknife's deviations fall short of the errors seen on rows held out. Rows of one neighbourhood share
 * their error: a neighbourhood's mean residual has the variance of that error and of its rows' chance.
 */
export function honestyOf(
  rows: readonly FitRow[],
  heldOut: Float64Array,
  deviation: Float64Array,
  nearest: Int32Array,
  places: number,
  models: number,
): Float64Array {
  const out = new Float64Array(models).fill(1);
  for (let m = 0; m < models; m++) {
    const sums = new Float64Array(places * 4);
    rows.forEach(({ quality }, i) => {
      const y = quality[m]!;
      if (Number.isNaN(y)) return;
      const p = Math.max(0.01, Math.min(0.99, heldOut[i * models + m]!));
      const at = nearest[i]! * 4;
      sums[at]!++;
      sums[at + 1]! += y - p;
      sums[at + 2]! += (y - p) ** 2;
      sums[at + 3]! += deviation[i * models + m]!;
    });
    let excess = 0;
    let expected = 0;
    for (let g = 0; g < places; g++) {
      const count = sums[g * 4]!;
      if (count < 5) continue;
      const mean = sums[g * 4 + 1]! / count;
      const chance = (sums[g * 4 + 2]! / count - mean * mean) / (count - 1);
      excess += count * (mean * mean - chance);
      expected += count * (sums[g * 4 + 3]! / count) ** 2;
    }
    if (expected > 0) out[m] = Math.sqrt(Math.max(0.25, Math.min(25, excess / expected)));
  }
  return out;
}

/** Log deviation and log cost of each model, from topic and structure. */
export function* fitSide(
  design: Design,
  rows: readonly FitRow[],
  deviation: Float64Array,
  models: number,
): Generator<void, { fit: RidgeFit; priced: Uint8Array }> {
  const R = 2 * models;
  const values = new Float64Array(rows.length * R);
  const known = new Uint8Array(rows.length * R);
  const priced = new Uint8Array(models);
  rows.forEach(({ cost }, i) => {
    for (let m = 0; m < models; m++) {
      values[i * R + m] = Math.log(deviation[i * models + m]!);
      known[i * R + m] = 1;
      const price = cost?.[m];
      if (price === undefined || !(price > 0)) continue;
      values[i * R + models + m] = Math.log(price);
      known[i * R + models + m] = 1;
      priced[m] = 1;
    }
  });
  const fit = yield* fitRidge(design, {
    count: R,
    values,
    known,
    penalty: new Float64Array(R).fill(3),
    blockWeight: Float64Array.from({ length: R * B }, (_, x) => [0, 0, 1, 1, 0.1][x % B]!),
    blocks: B,
  });
  return { fit, priced };
}
