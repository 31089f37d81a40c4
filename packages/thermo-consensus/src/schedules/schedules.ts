import { numberIn, refuse, shown } from '@x/cuda-core/addon';
import { coolLandscape, type FokkerPlanckOptions } from './fokker-planck';

/** What an adaptive schedule sees of each distribution that was drawn from. */
export interface ScheduleReading {
  /** Entropy as a share of its maximum: 0 one certain model, 1 uniform over those that could be chosen. */
  entropy: number;
  /** Probability of choosing another model than the one of lowest energy: an uphill move accepted. */
  acceptance: number;
  /** `Var(E) / T^2` of the distribution, in units of k_B; 0 at temperature 0 and at infinite temperature. */
  heatCapacity: number;
  /** Energy of the model that was chosen. */
  energy: number;
  /** Number of the choice, from 0. */
  step: number;
  /** A uniform random number from 0 to 1 of this choice's own, for schedules that draw. */
  uniform: number;
}

/** What a schedule carries from choice to choice. */
export type ScheduleState = number | readonly number[];

/**
 * A temperature for each choice. Energies and temperatures share one unit; with default weights a difference of 1 is
 * the whole range of a quality.
 *
 * A schedule holds no state of its own, so one object may serve many `Consensus` objects.
 */
export interface Schedule {
  readonly kind: string;
  /** What the schedule was made with; saved with a `Consensus`. */
  readonly options: Readonly<Record<string, number | string>>;
  /** The state before the first choice; 0 where there is none. */
  readonly initial: ScheduleState;
  /** Temperature of choice `step` (from 0), given the state. */
  temperature(step: number, state: ScheduleState): number;
  /** The next state after a choice. Absent: the state never changes. */
  advance?(state: ScheduleState, reading: ScheduleReading): ScheduleState;
}

/** A user-defined schedule: the temperature (0 to Infinity) of choice `step`, counted from 0. */
export type ScheduleFunction = (step: number) => number;

export interface RampOptions {
  /** Temperature of the first choice. */
  start: number;
  /** Temperature from choice `steps` on. */
  end: number;
  /** Choices from `start` to `end`; at least 1. */
  steps: number;
}

/** `T(k) = start (end / start)^(k / steps)`, then `end`. `start` and `end` are above 0. */
function exponential(options: RampOptions): Schedule {
  const start = numberIn(options.start, 'schedule.start', { min: 0, above: true });
  const end = numberIn(options.end, 'schedule.end', { min: 0, above: true });
  const steps = numberIn(options.steps, 'schedule.steps', { min: 1, integer: true });
  const rate = Math.log(end / start) / steps;
  return {
    kind: 'exponential',
    options: { start, end, steps },
    initial: 0,
    temperature: (step) => (step >= steps ? end : start * Math.exp(rate * step)),
  };
}

/** `T(k) = start + (end - start) k / steps`, then `end`. `start` and `end` are 0 or more. */
function linear(options: RampOptions): Schedule {
  const start = numberIn(options.start, 'schedule.start', { min: 0 });
  const end = numberIn(options.end, 'schedule.end', { min: 0 });
  const steps = numberIn(options.steps, 'schedule.steps', { min: 1, integer: true });
  return {
    kind: 'linear',
    options: { start, end, steps },
    initial: 0,
    temperature: (step) => (step >= steps ? end : start + ((end - start) * step) / steps),
  };
}

/**
 * `T(k) = max(end, start ln 2 / ln(k + 2))`: the slow cooling of S. Geman, D. Geman, IEEE PAMI 6 (1984). `start` is
 * above 0; `end` is the floor, 0 by default.
 */
function logarithmic(options: { start: number; end?: number }): Schedule {
  const start = numberIn(options.start, 'schedule.start', { min: 0, above: true });
  const end = numberIn(options.end ?? 0, 'schedule.end', { min: 0 });
  return {
    kind: 'logarithmic',
    options: { start, end },
    initial: 0,
    temperature: (step) => Math.max(end, (start * Math.LN2) / Math.log(step + 2)),
  };
}

