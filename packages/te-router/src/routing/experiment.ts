// A/B tests that may be looked at after every outcome.
//
// Each unit is assigned at random with a known probability, so for an arm b beside the control c, with Y the quality and
// any baseline m known before the outcome,
//     Z = (Y - m) (1[arm = b] / p_b - 1[arm = c] / p_c)
// has the difference of the arms' means as its expectation, whatever came before (the inverse-probability score of
// I. Waudby-Smith, L. Wu, A. Ramdas, N. Karampatziakis, P. Mineiro, "Anytime-valid off-policy inference for contextual
// bandits", ACM/JMS J. Data Sci. 1, 2024). Z is bounded, so betting against a supposed difference d multiplies a wealth
//     K(d) = prod (1 + lambda (Z - d))
// that is a martingale when d is true: by Ville's inequality it ever reaches 1 / alpha with probability alpha at most,
// however often one peeks. I. Waudby-Smith, A. Ramdas, "Estimating means of bounded random variables by betting",
// J. R. Stat. Soc. B 86, 2024: hedged capital, bets of the predictable plug-in kind. 1 / max K(0) is a p-value valid at
// all times, and the d not yet ruined form a confidence sequence.
import { InvalidArgumentError } from '@x/cuda-core';
import { numberIn, objectIn, readSaved, refuse, shown, textIn, writeSaved } from '@x/cuda-core/addon';
import { mix } from './features';
import { guarded } from './state';

const SAVED = { format: '@x/te-router RoutingExperiment', version: 1 };
/** Outcomes that a load replays between two turns of the event loop. */
const REPLAYED = 500;

export interface RoutingExperimentOptions {
  /** Two or more different names; the first is the control that the others are compared with. */
  arms: readonly string[];
  /** Share of the units each arm gets, in the order of `arms`; at least 0.01 each, they are brought to sum 1. Default: equal. */
  shares?: readonly number[];
  /** Level of the intervals and decisions, (0, 0.5]. Default 0.05. */
  alpha?: number;
  /** Seed of the assignment, an integer from 0 to 2^32 - 1. Default 0. */
  seed?: number;
}

export interface ArmSummary {
  arm: string;
  outcomes: number;
  /** Mean quality; NaN is never given: 0 without outcomes. */
  mean: number;
}

export interface ArmComparison {
  arm: string;
  /** Mean quality of the arm less the control's: the inverse-probability estimate. */
  effect: number;
  /** Confidence sequence for the effect at level `alpha`: holds at all times together, so stop whenever you like. */
  interval: [low: number, high: number];
  /** Wealth of the bet against "no difference": expected to be at most 1 when there is none, at any time. */
  eValue: number;
  /** 1 / the largest wealth so far, at most 1: valid however often it is looked at. */
  pValue: number;
  /** Which is better at level alpha, corrected for the number of arms compared; `'open'` until that is known. */
  verdict: 'better' | 'worse' | 'open';
}

export interface ExperimentResult {
  outcomes: number;
  arms: ArmSummary[];
  comparisons: ArmComparison[];
}

export interface ExperimentOutcome {
  /** As given to `assign`. */
  unit: string;
  /** 0 to 1. */
  quality: number;
  /** What was expected before the outcome was known (of either arm), 0 to 1: narrows the intervals. Default: the mean so far. */
  baseline?: number;
}

const GRID = 401;
// Bets stay within this part of what could ruin them.
const CAUTION = 0.75;

/** The wealth of the bets against every difference of a grid over [-1, 1], up and down. */
class Bettor {
  private readonly up = new Float64Array(GRID);
  private readonly down = new Float64Array(GRID);
  private readonly alive = new Uint8Array(GRID).fill(1);
  private count = 0;
  private sum = 0;
  /** Of squared deviations, with one prior deviation of 1 (half the bound is common, the bets adapt). */
  private squares = 1;
  private best = 0;

  constructor(
    /** |Z| is at most this. */
    private readonly bound: number,
    private readonly alpha: number,
  ) {}

  add(z: number): void {
    const n = this.count + 1;
    const mean = this.sum / n;
    const variance = this.squares / n;
    // Towards the estimated drift for the test of zero; spread over time for the confidence sequence.
    const wide = Math.sqrt((2 * Math.log(2 / this.alpha)) / (variance * n * Math.log(n + 1)));
    for (let g = 0; g < GRID; g++) {
      const d = -1 + (2 * g) / (GRID - 1);
      const off = mean - d;
      const kelly = off / (variance + off * off);
      this.up[g]! += Math.log1p(Math.min(Math.max(wide, kelly), CAUTION / (this.bound + d)) * (z - d));
      this.down[g]! += Math.log1p(-Math.min(Math.max(wide, -kelly), CAUTION / (this.bound - d)) * (z - d));
      if (this.logWealth(g) >= Math.log(1 / this.alpha)) this.alive[g] = 0;
    }
    this.best = Math.max(this.best, this.logWealth((GRID - 1) / 2));
    this.count = n;
    this.sum += z;
    this.squares += (z - this.sum / n) ** 2;
  }

