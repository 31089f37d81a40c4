export {
  DiscreteAgent,
  type DiscreteAgentOptions,
  type LearningOptions,
  type Observation,
  type PolicyInference,
  type StateInference,
  type StepResult,
} from './agent';
export {
  type EscalationAction,
  EscalationAgent,
  type EscalationAgentOptions,
  type EscalationDecision,
  type EscalationQuestion,
  type EscalationState,
} from './escalation';
export type { ModelArrays, PolicySet } from './model';
export type { NestedArray, Tensor } from './tensor';
