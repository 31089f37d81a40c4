export {
  type AssignmentBudget,
  type AssignmentOptions,
  type AssignmentProblem,
  type AssignmentResource,
  type AssignmentSolution,
  solveAssignment,
} from './assignment';
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
export {
  type BatchConstraints,
  type BatchContext,
  type BatchRouting,
  type BatchRoutingOptions,
  type Conflict,
  InfeasibleError,
  type PerModel,
} from './batch-routing';
export { type BeliefPrior, type BeliefStatistics, BeliefTable, type BeliefTableOptions } from './belief-table';
export type { LearningOptions } from './beliefs';
export {
  type Change,
  ChangeDetector,
  type ChangeDetectorOptions,
  type ChangeDetectorState,
} from './change-detector';
export { Consensus } from './consensus';
export { Decision, type DecisionReadings, type ModelExplanation, type Selection } from './decision';
export { type Chains, diagnostics } from './diagnostics';
export { Ensemble, type EnsembleMember, type Tally } from './ensemble';
export { type Cooling, coolLandscape, type FokkerPlanckOptions } from './fokker-planck';
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
export {
  evaluatePolicy,
  type LoggedChoice,
  type OffPolicyOptions,
  type OffPolicyValue,
  type Policy,
} from './off-policy';
export type {
  ChooseContext,
  ConsensusOptions,
  EnergyOptions,
  ModelOptions,
  Outcome,
  Posterior,
  QualityEstimate,
} from './options';
export type { Price, Tokens } from './pricing';
export type { QualityTargetOptions } from './quality-target';
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
  type ReplicaScheduleOptions,
  type Schedule,
  type ScheduleFunction,
  type ScheduleReading,
  type ScheduleState,
  schedules,
} from './schedules';
