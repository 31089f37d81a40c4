// Has a model changed? Watches the outcomes of one model beside what was expected of them before they were known.
//
// For the hypothesis "the quality is at least what was expected, less a tolerance", the factor
//     L = mean over bets of  1 + bet * (expected - tolerance - outcome)
// has an expectation of at most 1, and so the Shiryaev-Roberts sum  R <- (R + 1) L  has mean at most t while nothing
// changes: its first passage over A takes at least A outcomes on average, whatever the qualities are, as long as
// expectations are right to within the tolerance. The same upwards. J. Shin, A. Ramdas, A. Rinaldo, "E-detectors: a
// nonparametric framework for sequential change detection", New England J. Stat. Data Sci. 2, 2024.
import { numberIn, objectIn } from '@x/cuda-core/addon';

export interface DriftOptions {
  /**
   * Outcomes between false alarms, on average at least, for one model while nothing changes; 10 to 1e9. Higher: fewer
   * false alarms, later true ones. This is a bound for expectations that are wrong by the whole tolerance; while they are
   * right, false alarms are at least some 18 times as rare in simulation. Default 700: in fact at most one in about 10,000 outcomes.
   */
  falseAlarmEvery?: number;
  /** Differences of this size between expected and real quality are not drift, [0, 0.5). Default 0.05. */
  tolerance?: number;
}

export interface DriftEvent {
  model: string;
  /** The router's count of outcomes when it was noticed. */
  at: number;
  /** Outcomes of this model since the most likely moment of the change. */
  since: number;
  direction: 'worse' | 'better';
  /** Mean quality that was expected since then, and what it was. */
  expected: number;
  observed: number;
}

/** The default, at which real false alarms are at most about one in 10,000 outcomes at any quality. */
export const FALSE_ALARM_EVERY = 700;

// Bets from cautious, for small changes, to bold, for the sudden failure of a good model.
const BETS = [0.05, 0.1, 0.2, 0.4, 0.7, 0.95];

interface Side {
  /** One Shiryaev-Roberts sum a bet, each started anew with every outcome. */
  sums: number[];
  /** CUSUM of the same log factors, for the moment of the change: its last zero. */
  evidence: number;
  outcomes: number;
  expected: number;
  observed: number;
}

const fresh = (): Side => ({ sums: BETS.map(() => 0), evidence: 0, outcomes: 0, expected: 0, observed: 0 });

export interface DriftState {
  worse: Side;
  better: Side;
}

/** Watches one model. Two sums, O(1) an outcome. */
export class DriftDetector {
  private worse = fresh();
  private better = fresh();
  private readonly threshold: number;
  private readonly tolerance: number;

  /** @throws InvalidArgumentError for an option outside its range. */
  constructor(options: DriftOptions = {}) {
    objectIn(options, 'options');
    const every = numberIn(options.falseAlarmEvery ?? FALSE_ALARM_EVERY, 'drift.falseAlarmEvery', {
      min: 10,
      max: 1e9,
    });
    this.tolerance = numberIn(options.tolerance ?? 0.05, 'drift.tolerance', { min: 0, max: 0.499 });
    // Two sums run side by side; each may take half of the false alarms.
    this.threshold = 2 * every;
  }

  /**
   * One outcome beside its expectation, both 0 to 1. When a change is certain enough: its direction, size and age, and the
   * watch begins anew.
   * @throws InvalidArgumentError for numbers outside 0 to 1.
   */
  add(expected: number, outcome: number): Omit<DriftEvent, 'model' | 'at'> | undefined {
    numberIn(expected, 'expected', { min: 0, max: 1 });
    numberIn(outcome, 'outcome', { min: 0, max: 1 });
    const worse = this.step(this.worse, expected - this.tolerance - outcome, expected, outcome);
    const better = this.step(this.better, outcome - expected - this.tolerance, expected, outcome);
    if (!worse && !better) return undefined;
    const side = worse ? this.worse : this.better;
    const n = Math.max(1, side.outcomes);
    const event = {
      since: side.outcomes,
      direction: worse ? ('worse' as const) : ('better' as const),
      expected: side.expected / n,
      observed: side.observed / n,
    };
    this.reset();
    return event;
  }

  reset(): void {
    this.worse = fresh();
    this.better = fresh();
  }

  private step(side: Side, surprise: number, expected: number, outcome: number): boolean {
    let total = 0;
    for (let b = 0; b < BETS.length; b++) {
      // surprise > -1 - tolerance, so the largest bet leaves the factor above 0 while expectations are below 1.
      side.sums[b] = (side.sums[b]! + 1) * Math.max(0, 1 + BETS[b]! * surprise);
      total += side.sums[b]!;
    }
    side.evidence += Math.log(Math.max(1e-3, 1 + 0.3 * surprise));
    side.outcomes++;
    side.expected += expected;
    side.observed += outcome;
    if (side.evidence <= 0) {
      side.evidence = 0;
      side.outcomes = 0;
      side.expected = 0;
      side.observed = 0;
    }
    return total / BETS.length >= this.threshold;
  }

  toJSON(): DriftState {
    return { worse: this.worse, better: this.better };
  }
  restore(state: DriftState): void {
    this.worse = { ...state.worse, sums: [...state.worse.sums] };
    this.better = { ...state.better, sums: [...state.better.sums] };
  }
}

/** How many sums a saved side holds. */
export const BET_COUNT = BETS.length;
