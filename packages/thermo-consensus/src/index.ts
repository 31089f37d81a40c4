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
export type { LearningOptions } from './beliefs';
export { Consensus } from './consensus';
export { Decision, type DecisionReadings, type ModelExplanation, type Selection } from './decision';
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
  type AdaptiveOptions,
  type RampOptions,
  type Schedule,
  type ScheduleFunction,
  type ScheduleReading,
  schedules,
} from './schedules';
