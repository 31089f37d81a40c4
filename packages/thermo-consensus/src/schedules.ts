import { numberIn, refuse, shown } from '@x/cuda-core/addon';

/** What an adaptive schedule sees of each distribution that was drawn from. */
export interface ScheduleReading {
  /** Entropy as a share of its maximum: 0 one certain model, 1 uniform over those that could be chosen. */
  entropy: number;
  /** Probability of choosing another model than the one of lowest energy: an uphill move accepted. */
  acceptance: number;
}

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
  readonly initial: number;
  /** Temperature of choice `step` (from 0), given the state. */
  temperature(step: number, state: number): number;
  /** The next state after a choice. Absent: the state never changes. */
  advance?(state: number, reading: ScheduleReading): number;
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
  /** What is held at `value`; see {@link ScheduleReading}. Default `'acceptance'`. */
  target?: 'acceptance' | 'entropy';
  /** 0 to 1. Default 0.234 for acceptance (G. O. Roberts, A. Gelman, W. R. Gilks, 1997), 0.3 for entropy. */
  value?: number;
  /** Temperature of the first choice, above 0. Default 0.1. */
  start?: number;
  /** Bounds of the temperature, above 0. Default 1e-4 and 1e4. */
  min?: number;
  max?: number;
  /** Change of ln T a choice, for each unit of distance from the target. Default 0.1. */
  gain?: number;
}

/** Stochastic approximation (H. Robbins, S. Monro, 1951): `ln T` moves by `gain (value - reading)` after each choice. */
function adaptive(options: AdaptiveOptions = {}): Schedule {
  const target = options.target ?? 'acceptance';
  if (target !== 'acceptance' && target !== 'entropy')
    refuse('schedule.target', `schedule.target is ${shown(target)}; it must be 'acceptance' or 'entropy'.`);
  const value = numberIn(options.value ?? (target === 'acceptance' ? 0.234 : 0.3), 'schedule.value', {
    min: 0,
    max: 1,
  });
  const min = numberIn(options.min ?? 1e-4, 'schedule.min', { min: 0, above: true });
  const max = numberIn(options.max ?? 1e4, 'schedule.max', { min });
  const start = numberIn(options.start ?? Math.min(max, Math.max(min, 0.1)), 'schedule.start', { min, max });
  const gain = numberIn(options.gain ?? 0.1, 'schedule.gain', { min: 0, above: true });
  return {
    kind: 'adaptive',
    options: { target, value, start, min, max, gain },
    initial: start,
    temperature: (_step, state) => state,
    advance: (state, reading) => Math.min(max, Math.max(min, state * Math.exp(gain * (value - reading[target])))),
  };
}

/** Wraps a function of the step. It is not saved: pass it to `Consensus.load` again. */
function custom(temperature: ScheduleFunction): Schedule {
  if (typeof temperature !== 'function')
    refuse('schedule', `schedule is ${shown(temperature)}; it must be one of schedules.* or a function of the step.`);
  return { kind: 'custom', options: {}, initial: 0, temperature: (step) => temperature(step) };
}

/** The built-in temperature schedules. */
export const schedules = { exponential, linear, logarithmic, constant, adaptive, custom } as const;

/** Accepts what the user may pass as a schedule. */
export function toSchedule(given: unknown): Schedule {
  if (typeof given === 'object' && given !== null) {
    const s = given as Partial<Schedule>;
    if (typeof s.kind === 'string' && typeof s.temperature === 'function' && typeof s.initial === 'number')
      return given as Schedule;
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
    default:
      return undefined;
  }
}