  /** Half of the wealth bets on more, half on less. */
  private logWealth(g: number): number {
    const a = this.up[g]!;
    const b = this.down[g]!;
    const top = Math.max(a, b);
    return top + Math.log((Math.exp(a - top) + Math.exp(b - top)) / 2);
  }

  get effect(): number {
    return this.count > 0 ? this.sum / this.count : 0;
  }
  get eValue(): number {
    return Math.exp(Math.min(700, this.logWealth((GRID - 1) / 2)));
  }
  get pValue(): number {
    return Math.exp(-this.best);
  }
  /** From the last ruined difference below to the first above: the grid never makes it narrower than it is. */
  get interval(): [number, number] {
    let low = 0;
    let high = GRID - 1;
    while (low < GRID && !this.alive[low]) low++;
    while (high >= 0 && !this.alive[high]) high--;
    if (low > high) {
      // Every difference was ruined: possible with probability alpha at most. The estimate is all there is to say.
      return [this.effect, this.effect];
    }
    return [Math.max(-1, -1 + (2 * (low - 1)) / (GRID - 1)), Math.min(1, -1 + (2 * (high + 1)) / (GRID - 1))];
  }
}

/**
 * Compares routers, policies, prompts or models on live traffic. Assignment is a function of the seed and the unit (a
 * user, a conversation or a question), so the same unit always meets the same arm; look at `result()` whenever you like.
 *
 * Holds while qualities may drift together; what is tested is that at each time the arms' expected qualities are equal.
 *
 * @example
 * const test = new RoutingExperiment({ arms: ['today', 'candidate'] });
 * const arm = test.assign(user);
 * test.record({ unit: user, quality: 0.8 });
 * test.result().comparisons[0].pValue;
 */
export class RoutingExperiment {
  readonly arms: readonly string[];
  readonly shares: readonly number[];
  readonly alpha: number;
  private readonly seed: number;
  /** Shares as they were given: dividing by their sum anew gives the same numbers. */
  private readonly given: readonly number[];
  private readonly sums: Float64Array;
  private readonly counts: Float64Array;
  private readonly bettors: Bettor[];
  /** Quality and baseline of each unit, in the order of the records: all that the rest follows from. */
  private readonly recorded = new Map<string, [quality: number, baseline: number]>();
  private total = 0;

  /** @throws InvalidArgumentError, with `field`, for an option outside its range. */
  constructor(options: RoutingExperimentOptions) {
    objectIn(options, 'options');
    const { arms } = options;
    if (!Array.isArray(arms) || arms.length < 2) refuse('arms', 'arms must be an array of two or more names.');
    const names = new Set<string>();
    for (const [i, arm] of arms.entries()) {
      textIn(arm, `arms[${i}]`);
      if (names.has(arm)) refuse(`arms[${i}]`, `there are two arms called ${shown(arm)}.`);
      names.add(arm);
    }
    const shares = options.shares ?? arms.map(() => 1 / arms.length);
    if (!Array.isArray(shares) || shares.length !== arms.length)
      refuse('shares', `shares must hold ${arms.length} numbers, one an arm.`);
    for (const [i, s] of shares.entries()) numberIn(s, `shares[${i}]`, { min: 0, above: true });
    const sum = shares.reduce((a: number, b: number) => a + b, 0);
    this.arms = [...arms];
    this.given = [...shares];
    this.shares = shares.map((s: number) => s / sum);
    for (const [i, s] of this.shares.entries())
      if (s < 0.01) refuse(`shares[${i}]`, `shares[${i}] is ${s} of all; an arm needs at least 0.01.`);
    this.alpha = numberIn(options.alpha ?? 0.05, 'alpha', { min: 0, above: true, max: 0.5 });
    this.seed = numberIn(options.seed ?? 0, 'seed', { min: 0, max: 2 ** 32 - 1, integer: true });
    this.sums = new Float64Array(arms.length);
    this.counts = new Float64Array(arms.length);
    this.bettors = this.arms
      .slice(1)
      .map((_, i) => new Bettor(1 / Math.min(this.shares[0]!, this.shares[i + 1]!), this.alpha / (arms.length - 1)));
  }

