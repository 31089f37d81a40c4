import { InvalidArgumentError, InvalidFormatError } from '@x/cuda-core';
import { numberIn, objectIn, textIn } from '@x/cuda-core/addon';
import { DiscreteAgent } from './agent';
import { dirichletNovelty } from './digamma';

export type EscalationAction = 'accept' | 'escalate';

export interface EscalationAgentOptions {
  /**
   * What a right answer is worth, in nats of log preference. Learning how far a model can be trusted is
   * worth its own nats, so a smaller value explores more. Default 1.
   */
  value?: number;
  /**
   * Ascending edges in (0, 1) that cut the confidence (see `confidence`) into bins. Default: eight bins, finer towards 1.
   */
  edges?: readonly number[];
  /**
   * What of an answer's token probabilities is its confidence: the least probable token's (`'min'`) or the geometric
   * mean (`'mean'`). Default `'min'`: one doubtful digit spoils a number.
   */
  confidence?: 'min' | 'mean';
  /** How many observations the prior is worth, above 0 to 1e6. Default 2. */
  priorStrength?: number;
}

export interface EscalationQuestion {
  /** The model that gave the cheap answer. */
  model: string;
  /** The question's domain; learned apart, starting from what is known of the model. */
  domain?: string | undefined;
  /** Natural logarithms of the probabilities of the answer's tokens; at least one. */
  logprobs: ArrayLike<number>;
  /** Probability that the answer is right as known before it was seen, 0..1. Default: as learned. */
  priorQuality?: number | undefined;
  /** What asking the stronger model costs, relative to the value of a right answer; 0 to 1000. */
  escalationCost: number;
  /** Probability that the stronger model is right, 0..1. Default 0.95. */
  escalatedQuality?: number | undefined;
}

export interface EscalationDecision {
  action: EscalationAction;
  /** Probability that the cheap answer is right. */
  pRight: number;
  /** In nats; the lower one is chosen, `'accept'` when they are equal. */
  expectedFreeEnergy: { accept: number; escalate: number };
  /** The confidence's bin, 0 the least confident. */
  bin: number;
  model: string;
  domain: string | undefined;
}

/** What an EscalationAgent has learned, as plain JSON. */
export interface EscalationState {
  version: 1;
  edges: number[];
  confidence: 'min' | 'mean';
  counts: { model: string; domain: string | null; right: number[]; wrong: number[]; unrevealed: number[] }[];
}

interface Counts {
  model: string;
  domain: string | undefined;
  /** Answers a bin whose outcome was revealed, and those that were escalated without ever being judged. */
  right: number[];
  wrong: number[];
  unrevealed: number[];
}

const DEFAULT_EDGES = [0.3, 0.5, 0.7, 0.85, 0.94, 0.98, 0.995];
const RIGHT = 0;
const WRONG = 1;

const checkShare = (value: unknown, field: string): number => numberIn(value, field, { min: 0, max: 1 });

/**
 * Decides after a cheap answer whether to accept it or to ask a stronger model, by expected free energy.
 *
 * The hidden state is whether the answer is right; the observation is the bin of its confidence. The likelihood of each
 * bin given a right and a wrong answer is learned online as Dirichlet counts, per model and domain, from a weak prior by
 * which right answers are more confident. Preferences weigh the value of a right answer against the cost of asking.
 * Accepting also shows whether the answer was right: what that would teach (the expected change of the counts, which
 * fades as they grow) is its information gain, so a new model is tried before it is judged.
 *
 * Escalated answers are never judged, so the judged ones are not typical: counts of a bin are scaled up by the share of
 * its answers that were judged (inverse propensity weighting), which keeps the likelihood unbiased.
 *
 * ```ts
 * const agent = new EscalationAgent();
 * const decision = agent.decide({ model: 'small', logprobs: [-0.02, -0.7], escalationCost: 0.1 });
 * if (decision.action === 'accept') agent.observe({ decision, right: await check(answer) });
 * ```
 */
