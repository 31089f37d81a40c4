// Fits of the text model: in one go, leaving the event loop free, or in passing, a slice with every outcome; and what they
// make of the policy's threshold.
import type { LoggedRow } from './journal';
import type { RoutedModel } from './options';
import type { PolicyRows } from './policy';
import type { FitResult } from './text-model/fit';

/** Outcomes before the first fit in passing, and the growth that calls for the next. */
const FIRST = 400;
const GROWTH = 1.5;

export type FitWork = Generator<void, FitResult>;

/** Outcomes that call for the next fit in passing. */
export const dueAt = (lastFit: number): number => Math.max(FIRST, Math.ceil(GROWTH * lastFit));

/** A fit spread over later outcomes. How much is done with each depends on counts alone, so the same calls give the same numbers. */
export class PassingFit {
  private readonly slices: number;

  constructor(
    private readonly work: FitWork,
    readonly rows: readonly LoggedRow[],
    /** Outcomes observed when it began. */
    readonly began: number,
    private readonly models: number,
  ) {
    this.slices = Math.ceil(slicesOf(rows.length, models, 'light') / Math.max(1, Math.floor(began / 8)));
  }

  /** Some of the work; the result when it is done: undefined while it is not, null when it predicts no better than before. */
  advance(): FitResult | null | undefined {
    for (let s = 0; s < this.slices; s++) {
      const step = this.work.next();
      if (step.done) return predictsBetter(step.value, this.rows, this.models) ? step.value : null;
    }
    return undefined;
  }
}

/** Does all the work, giving the event loop its turn. */
export async function finish(
  work: FitWork,
  about: number,
  signal: AbortSignal | undefined,
  onProgress: ((done: number, total: number) => void) | undefined,
): Promise<FitResult> {
  let slices = 0;
  for (let started = performance.now(); ; ) {
    const step = work.next();
    if (step.done) return step.value;
    slices++;
    if (performance.now() - started < 8) continue;
    onProgress?.(Math.min(slices, about), Math.max(slices + 1, about));
    await new Promise((resolve) => setImmediate(resolve));
    signal?.throwIfAborted();
    started = performance.now();
  }
}

/** Rows whose outcomes are all known, with what was expected of them by fits that had not seen them; undefined when there is none. */
export function policyRows(
  { heldOut, heldOutCost }: FitResult,
  rows: readonly LoggedRow[],
  models: readonly Required<RoutedModel>[],
): PolicyRows | undefined {
  const M = models.length;
  const full = rows.flatMap((r, i) => (r.quality.some(Number.isNaN) ? [] : [i]));
  if (full.length === 0) return undefined;
  const take = (of: (i: number, m: number) => number) =>
    Float64Array.from({ length: full.length * M }, (_, x) => of(full[Math.floor(x / M)]!, x % M));
  const priced = (cost: number | undefined, m: number) =>
    cost === undefined || Number.isNaN(cost) ? models[m]!.cost : cost;
  return {
    expected: take((i, m) => heldOut[i * M + m]!),
    outcome: take((i, m) => rows[i]!.quality[m]!),
    expectedCost: take((i, m) => priced(heldOutCost[i * M + m], m)),
    cost: take((i, m) => priced(rows[i]!.cost?.[m], m)),
    models: models.map((m) => m.name),
  };
}

/** About how many pieces a fit has: an estimate from the loops of `fitTextModel`, for progress and pace. */
export function slicesOf(rows: number, models: number, effort: 'full' | 'light'): number {
  const fits = effort === 'full' ? 7 : 5;
  return 400 + Math.ceil(rows / 16) + fits * 2 * 35 * Math.max(1, Math.ceil(rows / 256)) + models;
}

/** Does the fit, on rows held out, beat what was expected of them as they came? On the later half, by the log score. */
function predictsBetter({ heldOut }: FitResult, rows: readonly LoggedRow[], M: number): boolean {
  let gain = 0;
  let squares = 0;
  let count = 0;
  const score = (p: number, y: number) => {
    const q = Math.max(0.01, Math.min(0.99, p));
    return y * Math.log(q) + (1 - y) * Math.log(1 - q);
  };
  for (let i = rows.length >> 1; i < rows.length; i++)
    for (let m = 0; m < M; m++) {
      const y = rows[i]!.quality[m]!;
      const before = rows[i]!.expected[m]!;
      if (Number.isNaN(y) || Number.isNaN(before)) continue;
      const g = score(heldOut[i * M + m]!, y) - score(before, y);
      gain += g;
      squares += g * g;
      count++;
    }
  // Rows of `fit` were never expected anything of: then there is nothing to lose.
  return count === 0 || gain > Math.sqrt(squares);
}
