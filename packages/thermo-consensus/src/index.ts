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
export { Ensemble, type EnsembleMember, type Tally } from './ensemble';
export { type Cooling, coolLandscape, type FokkerPlanckOptions } from './fokker-planck';
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
export {
  type AdaptiveOptions,
  type RampOptions,
  type ReplicaExchangeOptions,
  type Schedule,
  type ScheduleFunction,
  type ScheduleReading,
  type ScheduleState,
  schedules,
} from './schedules';
