// What the regression is taught: the models' outcomes, or what they have in common and how they differ.
import type { FitRow } from './fit';
import type { RidgeTargets } from './ridge';

export interface Goal extends Pick<RidgeTargets, 'count' | 'values' | 'known'> {
  /** Targets that share their penalty: index of the group. */
  group: number[];
  /** Mean quality of each model, which is taken off first. */
  centre: Float64Array;
  /** What the targets at `from` mean for the models; writes from `to` on. */
  compose(targets: Float64Array, from: number, out: Float64Array, to: number): void;
}

/** Common part and differences where most rows know every model; else each model by itself. */
export function targetsOf(rows: readonly FitRow[], models: number): Goal {
  const n = rows.length;
  const centre = new Float64Array(models);
  const counts = new Float64Array(models);
  let full = 0;
  for (const { quality } of rows) {
    let known = 0;
    for (let m = 0; m < models; m++)
      if (!Number.isNaN(quality[m]!)) {
        centre[m]! += quality[m]!;
        counts[m]!++;
        known++;
      }
    if (known === models) full++;
  }
  let sum = 0;
  let total = 0;
  for (let m = 0; m < models; m++) {
    sum += centre[m]!;
    total += counts[m]!;
  }
  for (let m = 0; m < models; m++) centre[m] = (centre[m]! + (total > 0 ? sum / total : 0.5)) / (counts[m]! + 1);
  const values = new Float64Array(n * models);
  const known = new Uint8Array(n * models);
  if (models > 1 && full >= n / 2) {
    // Targets: the mean over the models, then the differences of all models but the last, which follows from theirs.
    for (const [i, { quality }] of rows.entries()) {
      let mean = 0;
      for (let m = 0; m < models; m++) mean += (quality[m]! - centre[m]!) / models;
      if (Number.isNaN(mean)) continue;
      values[i * models] = mean;
      for (let m = 0; m + 1 < models; m++) values[i * models + 1 + m] = quality[m]! - centre[m]! - mean;
      known.fill(1, i * models, (i + 1) * models);
    }
    return {
      count: models,
      values,
      known,
      centre,
      group: Array.from({ length: models }, (_, t) => (t === 0 ? 0 : 1)),
      compose(targets, from, out, to) {
        let rest = 0;
        for (let m = 0; m + 1 < models; m++) {
          out[to + m] = targets[from]! + targets[from + 1 + m]!;
          rest += targets[from + 1 + m]!;
        }
        out[to + models - 1] = targets[from]! - rest;
      },
    };
  }
  for (const [i, { quality }] of rows.entries())
    for (let m = 0; m < models; m++)
      if (!Number.isNaN(quality[m]!)) {
        values[i * models + m] = quality[m]! - centre[m]!;
        known[i * models + m] = 1;
      }
  return {
    count: models,
    values,
    known,
    centre,
    group: Array.from({ length: models }, () => 0),
    compose(targets, from, out, to) {
      for (let m = 0; m < models; m++) out[to + m] = targets[from + m]!;
    },
  };
}
