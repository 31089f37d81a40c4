// The gateway: read a question, choose a model, answer, doubt the answer, ask a stronger model or accept, learn from the
// one outcome that is revealed.
import { type EscalationDecision, EscalationAgent } from '@x/active-inference';
import { InvalidArgumentError } from '@x/cuda-core';
import { QueryRouter, type RouteDecision } from '@x/te-router';
import { type Choice, Consensus } from '@x/thermo-consensus';
import type { ModelCard, Pool, Reply } from './models';

export interface GatewayOptions {
  /** Decides every draw. Same seed, same questions, same outcomes: same choices. */
  seed?: number;
  /**
   * What always asking the strongest model costs, in units of the value of a right answer (0..1). Higher saves more
   * and answers fewer questions right. Default 0.15.
   */
  lambda?: number;
  /** How often one question may be passed on to another model. Default 1. */
  maxEscalations?: number;
  /** Questions over which the temperature of the choice falls. Default 200. */
  annealing?: number;
}

/** One model asked for one question, and what was decided about its answer. */
export interface Step {
  reply: Reply;
  /** Missing when no further model could be asked. */
  escalation?: EscalationDecision;
}

/** One question answered: what was asked, why, and what it cost. */
export interface Decision {
  question: string;
  route: RouteDecision;
  choice: Choice;
  /** The models asked, in order; the last one gave the answer. */
  steps: Step[];
  answer: string;
  /** The model that gave the answer. */
  model: string;
  /** Parameters read by all models asked. */
  cost: number;
  /** From the question's arrival to the answer, decisions included. */
  seconds: number;
  tokens: number;
  explanation: string;
}