  /** The arm of a unit: always the same one. */
  assign(unit: string): string {
    return this.arms[this.index(unit)]!;
  }

  /**
   * The outcome of the arm that `assign` gave the unit. One outcome a unit (a user's mean, say): the arm of a second one
   * would be known beforehand, and what is not drawn at random proves nothing.
   * @throws InvalidArgumentError for a unit that has been recorded, and for numbers outside 0..1.
   */
  record(outcome: ExperimentOutcome): void {
    objectIn(outcome, 'outcome');
    const arm = this.index(outcome.unit);
    if (this.recorded.has(outcome.unit))
      refuse('unit', `the outcome of unit ${shown(outcome.unit)} is recorded already; give one outcome a unit.`);
    const quality = numberIn(outcome.quality, 'quality', { min: 0, max: 1 });
    const soFar = (0.5 + this.sums.reduce((a, b) => a + b, 0)) / (1 + this.total);
    const baseline = numberIn(outcome.baseline ?? soFar, 'baseline', { min: 0, max: 1 });
    for (let b = 1; b < this.arms.length; b++) {
      const weight = arm === b ? 1 / this.shares[b]! : arm === 0 ? -1 / this.shares[0]! : 0;
      this.bettors[b - 1]!.add((quality - baseline) * weight);
    }
    this.recorded.set(outcome.unit, [quality, baseline]);
    this.sums[arm]! += quality;
    this.counts[arm]!++;
    this.total++;
  }

  /** Where the test stands; changes nothing, and may be asked after every outcome. */
  result(): ExperimentResult {
    return {
      outcomes: this.total,
      arms: this.arms.map((arm, a) => ({
        arm,
        outcomes: this.counts[a]!,
        mean: this.counts[a]! > 0 ? this.sums[a]! / this.counts[a]! : 0,
      })),
      comparisons: this.bettors.map((bettor, i) => {
        const interval = bettor.interval;
        return {
          arm: this.arms[i + 1]!,
          effect: bettor.effect,
          interval,
          eValue: bettor.eValue,
          pValue: bettor.pValue,
          verdict: interval[0] > 0 ? 'better' : interval[1] < 0 ? 'worse' : 'open',
        };
      }),
    };
  }

  /** Writes the options and every outcome to a file: whole or not at all (written beside it, synced, then renamed). */
  async save(path: string): Promise<void> {
    const { arms, given: shares, alpha, seed } = this;
    const outcomes = [...this.recorded].map(([unit, [quality, baseline]]) => [unit, quality, baseline]);
    await writeSaved(path, SAVED, { arms, shares, alpha, seed, outcomes });
  }

  /**
   * An experiment that goes on where `save` left off, with the same numbers: its outcomes are recorded anew.
   * @throws NotFoundError, IoError; InvalidFormatError for a file that is damaged or not an experiment's; UnsupportedError
   *   for one of a newer schema.
   */
  static async load(path: string): Promise<RoutingExperiment> {
    const state = await readSaved(path, SAVED);
    const [experiment, outcomes] = guarded(path, () => {
      const { outcomes: list, ...options } = objectIn(state, 'state');
      if (!Array.isArray(list)) refuse('outcomes', 'outcomes must be an array.');
      return [new RoutingExperiment(options as unknown as RoutingExperimentOptions), list as unknown[]] as const;
    });
    for (let from = 0; from < outcomes.length; from += REPLAYED) {
      guarded(path, () => {
        for (const item of outcomes.slice(from, from + REPLAYED)) {
          if (!Array.isArray(item)) refuse('outcomes', 'an outcome must be a unit, its quality and its baseline.');
          const [unit, quality, baseline] = item as [string, number, number];
          experiment.record({ unit, quality, baseline });
        }
      });
      await new Promise((resolve) => setImmediate(resolve));
    }
    return experiment;
  }

  private index(unit: string): number {
    if (typeof unit !== 'string')
      throw new InvalidArgumentError(`unit is ${shown(unit)}; it must be a string.`, { field: 'unit' });
    let hash = mix(2166136261, this.seed);
    for (let i = 0; i < unit.length; i++) hash = mix(hash, unit.charCodeAt(i));
    let at = uniform(hash);
    let arm = 0;
    while (arm < this.arms.length - 1 && at >= this.shares[arm]!) at -= this.shares[arm++]!;
    return arm;
  }
}

/** A hash spread over [0, 1): FNV alone leaves its high bits alike for like texts. */
function uniform(hash: number): number {
  let h = hash ^ (hash >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return ((h ^ (h >>> 16)) >>> 0) / 4294967296;
}
