import { loadAddon, type NativeControl, type NativeDevice } from '@x/cuda-core/addon';
import type { AssignmentAddon } from './assignment/native-assignment';
import type { BeliefsAddon } from './learning/belief-table';
import type { ContextAddon } from './learning/native-context';
import type { LangevinAddon } from './schedules/fokker-planck';
import type { IsingAddon } from './spins/native-ising';

type Doubles = Float64Array;
type BoltzmannArguments = [
  energies: Doubles,
  temperatures: Doubles,
  seed: number,
  stream: number,
  device: NativeDevice | undefined,
  probabilities: Doubles,
  readings: Doubles,
  choices: Int32Array,
];
type UpdateArguments = [
  alpha: Doubles,
  beta: Doubles,
  successes: Doubles,
  failures: Doubles,
  priorAlpha: number,
  priorBeta: number,
  forgetting: number,
  device: NativeDevice | undefined,
  alphaOut: Doubles,
  betaOut: Doubles,
];
type SummaryArguments = [
  alpha: Doubles,
  beta: Doubles,
  level: number,
  device: NativeDevice | undefined,
  mean: Doubles,
  variance: Doubles,
  lower: Doubles,
  upper: Doubles,
];
type SampleArguments = [
  alpha: Doubles,
  beta: Doubles,
  seed: number,
  stream: number,
  device: NativeDevice | undefined,
  draws: Doubles,
];

interface ThermoAddon extends AssignmentAddon, BeliefsAddon, ContextAddon, IsingAddon, LangevinAddon {
  boltzmann(...args: BoltzmannArguments): void;
  betaUpdate(...args: UpdateArguments): void;
  betaSummary(...args: SummaryArguments): void;
  betaSample(...args: SampleArguments): void;
  boltzmannJob(...args: [...BoltzmannArguments, NativeControl]): Promise<void>;
  betaUpdateJob(...args: [...UpdateArguments, NativeControl]): Promise<void>;
  betaSummaryJob(...args: [...SummaryArguments, NativeControl]): Promise<void>;
  betaSampleJob(...args: [...SampleArguments, NativeControl]): Promise<void>;
}

export const addon = loadAddon<ThermoAddon>({
  package: '@x/thermo-consensus',
  from: import.meta.url,
  domain: 'thermo',
  abi: 1,
});

/** Columns of the native readings of one Boltzmann distribution. */
export const READING = { logPartition: 0, freeEnergy: 1, meanEnergy: 2, entropy: 3, count: 4 } as const;
