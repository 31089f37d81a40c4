import type { NativeControl, NativeDevice } from '@x/cuda-core/addon';
import { addon as thermo } from '../native';

type Doubles = Float64Array;
type Model = [n: number, edges: Int32Array, weights: Doubles, fields: Doubles | undefined];

export interface IsingAddon {
  /** options: seed, time limit (s), target, rounds, threads, populations; result: places of SOLVED. */
  isingSolveJob(
    ...args: [
      ...Model,
      options: Doubles,
      start: Int8Array | undefined,
      device: NativeDevice | undefined,
      spins: Int8Array,
      result: Doubles,
      control: NativeControl,
    ]
  ): Promise<void>;
  /** options: chains, burn-in, rounds, sweeps a round, rule, ladder, adaptations, cluster moves, seed. */
  isingTemperJob(
    ...args: [
      ...Model,
      options: Doubles,
      betas: Doubles,
      device: NativeDevice | undefined,
      readings: Doubles,
      energies: Doubles | undefined,
      magnetizations: Doubles | undefined,
      roundTrips: Doubles | undefined,
      spins: Int8Array | undefined,
      best: Int8Array | undefined,
      result: Doubles,
      control: NativeControl,
    ]
  ): Promise<void>;
  /** options: replicas, sweeps a step, first sweeps, rule, resample, seed. */
  isingPopulationJob(
    ...args: [
      ...Model,
      options: Doubles,
      betas: Doubles,
      device: NativeDevice | undefined,
      readings: Doubles,
      energies: Doubles | undefined,
      works: Doubles | undefined,
      spins: Int8Array | undefined,
      best: Int8Array | undefined,
      result: Doubles,
      control: NativeControl,
    ]
  ): Promise<void>;
}

export const addon: IsingAddon = thermo;

/** Places in the result of isingSolveJob. */
export const SOLVED = {
  energy: 0,
  seconds: 1,
  bestSeconds: 2,
  rounds: 3,
  spinUpdates: 4,
  proven: 5,
  targetReached: 6,
  kernelSpins: 7,
  deviceKind: 8,
  deviceIndex: 9,
  count: 10,
} as const;

/** Columns of one temperature slot of isingTemperJob. */
export const SLOT = {
  beta: 0,
  meanEnergy: 1,
  energyVariance: 2,
  swapAcceptance: 3,
  upwardFraction: 4,
  flipAcceptance: 5,
  logPartition: 6,
  logPartitionError: 7,
  logPartitionIntegrated: 8,
  logPartitionIntegratedError: 9,
  count: 10,
} as const;

/** Places in the result of isingTemperJob. */
export const TEMPERED = {
  bestEnergy: 0,
  barrier: 1,
  roundTrips: 2,
  spinUpdates: 3,
  seconds: 4,
  deviceKind: 5,
  deviceIndex: 6,
  count: 7,
} as const;

/** Columns of one step of isingPopulationJob. */
export const STEP = {
  beta: 0,
  meanEnergy: 1,
  logPartition: 2,
  families: 3,
  rho: 4,
  familyEntropy: 5,
  count: 6,
} as const;

/** Places in the result of isingPopulationJob. */
export const CARRIED = { bestEnergy: 0, spinUpdates: 1, seconds: 2, deviceKind: 3, deviceIndex: 4, count: 5 } as const;
