import { InvalidArgumentError, InvalidFormatError } from '@x/cuda-core';
import {
  choiceIn,
  type NativeDevice,
  numberIn,
  objectIn,
  parseDevice,
  refuse,
  SEED_MAX,
  shown,
} from '@x/cuda-core/addon';
import {
  type BatchConstraints,
  type BatchContext,
  type BatchRouting,
  type BatchRoutingOptions,
  routeBatch,
} from '../assignment/batch-routing';
import { Beliefs, resolveLearning } from '../learning/beliefs';
import type { Change } from '../learning/change-detector';
import { betaPosterior } from '../learning/posterior';
import { normals, scrambled } from '../learning/random';
import { RequestBelief } from '../learning/request-belief';
import { addon, READING } from '../native';
import { Annealing } from '../schedules/annealing';
import { Relaxation } from '../schedules/relaxation';
import { restoreSchedule, schedules, toSchedule } from '../schedules/schedules';
import { CHALLENGES_MAX, COLUMN, Decision, describeDecision, SELECTIONS, type Selection } from './decision';
import {
  type Demand,
  Energy,
  type ResolvedModel,
  resolveEnergy,
  resolveModel,
  resolveTokensOption,
  TERMS,
  type Term,
} from './energy';
import { bestSubset, Ensemble } from './ensemble';
import { LatencyBelief } from './latency';
import type { ChooseContext, ConsensusOptions, Outcome, Posterior } from './options';
import { domainKey, Pool } from './pool';
import { resolveTokens } from './pricing';
import { type Chance, QualityTarget, resolveTarget } from './quality-target';
import { Reinforcement } from './reinforcement';
import {
  decodeHeat,
  encodeHeat,
  numbersFromJson,
  numbersToJson,
  readState,
  restoreBeliefs,
  type SavedState,
  savedBeliefs,
  writeState,
} from './state';
import { Weighing } from './weighing';

/** Draws of one choice are streams of their own: round r of step s uses streams from s * models + r * 2^44. */
const ROUND_STREAMS = 2 ** 44;
/** More draws than a target's choice takes in a round: 2^22 domains x models. */
const STREAMS_A_TARGET = 2 ** 22;
const QUALITY = TERMS.indexOf('quality');
const TEMPERATURE = schedules.exponential({ start: 0.2, end: 0.02, steps: 300 });
const SPREAD = schedules.exponential({ start: 1.5, end: 0.1, steps: 2000 });

/**
 * Chooses among models by statistical mechanics and learns from outcomes.
 *
 * Cost, latency and learnt quality give each model an energy; a temperature turns energies into a distribution that a model is
 * drawn from; each outcome updates a Beta posterior of that model in that domain.
 *
 * @throws InvalidArgumentError from every method, with `field`, for arguments outside their documented range.
 */
export class Consensus {
  readonly #names: readonly string[];
  readonly #pool: Pool;
  readonly #models: readonly ResolvedModel[];
  readonly #energy: Energy;
  readonly #annealing: Annealing;
  readonly #selection: Selection;
  readonly #seed: number;
  readonly #device: NativeDevice | undefined;
  readonly #beliefs: Beliefs;
  readonly #requests: RequestBelief;
  readonly #latencies: readonly LatencyBelief[];
  readonly #target: QualityTarget | undefined;
  /** Tokens billed in this period, by model. */
  readonly #billed: Float64Array;
  #step = 0;
  readonly #relaxation: Relaxation;
  readonly #reinforcement: Reinforcement;
  #saving: Promise<void> = Promise.resolve();

  readonly #weighing: Weighing;
  readonly #probabilities: Float64Array;
  readonly #temperature = new Float64Array(1);
  readonly #readings = new Float64Array(READING.count);
  readonly #choice = new Int32Array(1);