export class EscalationAgent {
  readonly value: number;
  readonly edges: readonly number[];
  readonly confidence: 'min' | 'mean';
  readonly #strength: number;
  readonly #counts = new Map<string, Counts>();
  readonly #observed = new WeakSet<EscalationDecision>();
  readonly #agent: DiscreteAgent;

  /** @throws InvalidArgumentError for an option outside its range. */
  constructor(options: EscalationAgentOptions = {}) {
    objectIn(options, 'options');
    this.value = numberIn(options.value ?? 1, 'value', { min: 0, above: true, max: 700 });
    const edges = options.edges ?? DEFAULT_EDGES;
    const ascending = (e: unknown, i: number) => typeof e === 'number' && e > (edges[i - 1] ?? 0) && e < 1;
    if (!Array.isArray(edges) || edges.length < 1 || !edges.every(ascending))
      throw new InvalidArgumentError('edges must ascend between 0 and 1', { field: 'edges' });
    this.edges = [...edges];
    this.confidence = options.confidence ?? 'min';
    if (this.confidence !== 'min' && this.confidence !== 'mean')
      throw new InvalidArgumentError("confidence must be 'min' or 'mean'", { field: 'confidence' });
    this.#strength = numberIn(options.priorStrength ?? 2, 'priorStrength', { min: 0, above: true, max: 1e6 });
    const bins = this.edges.length + 1;
    const uniform = Array.from({ length: bins }, () => [1 / bins, 1 / bins]);
    this.#agent = new DiscreteAgent({
      A: [uniform, this.#outcomes(1)],
      // Whether the cheap answer is right does not change; the action decides whose answer counts: cheap or strong.
      B: [
        [
          [[1], [0]],
          [[0], [1]],
        ],
        [
          [
            [1, 0],
            [1, 0],
          ],
          [
            [0, 1],
            [0, 1],
          ],
        ],
      ],
      C: this.#preferences(0),
      D: [
        [0.5, 0.5],
        [1, 0],
      ],
      aDependencies: [[0], [0, 1]],
      informationGain: false, // about this answer alone it is of no use later; about the counts see #novelty
      device: 'cpu',
    });
  }

  /** P(outcome | right or wrong, cheap or strong): right, wrong, right after asking, wrong after asking. */
  #outcomes(escalatedQuality: number): number[][][] {
    return [
      [
        [1, 0],
        [0, 0],
      ],
      [
        [0, 0],
        [1, 0],
      ],
      [
        [0, escalatedQuality],
        [0, escalatedQuality],
      ],
      [
        [0, 1 - escalatedQuality],
        [0, 1 - escalatedQuality],
      ],
    ];
  }

  #preferences(cost: number): number[][] {
    const none = new Array<number>(this.edges.length + 1).fill(0);
    return [none, [this.value, 0, this.value * (1 - cost), -this.value * cost]];
  }

  #of(model: string, domain: string | undefined): Counts {
    const key = JSON.stringify([model, domain ?? null]);
    let counts = this.#counts.get(key);
    if (!counts) {
      const zeros = () => new Array<number>(this.edges.length + 1).fill(0);
      counts = { model, domain, right: zeros(), wrong: zeros(), unrevealed: zeros() };
      this.#counts.set(key, counts);
    }
    return counts;
  }

  /** Expected counts of (bin, right or wrong): the prior, then the model over all domains, then this domain. */
  #joint(model: string, domain: string | undefined): [right: number[], wrong: number[]] {
    const bins = this.edges.length + 1;
    let right = Array.from({ length: bins }, (_, k) => (k + 0.5) / bins + 0.15);
    let wrong = [...right].reverse();
    for (const of of domain === undefined ? [undefined] : [undefined, domain]) {
      // What was known so far is worth `priorStrength` observations of what comes next.
      const scale = this.#strength / (right.reduce((s, n) => s + n, 0) + wrong.reduce((s, n) => s + n, 0));
      const seen = this.#counts.get(JSON.stringify([model, of ?? null]));
      const add = (prior: number[], own: number[] | undefined) => prior.map((n, k) => n * scale + (own?.[k] ?? 0));
      right = add(right, seen?.right);
      wrong = add(wrong, seen?.wrong);
      seen?.unrevealed.forEach((n, k) => {
        const weight = 1 + n / (right[k]! + wrong[k]!);
        right[k]! *= weight;
        wrong[k]! *= weight;
      });
    }
    return [right, wrong];
  }

  /** What learning the outcome of an answer in this bin would teach about the counts, in nats. */
  #novelty(model: string, domain: string | undefined, bin: number, pRight: number): number {
    // Judged answers alone: those never judged have taught nothing about right and wrong.
    const seen = this.#counts.get(JSON.stringify([model, domain ?? null]));
    const prior = this.#strength / (2 * (this.edges.length + 1));
    const of = (own: number[] | undefined) => {
      const total = (own?.reduce((s, n) => s + n, 0) ?? 0) + this.#strength / 2;
      return dirichletNovelty(total, prior + (own?.[bin] ?? 0));
    };
    return pRight * of(seen?.right) + (1 - pRight) * of(seen?.wrong);
  }

  #bin(logprobs: ArrayLike<number>): number {
    if (typeof logprobs !== 'object' || logprobs === null || !(logprobs.length >= 1))
      throw new InvalidArgumentError('logprobs must hold at least one token', { field: 'logprobs' });
    let sum = 0;
    let min = 0;
    for (let i = 0; i < logprobs.length; i++) {
      const l = logprobs[i]!;
      if (typeof l !== 'number' || !(l <= 1e-3))
        throw new InvalidArgumentError(`logprobs[${i}] is ${l}; logarithms of probabilities are at most 0`, {
          field: `logprobs[${i}]`,
        });
      sum += l;
      min = Math.min(min, l);
    }
    const confidence = Math.exp(this.confidence === 'min' ? min : sum / logprobs.length);
    return this.edges.filter((edge) => confidence >= edge).length;
  }

  /**
   * Whether to accept the cheap answer or to ask the stronger model.
   * @throws InvalidArgumentError for arguments outside their range.
   */
  decide(question: EscalationQuestion): EscalationDecision {
    objectIn(question, 'question');
    const { domain } = question;
    const model = textIn(question.model, 'model');
    if (domain !== undefined && typeof domain !== 'string')
      throw new InvalidArgumentError('domain must be a string', { field: 'domain' });
    const escalationCost = numberIn(question.escalationCost, 'escalationCost', { min: 0, max: 1000 });
    const escalatedQuality = checkShare(question.escalatedQuality ?? 0.95, 'escalatedQuality');
    const bin = this.#bin(question.logprobs);
    const [right, wrong] = this.#joint(model, domain);
    const rights = right.reduce((s, n) => s + n, 0);
    const wrongs = wrong.reduce((s, n) => s + n, 0);
    const given = question.priorQuality;
    // Certainty in advance would make the answer's confidence meaningless.
    const prior =
      given === undefined
        ? rights / (rights + wrongs)
        : Math.min(0.999, Math.max(0.001, checkShare(given, 'priorQuality')));
    this.#agent.update({
      A: [right.map((n, k) => [n / rights, wrong[k]! / wrongs]), this.#outcomes(escalatedQuality)],
      C: this.#preferences(escalationCost),
      D: [
        [prior, 1 - prior],
        [1, 0],
      ],
    });
    this.#agent.reset();
    const { beliefs } = this.#agent.inferStates([bin, null]);
    const pRight = beliefs[0]![RIGHT]! / (beliefs[0]![RIGHT]! + beliefs[0]![WRONG]!);
    const [g0, g1] = this.#agent.inferPolicies().expectedFreeEnergy as unknown as [number, number];
    const accept = g0 - this.#novelty(model, domain, bin, pRight);
    const action = accept <= g1 ? 'accept' : 'escalate';
    if (action === 'escalate') this.#each(model, domain, (counts) => counts.unrevealed[bin]!++);
    return { action, pRight, expectedFreeEnergy: { accept, escalate: g1 }, bin, model, domain };
  }

  /** The counts that an answer belongs to: those of its model, and of its domain there. */
  #each(model: string, domain: string | undefined, change: (counts: Counts) => void): void {
    change(this.#of(model, undefined));
    if (domain !== undefined) change(this.#of(model, domain));
  }

  /**
   * Learns from a decision whose cheap answer was judged. Call it only for answers whose outcome was revealed, and with
   * the outcome of the cheap answer, not of the stronger model's.
   * @throws InvalidArgumentError when the decision was observed before or is not one of this agent's bins.
   */
  observe(outcome: { decision: EscalationDecision; right: boolean }): void {
    objectIn(outcome, 'outcome');
    const { decision, right } = outcome;
    if (typeof right !== 'boolean') throw new InvalidArgumentError('right must be true or false', { field: 'right' });
    if (
      typeof decision?.model !== 'string' ||
      !Number.isInteger(decision.bin) ||
      decision.bin < 0 ||
      decision.bin > this.edges.length
    )
      throw new InvalidArgumentError('decision must be what decide() returned', { field: 'decision' });
    if (this.#observed.has(decision))
      throw new InvalidArgumentError('this decision was observed before', { field: 'decision' });
    this.#observed.add(decision);
    const { bin } = decision;
    this.#each(decision.model, decision.domain, (counts) => {
      counts[right ? 'right' : 'wrong'][bin]!++;
      if (decision.action === 'escalate') counts.unrevealed[bin] = Math.max(0, counts.unrevealed[bin]! - 1);
    });
  }

  /** What was learned, for `load`. */
  save(): EscalationState {
    return {
      version: 1,
      edges: [...this.edges],
      confidence: this.confidence,
      counts: [...this.#counts.values()].map(({ model, domain, right, wrong, unrevealed }) => ({
        model,
        domain: domain ?? null,
        right: [...right],
        wrong: [...wrong],
        unrevealed: [...unrevealed],
      })),
    };
  }

  /**
   * An agent that goes on from a saved state. The other options are not part of the state and are given anew.
   * @throws InvalidFormatError when the state is not one that `save` wrote; `field` says where.
   */
  static load(
    state: EscalationState,
    options: Omit<EscalationAgentOptions, 'edges' | 'confidence'> = {},
  ): EscalationAgent {
    if (state?.version !== 1)
      throw new InvalidFormatError('not a saved EscalationAgent: version is not 1', { field: 'version' });
    if (!Array.isArray(state.edges)) throw new InvalidFormatError('edges must be an array', { field: 'edges' });
    if (!Array.isArray(state.counts)) throw new InvalidFormatError('counts must be an array', { field: 'counts' });
    objectIn(options, 'options');
    const agent = ((): EscalationAgent => {
      try {
        return new EscalationAgent({ ...options, edges: state.edges, confidence: state.confidence });
      } catch (error) {
        if (!(error instanceof InvalidArgumentError) || !(error.field === 'edges' || error.field === 'confidence'))
          throw error; // an option of the caller's
        throw new InvalidFormatError(`not a saved EscalationAgent: ${error.message}`, { field: error.field });
      }
    })();
    state.counts.forEach((entry, i) => {
      if (typeof entry?.model !== 'string' || !(entry.domain === null || typeof entry.domain === 'string'))
        throw new InvalidFormatError(`counts[${i}] names no model and domain`, { field: `counts[${i}]` });
      const counts = agent.#of(entry.model, entry.domain ?? undefined);
      for (const key of ['right', 'wrong', 'unrevealed'] as const) {
        const values = entry[key];
        if (
          !Array.isArray(values) ||
          values.length !== state.edges.length + 1 ||
          !values.every((n) => typeof n === 'number' && n >= 0 && n < 1e15)
        )
          throw new InvalidFormatError(`counts[${i}].${key} must hold ${state.edges.length + 1} counts`, {
            field: `counts[${i}].${key}`,
          });
        counts[key] = [...values];
      }
    });
    return agent;
  }
}
