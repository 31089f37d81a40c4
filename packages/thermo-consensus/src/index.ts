export { type BatchOptions, type BetaPairs, type BoltzmannBatch, boltzmann, type RandomOptions, sampleBeta, summarizeBeta, updateBeta } from './batch';
export type { LearningOptions } from './beliefs';
export {
  type ChooseContext,
  Consensus,
  type ConsensusOptions,
  type EnergyOptions,
  type ModelOptions,
  type Outcome,
  type Posterior,
  type QualityEstimate,
} from './consensus';
export { Decision, type DecisionReadings, type ModelExplanation, type Selection } from './decision';
export {
  type AdaptiveOptions,
  type RampOptions,
  type Schedule,
  type ScheduleFunction,
  type ScheduleReading,
  schedules,
} from './schedules';