  constructor(options: ConsensusOptions) {
    objectIn(options, 'options');
    const target = resolveTarget(options.target);
    const { models, energy = {}, selection = target ? 'thompson' : 'boltzmann' } = options;
    if (!Array.isArray(models) || models.length < 1 || models.length > 65536)
      refuse(
        'models',
        `models is ${Array.isArray(models) ? `an array of ${models.length}` : shown(models)}; 1 to 65536 are needed.`,
      );
    objectIn(energy, 'energy');
    const tokens = resolveTokensOption(energy);
    this.#models = models.map((given, i) => resolveModel(given, i, tokens));
    this.#names = this.#models.map((m) => m.name);
    this.#pool = new Pool(this.#names);
    this.#energy = new Energy(resolveEnergy(energy, this.#models, tokens), this.#models);
    this.#selection = choiceIn(selection, 'selection', SELECTIONS);
    if (target && selection !== 'thompson')
      refuse('selection', `selection is ${shown(selection)}; with a target it must be 'thompson', the default there.`);
    this.#seed = numberIn(options.seed ?? 0, 'seed', { min: 0, max: SEED_MAX, integer: true });
    const device = parseDevice(options.device);
    this.#device = device.kind === 2 ? device : undefined;
    this.#annealing = new Annealing(toSchedule(options.schedule ?? (target ? SPREAD : TEMPERATURE)), this.#seed);
    const count = this.#models.length;
    this.#beliefs = new Beliefs(count, resolveLearning(options.learning));
    this.#requests = new RequestBelief(count, this.#beliefs.learning);
    this.#target = target && new QualityTarget(target, this.#beliefs, this.#requests);
    this.#latencies = this.#models.map((m) => new LatencyBelief(m.latency));
    this.#billed = new Float64Array(count);
    this.#weighing = new Weighing(
      this.#pool,
      this.#energy,
      this.#beliefs,
      this.#requests,
      this.#latencies,
      this.#billed,
    );
    this.#probabilities = new Float64Array(count);
    this.#relaxation = new Relaxation(count);
    this.#reinforcement = new Reinforcement(this.#energy, this.#beliefs.learning.weights.rate);
  }

  /** The models' names, in the order given. */
  get models(): readonly string[] {
    return this.#names;
  }

  /** How many choices were made. */
  get step(): number {
    return this.#step;
  }

  /** The weights of the energy: as given, or as learnt since. */
  get weights(): Readonly<Record<Term, number>> {
    return { ...this.#energy.weights };
  }

  /** Sum of the choices' finite entropy productions, in nats. */
  get entropyProduction(): number {
    return this.#relaxation.total;
  }

  /** Chooses a model. The choice is a function of the options, the seed, and all calls made before. */
  choose(context: ChooseContext = {}): Decision {
    const demand = this.#weighing.believe(context);
    if (this.#target) this.#aim(this.#target, demand, context);
    else if (this.#selection === 'thompson' || this.#selection === 'top-two') this.#draw(0);
    this.#weighing.weigh(demand, context);
    if (this.#selection === 'top-two') this.#challenge(demand, context);

    const temperature = this.#selection === 'boltzmann' ? this.#annealing.temperature(this.#step) : 0;
    this.#temperature[0] = temperature;
    addon.boltzmann(
      this.#weighing.energies,
      this.#temperature,
      this.#seed,
      this.#step,
      this.#device,
      this.#probabilities,
      this.#readings,
      this.#choice,
    );
    const count = this.#names.length;
    const block = this.#weighing.block;
    for (let i = 0; i < count; i++) {
      block[COLUMN.energy * count + i] = this.#weighing.energies[i]!;
      block[COLUMN.probability * count + i] = this.#probabilities[i]!;
    }
    const decision = new Decision(
      this.#step,
      this.#choice[0]!,
      context.domain === undefined ? undefined : domainKey(context.domain),
      this.#selection,
      temperature,
      this.#readings,
      this.#relaxation.relax(this.#probabilities, this.#weighing.energies),
      this.#names,
      block.slice(),
      this.#target !== undefined,
      this.#weighing.regressors,
    );
    if (this.#selection === 'boltzmann')
      this.#annealing.advance({
        step: this.#step,
        temperature,
        energies: this.#weighing.energies,
        probabilities: this.#probabilities,
        chosen: this.#choice[0]!,
        entropy: this.#readings[READING.entropy]!,
        meanEnergy: this.#readings[READING.meanEnergy]!,
      });
    this.#step++;
    return decision;
  }

  /**
   * Chooses models for many queries at once: the routing of least total energy within constraints that bind the batch as
   * a whole, with a proven bound. Energies are those of `choose`, with means (or, with Thompson and top-two selection, one draw
   * a query) as qualities; deadlines are constraints and no part of them, and the temperature plays none. Counts as one choice a
   * query.
   *
   * @throws InfeasibleError (an InvalidArgumentError) naming an irreducible set of constraints in conflict;
   *   LimitExceededError when no routing was found in the time and none is excluded.
   */
  async chooseBatch(
    contexts: readonly BatchContext[],
    constraints: BatchConstraints = {},
    options: BatchRoutingOptions = {},
  ): Promise<BatchRouting> {
    if (!Array.isArray(contexts) || contexts.length < 1 || contexts.length > 2 ** 20)
      refuse('contexts', `contexts is ${shown(contexts)}; it must be an array of 1 to 2^20 contexts.`);
    objectIn(constraints, 'constraints');
    objectIn(options, 'options');
    const count = this.#names.length;
    const queries = contexts.length;
    const matrix = () => new Float64Array(count * queries);
    const batch = {
      models: this.#names,
      latencies: this.#latencies.map((l) => l.typical),
      queries,
      energies: matrix(),
      costs: matrix(),
      qualities: matrix(),
      tokens: new Float64Array(queries),
      deadlines: new Float64Array(queries),
    };
    const range = { min: 0, infinite: true };
    const deadline = numberIn(constraints.deadline ?? Number.POSITIVE_INFINITY, 'deadline', range);
    const decisions: BatchRouting['decisions'] = [];
    const step = this.#step;
    try {
      for (const [j, given] of (contexts as readonly BatchContext[]).entries()) {
        const { deadline: own = deadline, ...context } = objectIn(given, `contexts[${j}]`) as BatchContext;
        const demand = this.#weighing.believe(context, `contexts[${j}].`);
        if (this.#selection === 'thompson' || this.#selection === 'top-two') this.#draw(0);
        this.#weighing.weigh(demand, context);
        for (let i = 0; i < count; i++) {
          batch.energies[i * queries + j] = this.#weighing.energies[i]!;
          batch.costs[i * queries + j] = this.#weighing.block[COLUMN.cost * count + i]!;
          batch.qualities[i * queries + j] = this.#weighing.block[COLUMN.quality * count + i]!;
        }
        batch.tokens[j] = demand.tokens ? demand.tokens.input + demand.tokens.output : 0;
        batch.deadlines[j] = own >= 0 ? own : numberIn(own, `contexts[${j}].deadline`, range);
        decisions.push({ model: '', domain: context.domain === undefined ? undefined : domainKey(context.domain) });
        this.#step++;
      }
      const routing = await routeBatch(batch, constraints, { ...options, seed: this.#seed });
      for (let j = 0; j < queries; j++) decisions[j]!.model = this.#names[routing.assignment[j]!]!;
      return { decisions, ...routing };
    } catch (error) {
      // A refused batch made no choices, unless others were made meanwhile.
      if (this.#step === step + decisions.length) this.#step = step;
      throw error;
    }
  }

  /**
   * Which models to ask together, and how their votes weigh: the set whose weighted majority is worth most for its cost, by the
   * posteriors' means. Draws nothing and does not count as a choice.
   *
   * @param options.maxModels most members, 1 to 15; default 3.
   */
  chooseEnsemble(context: ChooseContext = {}, options: { maxModels?: number } = {}): Ensemble {
    const most = numberIn(objectIn(options, 'options').maxModels ?? 3, 'maxModels', { min: 1, max: 15, integer: true });
    const demand = this.#weighing.believe(context);
    this.#weighing.weigh(demand, context);
    const worth = this.#energy.weights.quality;
    const candidates = this.#names.flatMap((model, i) => {
      const energy = this.#weighing.energies[i]!;
      if (energy === Number.POSITIVE_INFINITY) return [];
      const quality = this.#weighing.quality[i]!;
      return [{ model, quality, cost: energy + worth * quality }];
    });
    const domain = context.domain === undefined ? undefined : domainKey(context.domain);
    return new Ensemble(bestSubset(candidates, most, worth), domain);
  }

  /**
   * Learns one outcome. Outcomes may come late, in any order, or never, and may tell only some of what happened.
   *
   * @returns with `learning.changeDetection`, the change of the model's success rate that this outcome made plain.
   */
  observe(outcome: Outcome): Change | undefined {
    objectIn(outcome, 'outcome');
    const { decision, success, latency, tokens, utility } = outcome;
    if (decision !== undefined) objectIn(decision, 'decision');
    const model = this.#pool.indexOf(decision ? decision.model : outcome.model, 'model');
    const domain = domainKey(decision ? decision.domain : outcome.domain);
    if (success === undefined && latency === undefined && tokens === undefined && utility === undefined)
      refuse('success', 'the outcome says nothing: give success, latency, tokens or utility.');
    const regressors = decision instanceof Decision ? decision.regressors : this.#requests.regressors(outcome);
    // Everything is checked before anything is learnt.
    const value =
      success === undefined || typeof success === 'boolean'
        ? success
        : numberIn(success, 'success', { min: 0, max: 1 });
    if (latency !== undefined) numberIn(latency, 'latency', { min: 0, above: true });
    const billed = tokens === undefined ? undefined : resolveTokens(tokens, 'tokens');
    if (utility !== undefined) {
      numberIn(utility, 'utility');
      if (!(decision instanceof Decision)) refuse('decision', 'utility needs the decision that choose returned.');
    }

    if (latency !== undefined) this.#latencies[model]!.observe(latency);
    if (billed) this.#billed[model]! += billed.input + billed.output;
    if (utility !== undefined) this.#reinforcement.observe(decision as Decision, model, utility);
    if (value === undefined) return undefined;
    if (regressors) this.#requests.learn(model, regressors, Number(value) - this.#beliefs.rate(model, domain));
    const change = this.#beliefs.observe(model, domain, Number(value));
    if (change) this.#requests.belief?.forgetAllBut(model, change.age);
    return change;
  }

  /** Begins a new billing period: volumes count from 0. */
  resetBilling(): void {
    this.#billed.fill(0);
  }

  /** A decision in words: the readings, and every term of every model's energy. */
  explain(decision: Decision): string {
    if (!(decision instanceof Decision)) refuse('decision', 'explain expects what choose returned.');
    return describeDecision(decision);
  }

  /** What is believed of a model's success in a domain: prior, its outcomes there, and what other domains lend. */
  posterior(model: string, domain?: string | number): Posterior {
    const { alpha, beta } = this.#beliefs.posterior(this.#pool.indexOf(model, 'model'), domainKey(domain));
    return betaPosterior(alpha, beta, this.#device);
  }

  /**
   * Saves options and everything learnt, as of this call. The file is replaced as a whole: a crash at any moment leaves
   * the old or the new one.
   *
   * @throws IoError
   */
  async save(path: string): Promise<void> {
    const { kind, options } = this.#annealing.schedule;
    const { tokens, costNormaliser, weights } = this.#energy;
    const state: SavedState = {
      models: this.#models.map(({ name, cost, price, latency, contextLength }) => ({
        name,
        cost: price ?? cost,
        latency,
        ...(Number.isFinite(contextLength) && { contextLength }),
      })),
      energy: { ...numbersToJson(weights), tokens, costNormaliser },
      learning: this.#beliefs.learning,
      selection: this.#selection,
      seed: this.#seed,
      schedule: { kind, options: numbersToJson(options) },
      step: this.#step,
      heat: encodeHeat(this.#annealing.state),
      beliefs: savedBeliefs(this.#beliefs),
      latencies: this.#latencies.map((l) => l.state),
      billed: [...this.#billed],
      utilities: this.#reinforcement.utilities,
      previous: this.#relaxation.previous,
      entropyProduction: this.#relaxation.total,
      ...(this.#target && { target: this.#target.target, requests: this.#target.saved() }),
      ...(this.#requests.belief && { context: this.#requests.toJSON()! }),
    };
    // Later saves of this object wait for earlier ones, so that the last one called is the one that stays.
    const write = this.#saving.then(() => writeState(path, state));
    this.#saving = write.catch(() => undefined);
    await write;
  }

  /**
   * Loads what `save` wrote. The choices that follow are those that would have followed there.
   *
   * @param overrides.schedule needed when the saved schedule was user-defined.
   * @throws NotFoundError, IoError, InvalidFormatError (truncated, altered or foreign file), UnsupportedError (written
   *   by a later version).
   */
  static async load(path: string, overrides: Pick<ConsensusOptions, 'schedule' | 'device'> = {}): Promise<Consensus> {
    objectIn(overrides, 'overrides');
    const state = await readState(path);
    try {
      const { kind, options } = state.schedule;
      const schedule = overrides.schedule ?? restoreSchedule(kind, numbersFromJson(options));
      if (!schedule)
        refuse('schedule', `${path} was saved with a '${kind}' schedule, which is a function; pass it to load again.`);
      const { models, learning, selection, seed } = state;
      const energy = numbersFromJson(state.energy);
      const device = overrides.device === undefined ? {} : { device: overrides.device };
      const target = state.target && { target: state.target };
      const consensus = new Consensus({ models, energy, learning, selection, seed, schedule, ...target, ...device });
      consensus.#restore(state);
      return consensus;
    } catch (error) {
      const ours = error instanceof InvalidArgumentError && error.field !== 'schedule' && error.field !== 'device';
      if (!ours) throw error;
      throw new InvalidFormatError(`${path} holds an impossible state: ${error.message}`, {
        cause: error,
        ...(error.field === undefined ? {} : { field: error.field }),
      });
    }
  }

  #restore(state: SavedState): void {
    this.#step = numberIn(state.step, 'step', { min: 0, integer: true });
    this.#annealing.state = decodeHeat(state.heat, this.#annealing.schedule.initial);
    restoreBeliefs(this.#beliefs, state.beliefs);
    this.#requests.restore(state.context);
    this.#target?.restore(state.requests ?? []);
    const column = (values: readonly unknown[], field: string) => {
      if (values.length !== this.#names.length)
        refuse(field, `${field} has ${values.length} entries for ${this.#names.length} models.`);
      return values;
    };
    column(state.latencies, 'latencies').forEach((given, i) => {
      this.#latencies[i]!.restore(given);
    });
    column(state.billed, 'billed').forEach((v, i) => {
      this.#billed[i] = numberIn(v, `billed[${i}]`, { min: 0 });
    });
    this.#reinforcement.restore(state.utilities);
    this.#relaxation.restore(state.previous && column(state.previous, 'previous'), state.entropyProduction);
  }

  /** Puts a draw of every posterior in place of its mean. */
  #draw(round: number): void {
    const stream = this.#step * this.#names.length + round * ROUND_STREAMS;
    addon.betaSample(
      this.#weighing.alpha,
      this.#weighing.beta,
      this.#seed,
      stream,
      this.#device,
      this.#weighing.quality,
    );
  }

  /** Puts a draw in place of the means, and as the weight of quality the price at which such qualities meet the target. */
  #aim(target: QualityTarget, demand: Demand, context: ChooseContext): void {
    const count = this.#names.length;
    const block = this.#weighing.block;
    const spread = this.#annealing.temperature(this.#step);
    this.#weighing.weigh(demand, context);
    const others = Array.from(this.#weighing.energies, (energy, i) =>
      energy < Number.POSITIVE_INFINITY ? energy - block[(COLUMN.terms + QUALITY) * count + i]! : energy,
    );
    const column = (at: number) => block.slice(at * count, (at + 1) * count);
    target.remember({
      domain: domainKey(context.domain),
      others,
      ...(this.#weighing.regressors && { regressors: this.#weighing.regressors }),
      ...(context.quality !== undefined && {
        external: { successes: column(COLUMN.externalSuccesses), failures: column(COLUMN.externalFailures) },
      }),
    });
    const chance: Chance = {
      beta: (alpha, beta, round, out) => {
        const stream = this.#step * STREAMS_A_TARGET + round * ROUND_STREAMS;
        addon.betaSample(alpha, beta, this.#seed, stream, this.#device, out);
      },
      normal: (numbers) => normals(this.#seed, this.#step * numbers),
      uniform: scrambled(this.#seed, this.#step),
    };
    this.#energy.weights.quality = target.solve(chance, spread, this.#weighing.quality);
  }

  /** Top-two: every other time, draws again until another model wins. */
  #challenge(demand: Demand, context: ChooseContext): void {
    if (this.#step % 2 === 0) return;
    const leader = lowest(this.#weighing.energies);
    for (let round = 1; round <= CHALLENGES_MAX; round++) {
      this.#draw(round);
      this.#weighing.weigh(demand, context);
      if (lowest(this.#weighing.energies) !== leader) return;
    }
  }
}

function lowest(energies: Float64Array): number {
  let at = 0;
  for (let i = 1; i < energies.length; i++) if (energies[i]! < energies[at]!) at = i;
  return at;
}
