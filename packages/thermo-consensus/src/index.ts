export {
  type BatchOptions,
  type BetaPairs,
  type BoltzmannBatch,
  boltzmann,
  type RandomOptions,
  sampleBeta,
  summarizeBeta,
  updateBeta,
} from './batch';
export type { LearningOptions } from './beliefs';
export { Consensus } from './consensus';
export { Decision, type DecisionReadings, type ModelExplanation, type Selection } from './decision';
export { type Chains, diagnostics } from './diagnostics';
export {
  type DenseIsingModel,
  type DenseQuboModel,
  type IsingModel,
  isingEnergy,
  type QuboModel,
  type Solution,
  type SolveOptions,
  solveIsing,
  solveQubo,
  type WeightedGraph,
} from './ising';
export { solveMaxCut } from './maxcut';
export type {
  ChooseContext,
  ConsensusOptions,
  EnergyOptions,
  ModelOptions,
  Outcome,
  Posterior,
  QualityEstimate,
} from './options';
export {
  ladders,
  type PopulationAnnealingOptions,
  type PopulationAnnealingResult,
  populationAnnealing,
  type ReplicaExchangeOptions,
  type ReplicaExchangeResult,
  replicaExchange,
  type SpinRule,
  type TemperatureSlot,
} from './replica-exchange';
export {
  type AdaptiveOptions,
  type RampOptions,
  type Schedule,
  type ScheduleFunction,
  type ScheduleReading,
  schedules,
} from './schedules';
