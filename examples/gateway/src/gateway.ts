// The gateway: read a question, choose a model, answer, doubt the answer, ask a stronger model or accept, learn from the
// one outcome that is revealed.
import { EscalationAgent, type EscalationDecision } from '@x/active-inference';
import { InvalidArgumentError } from '@x/cuda-core';
import { QueryRouter, type RouteDecision } from '@x/te-router';
import { type Decision as Choice, Consensus, schedules } from '@x/thermo-consensus';
import type { ModelCard, Pool, Reply } from './models';

export interface GatewayOptions {
  /** Decides every draw: the same seed, questions and outcomes give the same choices. Default 1. */
  seed?: number;
  /** What an answer of the most expensive model costs, in right answers (0..1): higher saves more. Default 0.15. */
  lambda?: number;
  /** How often one question may be passed on to another model. Default 1. */
  maxEscalations?: number;
}

/** One model asked for one question, and what was decided about its answer. */
export interface Step {
  reply: Reply;
  /** Missing when no other model could be asked. */
  escalation: EscalationDecision | undefined;
}

/** One question answered: what was asked, why, and what it cost. */
export interface Decision {
  readonly route: RouteDecision;
  readonly choice: Choice;
  /** The models asked, in order; the last one gave the answer. */
  readonly steps: readonly Step[];
  readonly answer: string;
  /** The model that gave the answer. */
  readonly model: string;
  /** Parameters read by all models asked. */
  readonly cost: number;
  /** From the question's arrival to the answer, decisions included. */
  readonly seconds: number;
  readonly tokens: number;
  /** Why, in one sentence. */
  readonly explanation: string;
}

// The temperature falls while the models become known; energies are in right answers, so 0.01 is one question in 100.
const SCHEDULE = schedules.exponential({ start: 0.08, end: 0.005, steps: 150 });

export class Gateway {
  readonly router: QueryRouter;
  readonly consensus: Consensus;
  readonly escalation: EscalationAgent;
  readonly #pool: Pool;
  readonly #lambda: number;
  readonly #maxEscalations: number;
  readonly #cards: ReadonlyMap<string, ModelCard>;
  readonly #largest: number;

  constructor(pool: Pool, options: GatewayOptions = {}) {
    const { seed = 1, lambda = 0.15, maxEscalations = 1 } = options;
    if (!(lambda >= 0 && lambda <= 1)) {
      throw new InvalidArgumentError(`lambda must be from 0 to 1, not ${lambda}.`, { field: 'lambda' });
    }
    if (!Number.isInteger(maxEscalations) || maxEscalations < 0) {
      throw new InvalidArgumentError(`maxEscalations must be a whole number from 0, not ${maxEscalations}.`, {
        field: 'maxEscalations',
      });
    }
    this.#pool = pool;
    this.#lambda = lambda;
    this.#maxEscalations = maxEscalations;
    this.#cards = new Map(pool.models.map((card) => [card.name, card]));
    this.#largest = Math.max(...pool.models.map(({ parameters }) => parameters));
    const models = pool.models.map(({ name, parameters }) => ({ name, cost: parameters }));
    this.router = new QueryRouter({ models, seed });
    this.consensus = new Consensus({ models, seed, energy: { cost: lambda, quality: 1 }, schedule: SCHEDULE });
    this.escalation = new EscalationAgent({ seed });
  }

  /** Answers one question. Which model is right is not known here; {@link feedback} tells. */
  async ask(question: string): Promise<Decision> {
    const started = performance.now();
    const route = this.router.route(question);
    const quality = Object.fromEntries(
      route.models.map(({ model, quality, uncertainty }) => [model, { mean: quality, uncertainty }]),
    );
    const choice = this.consensus.choose({ domain: route.domain, quality });
    const steps: Step[] = [];
    for (let model: string | undefined = choice.model; model !== undefined; ) {
      const reply = await this.#pool.ask(model, question);
      const step = this.#judge(reply, choice, steps);
      steps.push(step);
      model = step.escalation?.action === 'escalate' ? step.target : undefined;
    }
    const last = steps.at(-1)!.reply;
    return {
      route,
      choice,
      steps,
      answer: last.text,
      model: last.model,
      cost: steps.reduce((sum, { reply }) => sum + reply.cost, 0),
      seconds: (performance.now() - started) / 1000,
      tokens: steps.reduce((sum, { reply }) => sum + reply.promptTokens + reply.generatedTokens, 0),
      explanation: explain(route, choice, steps),
    };
  }
}
