// The gateway: read a question, choose a model, answer, doubt the answer, ask a stronger model or accept, learn from the
// one outcome that is revealed.
import { EscalationAgent, type EscalationDecision } from '@x/active-inference';
import { InvalidArgumentError } from '@x/cuda-core';
import { QueryRouter, type RouteDecision } from '@x/te-router';
import { type Decision as Choice, Consensus, schedules } from '@x/thermo-consensus';
import type { Pool, Reply } from './models';

export interface GatewayOptions {
  /** Decides every draw: the same seed, questions and outcomes give the same choices. Default 1. */
  seed?: number;
  /** What an answer of the most expensive model costs, in right answers (0..1): higher saves more. Default 0.15. */
  lambda?: number;
  /** How often one question may be passed on to another model. Default 2. */
  maxEscalations?: number;
}

/** Whom an answer could be passed on to, and what was decided. */
export interface Doubt {
  target: string;
  decision: EscalationDecision;
}

/** One model asked for one question. */
export interface Step {
  reply: Reply;
  /** Missing when the question could not be passed on any more. */
  doubt?: Doubt;
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

// Tuned on questions that are not in `pool/`. Energies are in right answers: at temperature 0.01 a model that is expected
// to be right one time in a hundred less often is drawn e times less often. Uncertainty attracts, so that every model is
// tried on every kind of question. What a model does in one domain says little about another (there are specialists),
// hence no pooling; the router's estimate, which generalises, stands for a few outcomes in its place.
const CHOICE = {
  schedule: schedules.exponential({ start: 0.05, end: 0.01, steps: 200 }),
  uncertainty: 1,
  learning: { pooling: 0, external: { limit: 6 } },
};
// Nats that a right answer is worth to the escalation agent, which weighs them against what accepting would teach it.
const RIGHT_ANSWER = 40;

// A reply without a token says nothing of its confidence: it is taken as the least confident there is.
const NO_TOKENS = [-100];

export class Gateway {
  readonly router: QueryRouter;
  readonly consensus: Consensus;
  readonly escalation: EscalationAgent;
  readonly #pool: Pool;
  readonly #maxEscalations: number;

  constructor(pool: Pool, options: GatewayOptions = {}) {
    const { seed = 1, lambda = 0.15, maxEscalations = 2 } = options;
    if (!(lambda >= 0 && lambda <= 1)) {
      throw new InvalidArgumentError(`lambda must be from 0 to 1, not ${lambda}.`, { field: 'lambda' });
    }
    if (!Number.isInteger(maxEscalations) || maxEscalations < 0) {
      throw new InvalidArgumentError(`maxEscalations must be a whole number from 0, not ${maxEscalations}.`, {
        field: 'maxEscalations',
      });
    }
    this.#pool = pool;
    this.#maxEscalations = maxEscalations;
    const models = pool.models.map(({ name, parameters }) => ({ name, cost: parameters }));
    this.router = new QueryRouter({ models, seed });
    const { schedule, uncertainty, learning } = CHOICE;
    this.consensus = new Consensus({ models, seed, energy: { cost: lambda, uncertainty }, schedule, learning });
    this.escalation = new EscalationAgent({ value: RIGHT_ANSWER });
  }

  /** Answers one question. Whether the answer is right is not known here; tell {@link feedback} when it is. */
  async ask(question: string): Promise<Decision> {
    const started = performance.now();
    const route = this.router.route(question);
    const quality = Object.fromEntries(
      route.models.map(({ model, quality, uncertainty }) => [model, { mean: quality, uncertainty }]),
    );
    const choice = this.consensus.choose({ ...(route.domain >= 0 && { domain: route.domain }), quality });

    const steps: Step[] = [];
    for (let model: string | undefined = choice.model; model !== undefined; ) {
      const reply = await this.#pool.ask(model, question);
      const doubt = steps.length < this.#maxEscalations ? this.#doubt(reply, choice, steps) : undefined;
      steps.push(doubt ? { reply, doubt } : { reply });
      model = doubt?.decision.action === 'escalate' ? doubt.target : undefined;
    }
    const { reply } = steps.at(-1)!;
    return {
      route,
      choice,
      steps,
      answer: reply.text,
      model: reply.model,
      cost: steps.reduce((sum, step) => sum + step.reply.cost, 0),
      seconds: (performance.now() - started) / 1000,
      tokens: steps.reduce((sum, step) => sum + step.reply.promptTokens + step.reply.generatedTokens, 0),
      explanation: explain(route, choice, steps),
    };
  }

  /**
   * Learns from a decision whose answer was judged. Nobody judges the answers before it; but what follows from this
   * outcome is known too, since a question has one right answer: an earlier answer that was the same is right or wrong
   * with it, and one that differs from a right answer is wrong.
   */
  feedback({ route, choice, steps, model, answer }: Decision, right: boolean): void {
    for (const { reply, doubt } of steps) {
      const last = reply.model === model;
      if (!last && !right && reply.text !== answer) continue;
      const outcome = reply.text === answer ? right : false;
      this.router.observe({ decision: route, model: reply.model, quality: Number(outcome) });
      this.consensus.observe({
        model: reply.model,
        ...(choice.domain !== undefined && { domain: choice.domain }),
        success: outcome,
      });
      if (doubt) this.escalation.observe({ decision: doubt.decision, right: outcome });
    }
  }

  /** Whom the question would be passed on to, and whether it should be: the best of those not asked yet. */
  #doubt(reply: Reply, choice: Choice, steps: readonly Step[]): Doubt | undefined {
    const asked = new Set([reply.model, ...steps.map((step) => step.reply.model)]);
    const all = choice.explanation;
    const own = all.find(({ model }) => model === reply.model)!;
    const [target] = all.filter(({ model }) => !asked.has(model)).sort((a, b) => a.energy - b.energy);
    if (!target) return undefined;
    const decision = this.escalation.decide({
      model: reply.model,
      ...(choice.domain !== undefined && { domain: choice.domain }),
      logprobs: reply.logprobs.length > 0 ? reply.logprobs : NO_TOKENS,
      priorQuality: own.posterior.mean,
      escalationCost: target.terms.cost,
      escalatedQuality: target.posterior.mean,
    });
    return { target: target.model, decision };
  }
}

function explain(route: RouteDecision, choice: Choice, steps: readonly Step[]): string {
  const share = (value: number) => `${Math.round(100 * value)} %`;
  const { posterior, probability } = choice.explanation.find(({ model }) => model === choice.model)!;
  const parts = [
    `${route.domainLabel === undefined ? 'a new kind of question' : `like "${route.domainLabel}"`}, difficulty ${route.difficulty.toFixed(2)}`,
    `${choice.model} expected right ${share(posterior.mean)} ± ${share(posterior.deviation)}, drawn with ${share(probability)} at T ${choice.temperature.toFixed(3)}`,
  ];
  for (const { reply, doubt } of steps) {
    if (!doubt) continue;
    const { action, pRight, expectedFreeEnergy: g } = doubt.decision;
    const verb = action === 'accept' ? 'accepted' : `passed on to ${doubt.target}`;
    parts.push(
      `the answer of ${reply.model} right with ${share(pRight)}: ${verb} (expected free energy ${g.accept.toFixed(2)} to accept, ${g.escalate.toFixed(2)} to ask)`,
    );
  }
  return `${parts.join('; ')}.`;
}
