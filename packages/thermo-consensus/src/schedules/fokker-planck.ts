import {
  type NativeControl,
  type NativeDevice,
  numberIn,
  objectIn,
  parseDevice,
  refuse,
  runJob,
  SEED_MAX,
} from '@x/cuda-core/addon';
import type { BatchOptions } from '../batch';
import { addon } from '../native';

export interface LangevinAddon {
  langevinCooling(
    potential: Float64Array,
    options: Record<string, number>,
    device: NativeDevice,
    temperatures: Float64Array,
    meanEnergy: Float64Array,
    heatCapacity: Float64Array,
    control: NativeControl,
  ): Promise<void>;
}

export interface FokkerPlanckOptions extends BatchOptions {
  /**
   * The energy landscape: values on an even grid over `range`, linear between them. For a pool of models, the energies in order of
   * cost make a rough one.
   */
  potential: Float64Array;
  /** Default `[0, 1]`. Walkers are reflected at both ends. */
  range?: readonly [low: number, high: number];
  /** Temperature to begin with, above 0. */
  start: number;
  /** Lowest temperature, above 0 to `start`. */
  end: number;
  /** Temperatures to compute, 1 to 1,000,000. */
  steps: number;
  /** Walkers, 2 to 2^24. Default 4096. */
  walkers?: number;
  /** Integration steps at each temperature, 1 to 10,000. Default 20. */
  substeps?: number;
  /** Time of one integration step; default the largest that is safe for the steepest slope. */
  timeStep?: number;
  /** Thermodynamic speed: `ln T` falls by `speed / sqrt(C)` a step, with `C` the ensemble's heat capacity. Default 0.05. */
  speed?: number;
  /** Most that `ln T` falls in a step. Default 0.1. */
  maxChange?: number;
  /** Integer from 0 to 2^53 - 1. Default 0. */
  seed?: number;
}

export interface Cooling {
  /** Of each step. */
  temperatures: Float64Array;
  /** Of the ensemble at the end of each step, in the unit of the potential. */
  meanEnergy: Float64Array;
  /** `Var(U) / T^2`, likewise. */
  heatCapacity: Float64Array;
}

/**
 * Cools an ensemble of walkers in a potential: `dx = -U'(x) dt + sqrt(2 T) dW`, whose density obeys the Fokker-Planck equation
 * (H. Risken, 1989), with the temperature falling at constant thermodynamic speed. Where the energy varies much with temperature,
 * cooling is slow.
 *
 * @throws InvalidArgumentError (as a rejection) naming the option.
 */
export async function coolLandscape(options: FokkerPlanckOptions): Promise<Cooling> {
  objectIn(options, 'options');
  const { potential } = options;
  if (!(potential instanceof Float64Array)) refuse('potential', 'potential must be a Float64Array.');
  const steps = numberIn(options.steps, 'steps', { min: 1, max: 1e6, integer: true });
  const [low, high] = options.range ?? [0, 1];
  const native = {
    low: numberIn(low, 'range'),
    high: numberIn(high, 'range'),
    start: numberIn(options.start, 'start', { min: 0, above: true }),
    end: numberIn(options.end, 'end', { min: 0, above: true }),
    substeps: numberIn(options.substeps ?? 20, 'substeps', { min: 1, max: 10_000, integer: true }),
    walkers: numberIn(options.walkers ?? 4096, 'walkers', { min: 2, max: 2 ** 24, integer: true }),
    dt: numberIn(options.timeStep ?? 0, 'timeStep', { min: 0 }),
    speed: numberIn(options.speed ?? 0.05, 'speed', { min: 0, above: true }),
    maxChange: numberIn(options.maxChange ?? 0.1, 'maxChange', { min: 0, above: true }),
    seed: numberIn(options.seed ?? 0, 'seed', { min: 0, max: SEED_MAX, integer: true }),
  };
  const make = () => new Float64Array(steps);
  const out = { temperatures: make(), meanEnergy: make(), heatCapacity: make() };
  await runJob(options, (control) =>
    addon.langevinCooling(
      potential.slice(),
      native,
      parseDevice(options.device),
      out.temperatures,
      out.meanEnergy,
      out.heatCapacity,
      control,
    ),
  );
  return out;
}
