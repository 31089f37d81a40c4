import { InvalidArgumentError, InvalidFormatError } from '@x/cuda-core';
import { type NativeDevice, numberIn, objectIn, parseDevice, refuse, SEED_MAX, shown } from '@x/cuda-core/addon';
import {
  type BatchConstraints,
  type BatchContext,
  type BatchRouting,
  type BatchRoutingOptions,
  routeBatch,
} from './batch-routing';
import { Beliefs, estimateStrength, type Lent, resolveLearning } from './beliefs';
import type { Change } from './change-detector';
import { COLUMN, COLUMNS, Decision, describeDecision, type Selection } from './decision';
import {
  type Demand,
  Energy,
  type ResolvedModel,
  resolveEnergy,
  resolveModel,
  resolveTokensOption,
  type Term,
} from './energy';
import { bestSubset, Ensemble } from './ensemble';
import { LatencyBelief } from './latency';
import { addon, READING } from './native';
import type { ChooseContext, ConsensusOptions, Outcome, Posterior } from './options';
import { resolveTokens } from './pricing';
import { restoreSchedule, type Schedule, type ScheduleState, schedules, toSchedule } from './schedules';
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

const NO_DOMAIN = '';
/** Draws after which top-two gives up looking for a draw that another model wins. */
const CHALLENGES_MAX = 32;
/** Draws of one choice are streams of their own: round r of step s uses streams from s * models + r * 2^44. */
const ROUND_STREAMS = 2 ** 44;

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
  readonly #index = new Map<string, number>();
  readonly #models: readonly ResolvedModel[];
  readonly #energy: Energy;
  readonly #schedule: Schedule;
  readonly #selection: Selection;
  readonly #seed: number;
  readonly #device: NativeDevice | undefined;
  readonly #beliefs: Beliefs;
  readonly #latencies: readonly LatencyBelief[];
  /** Tokens billed in this period, by model. */
  readonly #billed: Float64Array;
  #step = 0;
  #heat: ScheduleState;
  #utilities = { count: 0, mean: 0 };
  #entropyProduction = 0;
  #saving: Promise<void> = Promise.resolve();

  // Scratch of one choice: a block of columns (see decision.ts), and what native calls read and write. The block is a
  // plain array because copying one costs a tenth of copying a typed array, which needs memory outside the heap.
  readonly #block: number[];
  readonly #alpha: Float64Array;
  readonly #beta: Float64Array;
  readonly #quality: Float64Array;
  readonly #energies: Float64Array;
  readonly #probabilities: Float64Array;
  readonly #previous: Float64Array;
  readonly #temperature = new Float64Array(1);
  readonly #readings = new Float64Array(READING.count);
  readonly #choice = new Int32Array(1);
  readonly #scales: Float64Array;
  readonly #lent: Lent = { successes: 0, failures: 0 };

  constructor(options: ConsensusOptions) {
    objectIn(options, 'options');
    const { models, energy = {}, selection = 'boltzmann' } = options;
    if (!Array.isArray(models) || models.length < 1 || models.length > 65536)
      refuse(
        'models',
        `models is ${Array.isArray(models) ? `an array of ${models.length}` : shown(models)}; 1 to 65536 are needed.`,
      );
    objectIn(energy, 'energy');
    const tokens = resolveTokensOption(energy);
    this.#models = models.map((given, i) => {
      const model = resolveModel(given, i, tokens);
      if (this.#index.has(model.name)) refuse(`models[${i}].name`, `there are two models called ${shown(model.name)}.`);
      this.#index.set(model.name, i);
      return model;
    });
    this.#names = this.#models.map((m) => m.name);
    this.#energy = new Energy(resolveEnergy(energy, this.#models, tokens), this.#models);
    if (!SELECTIONS.includes(selection))
      refuse('selection', `selection is ${shown(selection)}; it must be one of ${SELECTIONS.map(shown).join(', ')}.`);
    this.#selection = selection;
    this.#seed = numberIn(options.seed ?? 0, 'seed', { min: 0, max: SEED_MAX, integer: true });
    const device = parseDevice(options.device);
    this.#device = device.kind === 2 ? device : undefined;
    this.#schedule = toSchedule(options.schedule ?? schedules.exponential({ start: 0.2, end: 0.02, steps: 300 }));
    this.#heat = this.#schedule.initial;
    const count = this.#models.length;
    this.#beliefs = new Beliefs(count, resolveLearning(options.learning));
    this.#latencies = this.#models.map((m) => new LatencyBelief(m.latency));
    this.#billed = new Float64Array(count);

    this.#block = Array.from({ length: COLUMNS * count }, () => 0);
    this.#alpha = new Float64Array(count);
    this.#beta = new Float64Array(count);
    this.#quality = new Float64Array(count);
    this.#energies = new Float64Array(count);
    this.#probabilities = new Float64Array(count);
    this.#previous = new Float64Array(count).fill(Number.NaN);
    this.#scales = new Float64Array(count);
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
    return this.#entropyProduction;
  }

  /** Chooses a model. The choice is a function of the options, the seed, and all calls made before. */
  choose(context: ChooseContext = {}): Decision {
    const demand = this.#believe(context);
    if (this.#selection === 'thompson' || this.#selection === 'top-two') this.#draw(0);
    this.#weigh(demand, context);
    if (this.#selection === 'top-two') this.#challenge(demand, context);

    const temperature = this.#selection === 'boltzmann' ? this.#scheduled() : 0;
    this.#temperature[0] = temperature;
    addon.boltzmann(
      this.#energies,
      this.#temperature,
      this.#seed,
      this.#step,
      this.#device,
      this.#probabilities,
      this.#readings,
      this.#choice,
    );
    const count = this.#names.length;
    const block = this.#block;
    for (let i = 0; i < count; i++) {
      block[COLUMN.energy * count + i] = this.#energies[i]!;
      block[COLUMN.probability * count + i] = this.#probabilities[i]!;
    }
    const decision = new Decision(
      this.#step,
      this.#choice[0]!,
      context.domain === undefined ? undefined : domainKey(context.domain),
      this.#selection,
      temperature,
      this.#readings,
      this.#relax(),
      this.#names,
      block.slice(),
    );
    if (this.#schedule.advance && this.#selection === 'boltzmann') this.#adapt();
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
        const demand = this.#believe(context, `contexts[${j}].`);
        if (this.#selection === 'thompson' || this.#selection === 'top-two') this.#draw(0);
        this.#weigh(demand, context);
        for (let i = 0; i < count; i++) {
          batch.energies[i * queries + j] = this.#energies[i]!;
          batch.costs[i * queries + j] = this.#block[COLUMN.cost * count + i]!;
          batch.qualities[i * queries + j] = this.#block[COLUMN.quality * count + i]!;
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
    const demand = this.#believe(context);
    this.#weigh(demand, context);
    const worth = this.#energy.weights.quality;
    const candidates = this.#names.flatMap((model, i) => {
      const energy = this.#energies[i]!;
      if (energy === Number.POSITIVE_INFINITY) return [];
      const quality = this.#quality[i]!;
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
    const model = this.#modelIndex(decision ? decision.model : outcome.model, 'model');
    const domain = domainKey(decision ? decision.domain : outcome.domain);
    if (success === undefined && latency === undefined && tokens === undefined && utility === undefined)
      refuse('success', 'the outcome says nothing: give success, latency, tokens or utility.');
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
    if (utility !== undefined) this.#reinforce(decision as Decision, model, utility);
    return value === undefined ? undefined : this.#beliefs.observe(model, domain, Number(value));
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
    const i = this.#modelIndex(model, 'model');
    const own = this.#beliefs.of(domainKey(domain));
    const lent = { successes: 0, failures: 0 };
    this.#beliefs.lent(i, own, lent);
    const { prior } = this.#beliefs.learning;
    const alpha = prior.alpha + own.successes[i]! + lent.successes;
    const beta = prior.beta + own.failures[i]! + lent.failures;
    const n = alpha + beta;
    const device = this.#device;
    return {
      alpha,
      beta,
      mean: alpha / n,
      deviation: Math.sqrt(((alpha / n) * (beta / n)) / (n + 1)),
      interval(level = 0.95) {
        numberIn(level, 'level');
        const [mean, variance, lower, upper] = Array.from({ length: 4 }, () => new Float64Array(1));
        addon.betaSummary(
          Float64Array.of(alpha),
          Float64Array.of(beta),
          level,
          device,
          mean!,
          variance!,
          lower!,
          upper!,
        );
        return [lower![0]!, upper![0]!];
      },
    };
  }

  /**
   * Saves options and everything learnt, as of this call. The file is replaced as a whole: a crash at any moment leaves
   * the old or the new one.
   *
   * @throws IoError
   */
  async save(path: string): Promise<void> {
    const { kind, options } = this.#schedule;
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
      heat: encodeHeat(this.#heat),
      beliefs: savedBeliefs(this.#beliefs),
      latencies: this.#latencies.map((l) => l.state),
      billed: [...this.#billed],
      utilities: { ...this.#utilities },
      previous: Number.isNaN(this.#previous[0]) ? null : [...this.#previous],
      entropyProduction: this.#entropyProduction,
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
      const consensus = new Consensus({ models, energy, learning, selection, seed, schedule, ...device });
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
    this.#heat = decodeHeat(state.heat, this.#schedule.initial);
    restoreBeliefs(this.#beliefs, state.beliefs);
    const column = (values: readonly unknown[], field: string) => {
      if (values.length !== this.#names.length)
        refuse(field, `${field} has ${values.length} entries for ${this.#names.length} models.`);
      return values;
    };
    column(state.latencies, 'latencies').forEach((given, i) => {
      const { mean, kappa, alpha, beta } = objectIn(given, `latencies[${i}]`);
      this.#latencies[i]!.restore({
        mean: numberIn(mean, 'latencies.mean'),
        kappa: numberIn(kappa, 'latencies.kappa', { min: 0 }),
        alpha: numberIn(alpha, 'latencies.alpha', { min: 1, above: true }),
        beta: numberIn(beta, 'latencies.beta', { min: 0, above: true }),
      });
    });
    column(state.billed, 'billed').forEach((v, i) => {
      this.#billed[i] = numberIn(v, `billed[${i}]`, { min: 0 });
    });
    this.#utilities = {
      count: numberIn(state.utilities.count, 'utilities.count', { min: 0, integer: true }),
      mean: numberIn(state.utilities.mean, 'utilities.mean'),
    };
    if (state.previous)
      column(state.previous, 'previous').forEach((v, i) => {
        this.#previous[i] = numberIn(v, `previous[${i}]`, { min: 0, max: 1 });
      });
    this.#entropyProduction = numberIn(state.entropyProduction, 'entropyProduction', { min: 0 });
  }

  #modelIndex(name: unknown, field: string): number {
    const index = this.#index.get(name as string);
    if (index === undefined)
      return refuse(
        field,
        `there is no model called ${shown(name)}; the models are ${this.#names.slice(0, 20).map(shown).join(', ')}.`,
      );
    return index;
  }

  /** Posteriors of all models for this context, and their means as qualities. */
  #believe(context: ChooseContext, where = ''): Demand {
    objectIn(context, 'context');
    const domain = domainKey(context.domain);
    const count = this.#names.length;
    const block = this.#block;
    const { prior } = this.#beliefs.learning;
    block.fill(0, COLUMN.externalSuccesses * count, (COLUMN.externalFailures + 1) * count);
    if (context.quality !== undefined) this.#addEstimates(context.quality);
    const own = this.#beliefs.of(domain);
    const lent = this.#lent;
    for (let i = 0; i < count; i++) {
      this.#beliefs.lent(i, own, lent);
      const s = own.successes[i]!;
      const f = own.failures[i]!;
      const alpha = prior.alpha + s + lent.successes + block[COLUMN.externalSuccesses * count + i]!;
      const beta = prior.beta + f + lent.failures + block[COLUMN.externalFailures * count + i]!;
      const n = alpha + beta;
      const spread = (alpha / n) * (beta / n);
      this.#alpha[i] = alpha;
      this.#beta[i] = beta;
      this.#quality[i] = alpha / n;
      block[COLUMN.alpha * count + i] = alpha;
      block[COLUMN.beta * count + i] = beta;
      block[COLUMN.ownSuccesses * count + i] = s;
      block[COLUMN.ownFailures * count + i] = f;
      block[COLUMN.lentSuccesses * count + i] = lent.successes;
      block[COLUMN.lentFailures * count + i] = lent.failures;
      block[COLUMN.epistemic * count + i] = Math.sqrt(spread / (n + 1));
      block[COLUMN.aleatoric * count + i] = Math.sqrt(spread);
    }
    return {
      tokens:
        context.tokens === undefined
          ? undefined
          : resolveTokens(context.tokens, `${where}tokens`, this.#energy.tokens.output),
      deadline: context.deadline === undefined ? undefined : numberIn(context.deadline, 'deadline', { min: 0 }),
    };
  }

  /** Puts a draw of every posterior in place of its mean. */
  #draw(round: number): void {
    const stream = this.#step * this.#names.length + round * ROUND_STREAMS;
    addon.betaSample(this.#alpha, this.#beta, this.#seed, stream, this.#device, this.#quality);
  }

  /** Energies of all models, by the qualities at hand. */
  #weigh(demand: Demand, context: ChooseContext): void {
    const count = this.#names.length;
    const block = this.#block;
    const scales = this.#scaleCosts(context.costScale);
    let possible = 0;
    for (let i = 0; i < count; i++) {
      const cost = this.#energy.cost(i, demand, this.#billed[i]!, scales[i]!);
      const belief = {
        quality: this.#quality[i]!,
        epistemic: block[COLUMN.epistemic * count + i]!,
        aleatoric: block[COLUMN.aleatoric * count + i]!,
      };
      const at = COLUMN.terms * count + i;
      this.#energies[i] = this.#energy.terms(i, cost, belief, this.#latencies[i]!, demand, block, at, count);
      if (this.#energies[i]! < Number.POSITIVE_INFINITY) possible++;
      block[COLUMN.cost * count + i] = cost;
      block[COLUMN.quality * count + i] = belief.quality;
    }
    if (possible === 0)
      refuse(
        'tokens',
        'the request is longer than the context of every model; shorten it, or give context a finite weight.',
      );
    if (context.exclude !== undefined) this.#exclude(context.exclude);
  }

  /** Top-two: every other time, draws again until another model wins. */
  #challenge(demand: Demand, context: ChooseContext): void {
    if (this.#step % 2 === 0) return;
    const leader = lowest(this.#energies);
    for (let round = 1; round <= CHALLENGES_MAX; round++) {
      this.#draw(round);
      this.#weigh(demand, context);
      if (lowest(this.#energies) !== leader) return;
    }
  }

  /** Entropy produced between the distribution before and this one, which then becomes the one before. */
  #relax(): number {
    const now = this.#probabilities;
    const before = this.#previous;
    let produced = 0;
    let share = 0; // of the old distribution that is still possible
    if (!Number.isNaN(before[0]))
      for (let i = 0; i < now.length; i++) {
        const p = before[i]!;
        if (p === 0 || this.#energies[i] === Number.POSITIVE_INFINITY) continue;
        share += p;
        produced += p * Math.log(p / now[i]!);
      }
    produced = share > 0 ? Math.max(0, produced / share - Math.log(share)) : 0;
    before.set(now);
    if (produced < Number.POSITIVE_INFINITY) this.#entropyProduction += produced;
    return produced;
  }

  #reinforce(decision: Decision, chosen: number, utility: number): void {
    const { rate } = this.#beliefs.learning.weights;
    const seen = this.#utilities;
    if (rate > 0 && seen.count > 0 && decision.temperature > 0)
      this.#energy.learn(
        rate,
        utility - seen.mean,
        chosen,
        (t, i) => decision.at(COLUMN.terms + t, i),
        (i) => decision.at(COLUMN.probability, i),
      );
    seen.count++;
    seen.mean += (utility - seen.mean) / seen.count;
  }

  #scheduled(): number {
    const temperature = this.#schedule.temperature(this.#step, this.#heat);
    if (typeof temperature !== 'number' || !(temperature >= 0))
      refuse(
        'schedule',
        `the schedule gave the temperature ${shown(temperature)} for step ${this.#step}; it must be 0 or more.`,
      );
    return temperature;
  }

  #adapt(): void {
    let possible = 0;
    let likeliest = 0;
    for (let i = 0; i < this.#energies.length; i++) {
      if (this.#energies[i]! !== Number.POSITIVE_INFINITY) possible++;
      likeliest = Math.max(likeliest, this.#probabilities[i]!);
    }
    if (possible < 2) return; // a forced choice says nothing about the temperature
    this.#heat = this.#schedule.advance!(this.#heat, {
      entropy: this.#readings[READING.entropy]! / Math.log(possible),
      acceptance: 1 - likeliest,
      heatCapacity: this.#heatCapacity(),
      energy: this.#energies[this.#choice[0]!]!,
      step: this.#step,
      uniform: scrambled(this.#seed, this.#step),
    });
  }

  #heatCapacity(): number {
    const temperature = this.#temperature[0]!;
    if (temperature === 0 || temperature === Number.POSITIVE_INFINITY) return 0;
    const mean = this.#readings[READING.meanEnergy]!;
    let variance = 0;
    for (let i = 0; i < this.#energies.length; i++) {
      const p = this.#probabilities[i]!;
      if (p > 0) variance += p * (this.#energies[i]! - mean) ** 2;
    }
    return variance / temperature ** 2;
  }

  #scaleCosts(scale: ChooseContext['costScale']): Float64Array {
    const scales = this.#scales;
    if (scale === undefined || typeof scale === 'number') {
      scales.fill(scale === undefined ? 1 : numberIn(scale, 'costScale', { min: 0 }));
      return scales;
    }
    objectIn(scale, 'costScale');
    scales.fill(1);
    for (const name of Object.keys(scale))
      scales[this.#modelIndex(name, 'costScale')] = numberIn(scale[name], `costScale.${name}`, { min: 0 });
    return scales;
  }

  #addEstimates(estimates: NonNullable<ChooseContext['quality']>): void {
    objectIn(estimates, 'quality');
    const count = this.#names.length;
    const { strength, limit } = this.#beliefs.learning.external;
    for (const name of Object.keys(estimates)) {
      const i = this.#modelIndex(name, 'quality');
      const given = estimates[name]!;
      const bare = typeof given === 'number';
      const mean = bare ? given : objectIn(given, 'quality').mean;
      // The full check builds the field's name, which costs more than the choice: only a wrong value pays for it.
      if (!isProbability(mean)) numberIn(mean, bare ? `quality.${name}` : `quality.${name}.mean`, { min: 0, max: 1 });
      let weight = strength;
      if (!bare) {
        const { uncertainty } = given;
        if (!isProbability(uncertainty)) numberIn(uncertainty, `quality.${name}.uncertainty`, { min: 0 });
        weight = estimateStrength(mean as number, uncertainty, limit);
      }
      this.#block[COLUMN.externalSuccesses * count + i] = weight * (mean as number);
      this.#block[COLUMN.externalFailures * count + i] = weight * (1 - (mean as number));
    }
  }

  #exclude(names: readonly string[]): void {
    if (!Array.isArray(names)) refuse('exclude', `exclude is ${shown(names)}; it must be an array of names.`);
    for (const name of names) this.#energies[this.#modelIndex(name, 'exclude')] = Number.POSITIVE_INFINITY;
    if (this.#energies.every((e) => e === Number.POSITIVE_INFINITY))
      refuse('exclude', 'every model is excluded; at least one must remain.');
  }
}

const SELECTIONS: readonly unknown[] = ['boltzmann', 'thompson', 'top-two', 'greedy'];

/** A number in [0, 1) of a seed and a step: the finaliser of MurmurHash3 (A. Appleby) over both. */
function scrambled(seed: number, step: number): number {
  let h = Math.imul(step + 1, 0x9e3779b1) ^ (seed | 0) ^ Math.floor(seed / 2 ** 32);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return ((h ^ (h >>> 16)) >>> 0) / 2 ** 32;
}

function lowest(energies: Float64Array): number {
  let at = 0;
  for (let i = 1; i < energies.length; i++) if (energies[i]! < energies[at]!) at = i;
  return at;
}

const isProbability = (value: unknown): value is number => typeof value === 'number' && value >= 0 && value <= 1;

function domainKey(domain: unknown): string {
  if (domain === undefined) return NO_DOMAIN;
  if (typeof domain === 'string' && domain !== NO_DOMAIN) return domain;
  if (typeof domain === 'number' && !Number.isNaN(domain)) return String(domain);
  return refuse('domain', `domain is ${shown(domain)}; it must be a number or a string that is not empty.`);
}
