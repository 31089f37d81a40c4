import { InvalidArgumentError, InvalidFormatError } from '@x/cuda-core';
import { type NativeDevice, numberIn, objectIn, parseDevice, refuse, SEED_MAX, shown } from '@x/cuda-core/addon';
import {
  type BatchConstraints,
  type BatchContext,
  type BatchRouting,
  type BatchRoutingOptions,
  routeBatch,
} from './batch-routing';
import { Beliefs, type Counts, estimateStrength, type Lent, resolveLearning } from './beliefs';
import { COLUMN, COLUMNS, Decision, describeDecision, type Selection } from './decision';
import { addon, READING } from './native';
import type { ChooseContext, ConsensusOptions, EnergyOptions, ModelOptions, Outcome, Posterior } from './options';
import { restoreSchedule, type Schedule, schedules, toSchedule } from './schedules';
import { readState, type SavedState, writeState } from './state';

const NO_DOMAIN = '';

/**
 * Chooses among models by statistical mechanics and learns from outcomes.
 *
 * Cost and learnt quality give each model an energy; a temperature turns energies into a distribution that a model is
 * drawn from; each outcome updates a Beta posterior of that model in that domain.
 *
 * @throws InvalidArgumentError from every method, with `field`, for arguments outside their documented range.
 */
export class Consensus {
  readonly #names: readonly string[];
  readonly #index = new Map<string, number>();
  readonly #models: readonly Required<ModelOptions>[];
  readonly #energy: Required<EnergyOptions>;
  readonly #schedule: Schedule;
  readonly #selection: Selection;
  readonly #seed: number;
  readonly #device: NativeDevice | undefined;
  readonly #beliefs: Beliefs;
  readonly #latencyTerm: Float64Array;
  #step = 0;
  #heat: number;
  #saving: Promise<void> = Promise.resolve();

