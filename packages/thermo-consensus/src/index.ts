export {
  type AssignmentBudget,
  type AssignmentOptions,
  type AssignmentProblem,
  type AssignmentResource,
  type AssignmentSolution,
  solveAssignment,
} from './assignment/assignment';
export {
  type BatchConstraints,
  type BatchContext,
  type BatchRouting,
  type BatchRoutingOptions,
  type Conflict,
  InfeasibleError,
  type PerModel,
} from './assignment/batch-routing';
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
export { type BeliefPrior, type BeliefStatistics, BeliefTable, type BeliefTableOptions } from './learning/belief-table';
export type { LearningOptions } from './learning/beliefs';
export {
  type Change,
  ChangeDetector,
  type ChangeDetectorOptions,
  type ChangeDetectorState,
} from './learning/change-detector';
export {
  evaluatePolicy,
  type LoggedChoice,
  type OffPolicyOptions,
  type OffPolicyValue,
  type Policy,
} from './learning/off-policy';
export { type Cooling, coolLandscape, type FokkerPlanckOptions } from './schedules/fokker-planck';
export {
  type AdaptiveOptions,
  type RampOptions,
  type ReplicaScheduleOptions,
  type Schedule,
  type ScheduleFunction,
  type ScheduleReading,
  type ScheduleState,
  schedules,
} from './schedules/schedules';
export { Consensus } from './selection/consensus';
export { Decision, type DecisionReadings, type ModelExplanation, type Selection } from './selection/decision';
export { Ensemble, type EnsembleMember, type Tally } from './selection/ensemble';
export type {
  ChooseContext,
  ConsensusOptions,
  EnergyOptions,
  ModelOptions,
  Outcome,
  Posterior,
  QualityEstimate,
} from './selection/options';
export type { Price, Tokens } from './selection/pricing';
export type { QualityTargetOptions } from './selection/quality-target';
export { type Chains, diagnostics } from './spins/diagnostics';
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
} from './spins/ising';
export { solveMaxCut } from './spins/maxcut';
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
} from './spins/replica-exchange';