/** The same temperature always. 0 is greedy with ties broken at random, `Infinity` is uniform. */
function constant(temperature: number): Schedule {
  const value = numberIn(temperature, 'schedule.temperature', { min: 0, infinite: true });
  return { kind: 'constant', options: { temperature: value }, initial: 0, temperature: () => value };
}

export interface AdaptiveOptions {
  /**
   * What is held at `value`; see {@link ScheduleReading}. Default `'acceptance'`. `'speed'`: the thermodynamic speed, `ln T` falling by
   * `value / sqrt(heatCapacity)` a choice, so that the distribution changes evenly however fast the energies let it (P. Salamon et
   * al., Comput. Phys. Commun. 49, 1988).
   */
  target?: 'acceptance' | 'entropy' | 'speed';
  /**
   * 0 to 1. Default 0.234 for acceptance (G. O. Roberts, A. Gelman, W. R. Gilks, 1997), 0.3 for entropy, 0.01 for speed.
   */
  value?: number;
  /** Temperature of the first choice, above 0. Default 0.1. */
  start?: number;
  /** Bounds of the temperature, above 0. Default 1e-4 and 1e4. */
  min?: number;
  max?: number;
  /** Change of ln T a choice: for each unit of distance from the target, or with `'speed'` at most. Default 0.1. */
  gain?: number;
}

/**
 * Stochastic approximation (H. Robbins, S. Monro, 1951): `ln T` moves by `gain (value - reading)` after each choice; or constant
 * thermodynamic speed.
 */
function adaptive(options: AdaptiveOptions = {}): Schedule {
  const target = options.target ?? 'acceptance';
  if (!Object.hasOwn(ADAPTIVE_VALUES, target))
    refuse('schedule.target', `schedule.target is ${shown(target)}; it must be 'acceptance', 'entropy' or 'speed'.`);
  const value = numberIn(options.value ?? ADAPTIVE_VALUES[target], 'schedule.value', { min: 0, max: 1 });
  const min = numberIn(options.min ?? 1e-4, 'schedule.min', { min: 0, above: true });
  const max = numberIn(options.max ?? 1e4, 'schedule.max', { min });
  const start = numberIn(options.start ?? Math.min(max, Math.max(min, 0.1)), 'schedule.start', { min, max });
  const gain = numberIn(options.gain ?? 0.1, 'schedule.gain', { min: 0, above: true });
  const change = (reading: ScheduleReading) =>
    target === 'speed'
      ? -Math.min(gain, reading.heatCapacity > 0 ? value / Math.sqrt(reading.heatCapacity) : gain)
      : gain * (value - reading[target]);
  return {
    kind: 'adaptive',
    options: { target, value, start, min, max, gain },
    initial: start,
    temperature: (_step, state) => state as number,
    advance: (state, reading) => Math.min(max, Math.max(min, (state as number) * Math.exp(change(reading)))),
  };
}

const ADAPTIVE_VALUES = { acceptance: 0.234, entropy: 0.3, speed: 0.01 } as const;

export interface ReplicaScheduleOptions {
  /** Temperature of the coldest replica, above 0. */
  coldest: number;
  /** Temperature of the hottest replica, above `coldest`. */
  hottest: number;
  /** Replicas, on a geometric ladder between the two; 2 to 256. Default 8. */
  replicas?: number;
}

/**
 * Replica exchange (K. Hukushima, K. Nemoto, 1996): the choices belong to replicas in turn, each at the temperature it holds. After
 * each round neighbours on the ladder swap temperatures with probability `min(1, exp((1/T - 1/T') (E - E')))`, `E` being the energies
 * of their last choices, even and odd pairs in turn (S. Syed et al., JRSS-B 84, 2022). So a share of the choices always explores, and
 * what hot replicas find good cools down.
 */