  // Scratch of one choice: a block of columns (see decision.ts), and what native calls read and write. The block is a
  // plain array because copying one costs a tenth of copying a typed array, which needs memory outside the heap.
  readonly #block: number[];
  readonly #alpha: Float64Array;
  readonly #beta: Float64Array;
  readonly #quality: Float64Array;
  readonly #energies: Float64Array;
  readonly #probabilities: Float64Array;
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
    this.#models = models.map((given: ModelOptions, i): Required<ModelOptions> => {
      const model = objectIn(given, `models[${i}]`);
      const name = model.name;
      if (typeof name !== 'string' || name === '')
        return refuse(
          `models[${i}].name`,
          `models[${i}].name is ${shown(name)}; it must be a string that is not empty.`,
        );
      if (this.#index.has(name)) refuse(`models[${i}].name`, `there are two models called ${shown(name)}.`);
      this.#index.set(name, i);
      return {
        name,
        cost: numberIn(model.cost, `models[${i}].cost`, { min: 0 }),
        latency: numberIn(model.latency ?? 0, `models[${i}].latency`, { min: 0 }),
      };
    });
    this.#names = this.#models.map((m) => m.name);
    objectIn(energy, 'energy');
    this.#energy = {
      cost: numberIn(energy.cost ?? 1, 'energy.cost', { min: 0 }),
      quality: numberIn(energy.quality ?? 1, 'energy.quality', { min: 0 }),
      uncertainty: numberIn(energy.uncertainty ?? 0, 'energy.uncertainty'),
      latency: numberIn(energy.latency ?? 0, 'energy.latency', { min: 0 }),
      costNormaliser: numberIn(
        energy.costNormaliser ?? (this.#models.reduce((most, m) => Math.max(most, m.cost), 0) || 1),
        'energy.costNormaliser',
        { min: 0, above: true },
      ),
    };
    if (selection !== 'boltzmann' && selection !== 'thompson' && selection !== 'greedy')
      refuse('selection', `selection is ${shown(selection)}; it must be 'boltzmann', 'thompson' or 'greedy'.`);
    this.#selection = selection;
    this.#seed = numberIn(options.seed ?? 0, 'seed', { min: 0, max: SEED_MAX, integer: true });
    const device = parseDevice(options.device);
    this.#device = device.kind === 2 ? device : undefined;
    this.#schedule = toSchedule(options.schedule ?? schedules.exponential({ start: 0.2, end: 0.02, steps: 300 }));
    this.#heat = this.#schedule.initial;
    const count = this.#models.length;
    this.#beliefs = new Beliefs(count, resolveLearning(options.learning));

    const slowest = this.#models.reduce((most, m) => Math.max(most, m.latency), 0) || 1;
    this.#latencyTerm = Float64Array.from(this.#models, (m) => this.#energy.latency * (m.latency / slowest));
    this.#block = Array.from({ length: COLUMNS * count }, () => 0);
    this.#alpha = new Float64Array(count);
    this.#beta = new Float64Array(count);
    this.#quality = new Float64Array(count);
    this.#energies = new Float64Array(count);
    this.#probabilities = new Float64Array(count);
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

  /** Chooses a model. The choice is a function of the options, the seed, and all calls made before. */
  choose(context: ChooseContext = {}): Decision {
    const domain = this.#weigh(context);
    const count = this.#names.length;
    const block = this.#block;
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
    for (let i = 0; i < count; i++) {
      block[COLUMN.energy * count + i] = this.#energies[i]!;
      block[COLUMN.probability * count + i] = this.#probabilities[i]!;
    }
    const decision = new Decision(
      this.#step,
      this.#choice[0]!,
      context.domain === undefined ? undefined : domain,
      this.#selection,
      temperature,
      this.#readings,
      this.#names,
      block.slice(),
    );
    if (this.#schedule.advance && this.#selection === 'boltzmann') this.#adapt();
    this.#step++;
    return decision;
  }

  /**
   * Chooses models for many queries at once: the routing of least total energy within constraints that bind the batch as
   * a whole, with a proven bound. Energies are those of `choose`, with means (or, with Thompson selection, one draw a
   * query) as qualities; the temperature plays no part. Counts as one choice a query.
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
      latencies: this.#models.map((m) => m.latency),
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
      for (const [j, context] of contexts.entries()) {
        const domain = this.#weigh(context);
        for (let i = 0; i < count; i++) {
          batch.energies[i * queries + j] = this.#energies[i]!;
          batch.costs[i * queries + j] = this.#block[COLUMN.cost * count + i]!;
          batch.qualities[i * queries + j] = this.#block[COLUMN.quality * count + i]!;
        }
        const { tokens = 0, deadline: own = deadline } = context as BatchContext;
        batch.tokens[j] =
          tokens >= 0 && tokens < 1e12 ? tokens : numberIn(tokens, `contexts[${j}].tokens`, { min: 0, max: 1e12 });
        batch.deadlines[j] = own >= 0 ? own : numberIn(own, `contexts[${j}].deadline`, range);
        decisions.push({ model: '', domain: context.domain === undefined ? undefined : domain });
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

  // Fills the block and the energies for a context; returns its domain.
  #weigh(context: ChooseContext): string {
    objectIn(context, 'context');
    const domain = domainKey(context.domain);
    const count = this.#names.length;
    const block = this.#block;
    const { prior } = this.#beliefs.learning;

    const scales = this.#scaleCosts(context.costScale);
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
      this.#alpha[i] = alpha;
      this.#beta[i] = beta;
      this.#quality[i] = alpha / n;
      block[COLUMN.alpha * count + i] = alpha;
      block[COLUMN.beta * count + i] = beta;
      block[COLUMN.ownSuccesses * count + i] = s;
      block[COLUMN.ownFailures * count + i] = f;
      block[COLUMN.lentSuccesses * count + i] = lent.successes;
      block[COLUMN.lentFailures * count + i] = lent.failures;
      block[COLUMN.deviation * count + i] = Math.sqrt(((alpha / n) * (beta / n)) / (n + 1));
    }
    if (this.#selection === 'thompson')
      addon.betaSample(this.#alpha, this.#beta, this.#seed, this.#step * count, this.#device, this.#quality);

    const weight = this.#energy;
    for (let i = 0; i < count; i++) {
      const cost = this.#models[i]!.cost * scales[i]!;
      const quality = this.#quality[i]!;
      const costTerm = weight.cost * (cost / weight.costNormaliser);
      // Subtracted from 0, so that a weight of 0 gives 0 and not -0.
      const qualityTerm = 0 - weight.quality * quality;
      const uncertaintyTerm = 0 - weight.uncertainty * block[COLUMN.deviation * count + i]!;
      const latencyTerm = this.#latencyTerm[i]!;
      const energy = costTerm + qualityTerm + uncertaintyTerm + latencyTerm;
      if (!(Math.abs(energy) <= 1e300))
        refuse(
          'energy',
          `the energy of ${shown(this.#names[i])} is ${energy}; make its cost, costScale or weights smaller.`,
        );
      this.#energies[i] = energy;
      block[COLUMN.cost * count + i] = cost;
      block[COLUMN.quality * count + i] = quality;
      block[COLUMN.energyCost * count + i] = costTerm;
      block[COLUMN.energyQuality * count + i] = qualityTerm;
      block[COLUMN.energyUncertainty * count + i] = uncertaintyTerm;
      block[COLUMN.energyLatency * count + i] = latencyTerm;
    }
    if (context.exclude !== undefined) this.#exclude(context.exclude);
    return domain;
  }

  /** Learns one outcome. Outcomes may come late, in any order, or never. */
  observe(outcome: Outcome): void {
    objectIn(outcome, 'outcome');
    const { decision } = outcome;
    if (decision !== undefined) objectIn(decision, 'decision');
    const model = this.#modelIndex(decision ? decision.model : outcome.model, 'model');
    const domain = domainKey(decision ? decision.domain : outcome.domain);
    const { success } = outcome;
    const value = typeof success === 'boolean' ? Number(success) : numberIn(success, 'success', { min: 0, max: 1 });
    this.#beliefs.observe(model, domain, value);
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
    const state: SavedState = {
      models: this.#models,
      energy: this.#energy,
      learning: this.#beliefs.learning,
      selection: this.#selection,
      seed: this.#seed,
      schedule: { kind, options: encodeNumbers(options) },
      step: this.#step,
      heat: String(this.#heat),
      totals: plain(this.#beliefs.totals),
      domains: [...this.#beliefs.domains].map(([domain, counts]) => [domain, plain(counts)]),
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
      const schedule = overrides.schedule ?? restoreSchedule(kind, decodeNumbers(options));
      if (!schedule)
        refuse('schedule', `${path} was saved with a '${kind}' schedule, which is a function; pass it to load again.`);
      const { models, energy, learning, selection, seed } = state;
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
    this.#heat = numberIn(Number(state.heat), 'heat', { min: 0, infinite: true });
    const count = this.#names.length;
    const totals = countsFrom(state.totals, count, 'totals');
    this.#beliefs.totals.successes.set(totals.successes);
    this.#beliefs.totals.failures.set(totals.failures);
    for (const [domain, counts] of state.domains)
      this.#beliefs.restore(domain, countsFrom(counts, count, `domains[${JSON.stringify(domain)}]`));
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
    const entropy = this.#readings[READING.entropy]! / Math.log(possible);
    this.#heat = this.#schedule.advance!(this.#heat, { entropy, acceptance: 1 - likeliest });
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

const isProbability = (value: unknown): value is number => typeof value === 'number' && value >= 0 && value <= 1;

function domainKey(domain: unknown): string {
  if (domain === undefined) return NO_DOMAIN;
  if (typeof domain === 'string' && domain !== NO_DOMAIN) return domain;
  if (typeof domain === 'number' && !Number.isNaN(domain)) return String(domain);
  return refuse('domain', `domain is ${shown(domain)}; it must be a number or a string that is not empty.`);
}

const plain = (counts: Counts) => ({ successes: [...counts.successes], failures: [...counts.failures] });

function countsFrom(saved: { successes: number[]; failures: number[] }, models: number, field: string): Counts {
  const column = (values: number[], name: string) => {
    if (values.length !== models)
      refuse(`${field}.${name}`, `${field}.${name} has ${values.length} entries for ${models} models.`);
    return Float64Array.from(values, (v, i) => numberIn(v, `${field}.${name}[${i}]`, { min: 0, max: 9e8 }));
  };
  return { successes: column(saved.successes, 'successes'), failures: column(saved.failures, 'failures') };
}

// JSON has no Infinity, which a constant schedule may hold.
const encodeNumbers = (options: Readonly<Record<string, number | string>>) =>
  Object.fromEntries(Object.entries(options).map(([k, v]) => [k, v === Number.POSITIVE_INFINITY ? 'Infinity' : v]));
const decodeNumbers = (options: Record<string, unknown>) =>
  Object.fromEntries(Object.entries(options).map(([k, v]) => [k, v === 'Infinity' ? Number.POSITIVE_INFINITY : v]));