function replicaExchange(options: ReplicaScheduleOptions): Schedule {
  const coldest = numberIn(options.coldest, 'schedule.coldest', { min: 0, above: true });
  const hottest = numberIn(options.hottest, 'schedule.hottest', { min: coldest, above: true });
  const replicas = numberIn(options.replicas ?? 8, 'schedule.replicas', { min: 2, max: 256, integer: true });
  const ladder = Array.from({ length: replicas }, (_, i) => coldest * (hottest / coldest) ** (i / (replicas - 1)));
  // State: the rung of each replica, then the energy of its last choice.
  return {
    kind: 'replica-exchange',
    options: { coldest, hottest, replicas },
    initial: [...ladder.keys(), ...new Array<number>(replicas).fill(0)],
    temperature: (step, state) => ladder[(state as number[])[step % replicas]!]!,
    advance: (state, { energy, step, uniform }) => {
      const next = [...(state as number[])];
      const own = step % replicas;
      next[replicas + own] = energy;
      if (own !== replicas - 1) return next;
      const round = Math.floor(step / replicas);
      const holder = new Array<number>(replicas);
      for (let r = 0; r < replicas; r++) holder[next[r]!] = r;
      let u = uniform;
      for (let rung = round % 2; rung + 1 < replicas; rung += 2) {
        const [cold, hot] = [holder[rung]!, holder[rung + 1]!];
        const gain = (1 / ladder[rung]! - 1 / ladder[rung + 1]!) * (next[replicas + cold]! - next[replicas + hot]!);
        if (u < Math.exp(Math.min(0, gain))) {
          next[cold] = rung + 1;
          next[hot] = rung;
        }
        u = (u * 16807 + 0.5) % 1; // one number a pair from the one of the round
      }
      return next;
    },
  };
}

/** The temperatures one by one, then the last of them. 0 or more, at least one. */
function table(temperatures: readonly number[] | Float64Array): Schedule {
  const values = Array.from(temperatures, (t, i) => numberIn(t, `schedule.temperatures[${i}]`, { min: 0 }));
  if (values.length === 0) refuse('schedule.temperatures', 'schedule.temperatures is empty; at least one is needed.');
  return {
    kind: 'table',
    options: { temperatures: values.join(' ') },
    initial: 0,
    temperature: (step) => values[Math.min(step, values.length - 1)]!,
  };
}

/**
 * The temperatures at which an ensemble of walkers, integrated on the device, stays near equilibrium while it is cooled in a
 * landscape: see {@link FokkerPlanckOptions}. Computed once; the schedule is a table of them.
 */
async function fokkerPlanck(options: FokkerPlanckOptions): Promise<Schedule> {
  return table((await coolLandscape(options)).temperatures);
}

/** Wraps a function of the step. It is not saved: pass it to `Consensus.load` again. */
function custom(temperature: ScheduleFunction): Schedule {
  if (typeof temperature !== 'function')
    refuse('schedule', `schedule is ${shown(temperature)}; it must be one of schedules.* or a function of the step.`);
  return { kind: 'custom', options: {}, initial: 0, temperature: (step) => temperature(step) };
}

/** The built-in temperature schedules. */
export const schedules = {
  exponential,
  linear,
  logarithmic,
  constant,
  adaptive,
  replicaExchange,
  fokkerPlanck,
  table,
  custom,
} as const;

/** Accepts what the user may pass as a schedule. */
export function toSchedule(given: unknown): Schedule {
  if (typeof given === 'object' && given !== null) {
    const s = given as Partial<Schedule>;
    const stated = typeof s.initial === 'number' || Array.isArray(s.initial);
    if (typeof s.kind === 'string' && typeof s.temperature === 'function' && stated) return given as Schedule;
  }
  return custom(given as ScheduleFunction);
}

/** Makes a saved schedule again; undefined for one that only its author can make. */
export function restoreSchedule(kind: string, options: Record<string, unknown>): Schedule | undefined {
  switch (kind) {
    case 'exponential':
      return exponential(options as unknown as RampOptions);
    case 'linear':
      return linear(options as unknown as RampOptions);
    case 'logarithmic':
      return logarithmic(options as unknown as { start: number; end: number });
    case 'constant':
      return constant(options.temperature as number);
    case 'adaptive':
      return adaptive(options as AdaptiveOptions);
    case 'replica-exchange':
      return replicaExchange(options as unknown as ReplicaScheduleOptions);
    case 'table':
      return table(String(options.temperatures).split(' ').map(Number));
    default:
      return undefined;
  }
}
