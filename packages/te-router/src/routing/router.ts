import { InvalidArgumentError } from '@x/cuda-core';
import { numberIn, objectIn, refuse, shown, signalIn } from '@x/cuda-core/addon';
import type { FitOptions, ModelEstimate, Outcome, Query, RouteDecision, TrainingRow } from './decision';
import { Domains } from './domains';
import { DriftDetector, type DriftEvent } from './drift';
import { explain, reasonsOf } from './explain';
import { FEATURE_NAMES } from './feature-names';
import { mix, type QueryTokenizer, readText } from './features';
import { type FeatureInfluence, type FeatureInfluenceOptions, featureInfluence } from './influence';
import { Journal, type LoggedRow, Pending, type Reading, type Ticket } from './journal';
import { type CheckedOptions, checkOptions, type QueryRouterOptions, type RoutedModel } from './options';
import { OutcomeRecord } from './outcome-record';
import {
  choose,
  costScale,
  DEFAULT_LAMBDA,
  type Policy,
  type PolicyRows,
  policyIn,
  type TunedPolicy,
  tune,
} from './policy';
import { normalQuantile, type Probit } from './quality';
import { type ReadRow, readQuery, readRow } from './reading';
import { dueAt, finish, PassingFit, policyRows, slicesOf } from './refitting';
import { interval, offsetOf, SecondLayer } from './second-layer';
import { loadState, type RouterState, saveState } from './state';
import { type FitResult, fitTextModel } from './text-model/fit';
import { PARTS, TextModel } from './text-model/text-model';

/** Outcomes of a model before its drift is watched. */
const WARM_UP = 50;
/**
 * Learns, from the outcomes of questions, how good each model is at what kind of question. Reads structure and n-grams, not
 * keywords; finds domains and difficulty by itself; says how sure it is. Deterministic: the same calls give the same
 * numbers.
 *
 * Two layers. A text model, fitted to many outcomes at once (`fit`, or in passing): ridge regression on hashed n-grams,
 * topic and structure. On top of it, learning with every outcome, a Bayesian probit regression a model (full covariance,
 * assumed-density filtering) on the features of the text, one random effect a domain, and one slope a domain for how large
 * the question is within it. Before the first fit the second layer stands alone.
 *
 * @example
 * const router = new QueryRouter({ models: [{ name: 'small', cost: 1 }, { name: 'large', cost: 20 }] });
 * await router.fit(log.map(({ text, small, large }) => ({ query: text, quality: { small, large } })));
 * const decision = router.route('What is 46 + 17?');
 * router.observe({ decision, model: decision.choice, quality: 1 });
 */
export class QueryRouter {
  /** Names of `decision.features`, in order. */
  static readonly featureNames: readonly string[] = FEATURE_NAMES;

  readonly models: readonly Required<RoutedModel>[];
  private readonly options: CheckedOptions;
  private readonly tokenizer: QueryTokenizer | undefined;
  private readonly second: SecondLayer;
  /** Of the question being routed. */
  private readonly expected: Float64Array;
  private readonly costs: Float64Array;
  /** Half the width of the intervals, in standard deviations. */
  private readonly tail: number;
  private readonly indexOf: Map<string, number>;
  private readonly domains: Domains;
  private quality: Probit[];
  private readonly tickets = new WeakMap<RouteDecision, Ticket>();
  private readonly pending: Pending;
  private readonly journal: Journal;
  private readonly detectors: DriftDetector[];
  private readonly events: DriftEvent[] = [];
  private readonly record: OutcomeRecord;
  private decisions = 0;
  /** Fits under way, and the outcomes that came since one began: the new second layer learns from them too. */
  private fits = 0;
  private meanwhile: { ticket: Ticket; model: number; quality: number }[] = [];
  private text: TextModel | undefined;
  /** Outcomes a model that the text model was fitted to. */
  private fitted: Float64Array;
  private lastFit = 0;
  private refitting: PassingFit | undefined;
  private policy: Policy;
  private tuned: TunedPolicy | undefined;
  /** Rows of the last fit that know all outcomes, with what was expected of them; not saved. */
  private policyRows: PolicyRows | undefined;
  /** Unit of lambda: the dearest model's (expected) cost. */
  private scale: number;
  /** Features of structure in use, one entry a feature. */
  private usedFeatures: Uint8Array = new Uint8Array(FEATURE_NAMES.length).fill(1);

  /** @throws InvalidArgumentError, with `field`, for an option outside its range. */
  constructor(options: QueryRouterOptions) {
    this.options = checkOptions(options);
    this.tokenizer = options.tokenizer;
    this.models = this.options.models;
    this.second = new SecondLayer(this.options);
    this.policy = this.options.policy;
    this.indexOf = new Map(this.models.map((m, i) => [m.name, i]));
    this.domains = new Domains(this.options.maxDomains, this.options.domainThreshold);
    this.pending = new Pending(this.options.pendingLimit);
    this.journal = new Journal(this.models.length, this.options.journalLimit);
    this.expected = new Float64Array(this.models.length);
    this.costs = new Float64Array(this.models.length);
    this.tail = normalQuantile((1 + this.options.intervalLevel) / 2);
    this.fitted = new Float64Array(this.models.length);
    this.record = new OutcomeRecord(this.models.length, this.options.window);
    this.scale = Math.max(...this.models.map((m) => m.cost));
    this.quality = this.second.fresh(this.text && this.fitted);
    const { drift } = this.options;
    this.detectors = drift ? this.models.map(() => new DriftDetector(drift)) : [];
  }

  /**
   * What the router expects of each model for this question, and whom it would ask. Changes nothing but the list of
   * decisions that wait for an outcome.
   * @throws InvalidArgumentError for a query that is no text, or an embedding that is not of finite numbers.
   */
  route(query: Query): RouteDecision {
    const reading = this.read(query);
    const assignment = this.domains.find(reading.text);
    const x = this.second.regressors(reading, assignment);
    const said = this.text?.predict(reading);
    const { tail } = this;
    const { expected, costs } = this;
    const models = new Array<ModelEstimate>(this.models.length);
    let total = 0;
    let best = 0;
    for (let i = 0; i < models.length; i++) {
      const p = this.quality[i]!.predict(x, offsetOf(said, i));
      // How far the text model may be off is for the second layer to learn: it knows what part of that is left.
      const uncertainty = said
        ? Math.min(said.deviation[i]! * Math.sqrt(p.unlearnt), Math.hypot(p.deviation, said.deviation[i]!))
        : p.deviation;
      const { name, cost: listed } = this.models[i]!;
      const cost = said && !Number.isNaN(said.cost[i]!) ? said.cost[i]! : listed;
      expected[i] = p.mean;
      costs[i] = cost;
      total += p.mean;
      if (p.mean > expected[best]!) best = i;
      models[i] = { model: name, cost, quality: p.mean, uncertainty, interval: interval(p.mean, uncertainty, tail) };
    }
    const familiarity = said?.familiarity ?? 1;
    const outlier = familiarity <= this.options.outlierLevel;
    const chosen = choose(expected, costs, this.lambda, this.scale);
    const { domain } = assignment;
    const label = domain < 0 ? undefined : this.domains.label(domain);
    const choice = outlier ? this.options.safeModel : models[chosen]!.model;
    const now = {
      label,
      domain,
      similarity: assignment.similarity,
      best: models[best]!,
      tally: this.record.tally(domain, best),
      parts: said?.parts.slice(best * PARTS.length, (best + 1) * PARTS.length),
      landmark: said && this.text!.state.labels[said.nearest],
      choice,
      outlier,
      outlierLevel: this.options.outlierLevel,
      lambda: this.lambda,
    };
    const reasons = reasonsOf(now, this.quality[best]!.mean, x);
    let words: string | undefined;
    const decision: RouteDecision = {
      id: `${(this.decisions++).toString(36)}-${hashOf(reading.query).toString(36)}`,
      features: reading.text.values,
      domain,
      domainLabel: label,
      domains: assignment.memberships,
      difficulty: 1 - total / models.length,
      models,
      choice,
      familiarity,
      outlier,
      // Put into words when it is read: that takes longer than the decision.
      get explanation() {
        words ??= explain(reasons);
        return words;
      },
    };
    const ticket = { query: reading.query, embedding: reading.embedding, learnt: false };
    this.tickets.set(decision, ticket);
    this.pending.add(decision.id, ticket);
    return decision;
  }

  /**
   * Learns from one answer. Only the named model's outcome is used; nothing is assumed of the others.
   * @throws InvalidArgumentError for an unknown model, a quality outside 0..1, a decision of another router, or an id that
   *   is not, or no longer, known.
   */
  observe(outcome: Outcome): void {
    objectIn(outcome, 'outcome');
    const model = this.modelIndex(outcome.model);
    const quality = numberIn(outcome.quality, 'quality', { min: 0, max: 1 });
    if (outcome.cost !== undefined) numberIn(outcome.cost, 'cost', { min: 0, above: true });
    const ticket = this.ticketOf(outcome);
    const { query, embedding } = ticket;
    const reading: Reading = { query, embedding, text: readText(query, this.options.seed, this.tokenizer) };
    const assignment = ticket.learnt ? this.domains.find(reading.text) : this.domains.learn(reading.text);
    ticket.learnt = true;
    const x = this.second.regressors(reading, assignment);
    const said = this.text?.predict(reading);
    const offset = offsetOf(said, model);
    const expected = this.quality[model]!.predict(x, offset).mean;
    this.record.add(assignment.domain, { features: reading.text.values, model, quality });
    this.journal.record(reading, model, quality, expected, outcome.cost);
    // A model hardly known yet surprises by its first outcomes, not by a change.
    const watched = this.record.counts[model]! > WARM_UP;
    const change = watched ? this.detectors[model]?.add(expected, quality) : undefined;
    if (change) {
      this.events.push({ model: this.models[model]!.name, at: this.record.total, ...change });
      this.quality[model]!.doubt(this.second.prior(this.text && 0));
      this.journal.forget(model, change.since);
    }
    this.quality[model]!.update(x, quality, offset);
    if (this.fits > 0 || this.refitting) this.meanwhile.push({ ticket, model, quality });
    if (this.options.refit === 'auto') this.refitInPassing();
  }

  /** Learns from many answers, in their order. */
  observeMany(outcomes: Iterable<Outcome>): void {
    if (typeof (outcomes as Iterable<Outcome> | undefined)?.[Symbol.iterator] !== 'function')
      refuse('outcomes', `outcomes is ${shown(outcomes)}; it must be an array of outcomes.`);
    for (const outcome of outcomes) this.observe(outcome);
  }

  /**
   * Fits the text model to a log: rows with the outcomes of all models, or of some. Rows join those observed before.
   * Leaves the event loop free between pieces of work. Afterwards thresholds are tuned for the policy.
   * @returns what the policy yielded on the rows, each judged by a fit that had not seen it; undefined when no row has
   *   outcomes of all models.
   * @throws InvalidArgumentError (as a rejection) for rows that are not as they should be; nothing is learnt then.
   */
  async fit(rows: Iterable<TrainingRow>, options: FitOptions = {}): Promise<TunedPolicy | undefined> {
    objectIn(options, 'options');
    const policy = options.policy === undefined ? this.policy : policyIn(options.policy);
    if (typeof (rows as Iterable<TrainingRow> | undefined)?.[Symbol.iterator] !== 'function')
      refuse('rows', `rows is ${shown(rows)}; it must be an array of rows.`);
    const checked = [...rows].map((row, i) => readRow(row, i, this.indexOf, (query) => this.read(query)));
    if (checked.length === 0) refuse('rows', 'rows must hold at least one row.');
    for (const row of checked) this.journalRow(row);
    this.policy = policy;
    return this.refit(options);
  }

  /** Fits the text model anew to all that is known, as `fit` does with more rows. */
  async refit(options: Omit<FitOptions, 'policy'> = {}): Promise<TunedPolicy | undefined> {
    objectIn(options, 'options');
    const signal = signalIn(options.signal);
    const { onProgress } = options;
    if (onProgress !== undefined && typeof onProgress !== 'function')
      refuse('onProgress', `onProgress is ${shown(onProgress)}; it must be a function.`);
    signal?.throwIfAborted();
    const rows = this.fitRows();
    if (rows.length === 0) refuse('rows', 'nothing was observed yet; there is nothing to fit.');
    this.refitting = undefined;
    this.meanwhile = [];
    const began = this.record.total;
    const about = slicesOf(rows.length, this.models.length, 'full');
    this.fits++;
    try {
      this.adopt(await finish(this.fitWork(rows, 'full'), about, signal, onProgress), rows, began);
    } finally {
      this.fits--;
    }
    onProgress?.(about, about);
    return this.tuned;
  }

  /**
   * Another policy; its threshold is tuned on the rows of the last fit, each judged by a fit that had not seen it.
   * @returns what it yielded there; undefined for `{ lambda }` before a fit.
   * @throws InvalidArgumentError for a level or a share when there was no fit since the router was made or loaded.
   */
  tunePolicy(policy: Policy): TunedPolicy | undefined {
    const checked = policyIn(policy);
    if (!this.policyRows && !('lambda' in checked))
      refuse('policy', 'there are no rows to tune it on; fit or refit first (they are not saved).');
    this.policy = checked;
    this.tuned = this.policyRows && tune(checked, this.policyRows);
    return this.tuned;
  }

  /** Outcomes observed so far. */
  get observed(): number {
    return this.record.total;
  }

  /** Changes of a model's quality that were noticed, oldest first. */
  get driftEvents(): readonly DriftEvent[] {
    return this.events;
  }

  /** What the policy's threshold yielded on the rows of the last fit, held out; undefined before. */
  get tunedPolicy(): TunedPolicy | undefined {
    return this.tuned;
  }

  /** Names of the features of structure in use: all of them, until `selectFeatures`. */
  get selectedFeatures(): string[] {
    return FEATURE_NAMES.filter((_, f) => this.usedFeatures[f]);
  }

  /**
   * Which features move a model's quality: KSG transfer entropy from each feature's stream to the model's quality
   * stream, over the latest outcomes of that model, at delay 0 (the question's feature, its own answer), given the
   * quality of the answer before. The control shuffles the feature's values in time.
   * @throws InvalidArgumentError for an unknown model or fewer than 16 outcomes of it.
   */
  async featureInfluence(model: string, options: FeatureInfluenceOptions = {}): Promise<FeatureInfluence[]> {
    objectIn(options, 'options');
    const index = this.modelIndex(model);
    const own = this.record.of(index);
    return featureInfluence(
      FEATURE_NAMES,
      own.map((s) => s.features),
      Float64Array.from(own, (s) => s.quality),
      { seed: this.options.seed, ...options },
    );
  }

  /**
   * Lets transfer entropy decide which features of structure count: those whose influence on some model's quality is
   * above that of their shuffled-time control at the false discovery rate `level` (default 0.1). The others are left out of
   * fits from now on. Needs at least 16 outcomes of a model in `window`.
   * @returns the influences they were chosen by, of each model.
   */
  async selectFeatures(
    options: FeatureInfluenceOptions & { level?: number } = {},
  ): Promise<Record<string, FeatureInfluence[]>> {
    objectIn(options, 'options');
    const { level = 0.1, ...influence } = options;
    numberIn(level, 'level', { min: 0, above: true, max: 1 });
    const out: Record<string, FeatureInfluence[]> = {};
    const used = new Uint8Array(FEATURE_NAMES.length);
    for (const [m, { name }] of this.models.entries()) {
      if (this.record.of(m).length < 16) continue;
      const found = await this.featureInfluence(name, influence);
      out[name] = found;
      for (const { feature, qValue } of found) if (qValue <= level) used[FEATURE_NAMES.indexOf(feature)] = 1;
    }
    if (Object.keys(out).length === 0) refuse('model', 'no model has 16 outcomes yet.');
    if (used.some((u) => u === 1)) this.usedFeatures = used;
    return out;
  }

  /** Writes everything learnt to a file: whole or not at all (written beside it, synced, then renamed). */
  async save(path: string): Promise<void> {
    await saveState(path, this.state());
  }

  /**
   * A router that goes on where `save` left off, with the same numbers. Files of version 1 are read too. A fit in passing
   * begins anew.
   * @param options the tokenizer, when the router had one: functions are not saved.
   * @throws NotFoundError, IoError; InvalidFormatError for a file that is damaged or not a router's; UnsupportedError
   *   for one of a newer schema; InvalidArgumentError when the router had a tokenizer and none is given.
   */
  static async load(path: string, options: { tokenizer?: QueryTokenizer } = {}): Promise<QueryRouter> {
    objectIn(options, 'options');
    return loadState(path, (state) => {
      if (state.tokenized !== (options.tokenizer !== undefined))
        return new InvalidArgumentError(
          state.tokenized
            ? `the router of ${path} had a tokenizer; pass it: QueryRouter.load(path, { tokenizer }).`
            : `the router of ${path} had no tokenizer; load it without one.`,
          { field: 'tokenizer' },
        );
      const router = new QueryRouter({ ...state.options, models: state.models, ...options });
      router.restore(state);
      return router;
    });
  }

  private get lambda(): number {
    return this.tuned?.lambda ?? ('lambda' in this.policy ? this.policy.lambda : DEFAULT_LAMBDA);
  }

  private modelIndex(name: unknown): number {
    const index = this.indexOf.get(name as string);
    if (index === undefined)
      refuse('model', `model ${shown(name)} is not one of ${this.models.map((m) => m.name).join(', ')}`);
    return index as number;
  }

  private ticketOf(outcome: Outcome): Ticket {
    if (outcome.decision !== undefined)
      return (
        this.tickets.get(outcome.decision) ??
        refuse('decision', "the decision is not one of this router's route(); pass its id or the query instead")
      );
    if (outcome.id !== undefined)
      return (
        this.pending.byId.get(outcome.id) ??
        refuse('id', `id ${shown(outcome.id)} is not among the latest ${this.options.pendingLimit} decisions`)
      );
    if (outcome.query === undefined) refuse('decision', 'observe needs the decision, its id or the query');
    const { query, embedding } = this.read(outcome.query as Query);
    return { query, embedding, learnt: false };
  }

  private read(query: Query): Reading {
    return readQuery(query, this.options.seed, this.tokenizer);
  }

  /** A row joins the journal, the domains and the streams; the models learn from it when they are fitted. */
  private journalRow({ reading, quality, cost }: ReadRow): void {
    const { domain } = this.domains.learn(reading.text);
    for (let m = 0; m < quality.length; m++) {
      if (Number.isNaN(quality[m]!)) continue;
      this.journal.record(
        reading,
        m,
        quality[m]!,
        Number.NaN,
        Number.isNaN(cost?.[m] ?? Number.NaN) ? undefined : cost![m],
      );
      this.record.add(domain, { features: reading.text.values, model: m, quality: quality[m]! });
    }
  }

  /** The journal as it is now: what comes in meanwhile must not change the rows of a fit that has begun. */
  private fitRows(): LoggedRow[] {
    return this.journal
      .all()
      .filter((r) => r.quality.some((q) => !Number.isNaN(q)))
      .map((r) => ({ ...r, quality: r.quality.slice(), expected: r.expected.slice() }));
  }

  private fitWork(rows: readonly LoggedRow[], effort: 'full' | 'light'): Generator<void, FitResult> {
    const { seed } = this.options;
    return fitTextModel(rows, { models: this.models.length, seed, effort, features: this.usedFeatures });
  }

  /** A slice of a fit with every outcome. */
  private refitInPassing(): void {
    if (!this.refitting && this.record.total >= dueAt(this.lastFit)) {
      const rows = this.fitRows();
      if (this.fits === 0) this.meanwhile = [];
      this.refitting = new PassingFit(this.fitWork(rows, 'light'), rows, this.record.total, this.models.length);
    }
    const now = this.refitting;
    const result = now?.advance();
    if (!now || result === undefined) return;
    this.refitting = undefined;
    this.lastFit = now.began;
    if (result) this.adopt(result, now.rows, now.began);
  }

  /** Puts a fitted text model to use, under a second layer that knows only what came after. */
  private adopt(result: FitResult, rows: readonly LoggedRow[], began: number): void {
    const M = this.models.length;
    this.text = result.model;
    this.lastFit = began;
    this.fitted = new Float64Array(M);
    for (const { quality } of rows) for (let m = 0; m < M; m++) if (!Number.isNaN(quality[m]!)) this.fitted[m]!++;
    this.quality = this.second.fresh(this.text && this.fitted);
    for (const d of this.detectors) d.reset();
    for (const { ticket, model, quality } of this.meanwhile) {
      const reading = { ...ticket, text: readText(ticket.query, this.options.seed, this.tokenizer) };
      const x = this.second.regressors(reading, this.domains.find(reading.text));
      this.quality[model]!.update(x, quality, offsetOf(this.text.predict(reading), model));
    }
    this.tune(result, rows);
  }

  private tune(result: FitResult, rows: readonly LoggedRow[]): void {
    this.policyRows = policyRows(result, rows, this.models);
    if (this.policyRows) this.scale = costScale(this.policyRows.expectedCost, this.models.length);
    this.tuned = this.policyRows && tune(this.policy, this.policyRows);
  }

  private state(): RouterState {
    const { models: _, ...options } = this.options;
    return {
      models: [...this.models],
      options,
      tokenized: this.tokenizer !== undefined,
      domains: this.domains.toJSON(),
      quality: this.quality.map((q) => ({ mean: q.mean, covariance: q.covariance })),
      ...this.record.toJSON(),
      decisions: this.decisions,
      pending: [...this.pending.byId].map(([id, { query, embedding, learnt }]) => ({
        id,
        query,
        learnt,
        ...(embedding && { embedding }),
      })),
      journal: this.journal.all().map(({ query, embedding, quality, expected, cost }) => ({
        query,
        quality,
        expected,
        ...(cost && { cost }),
        ...(embedding && { embedding }),
      })),
      drift: { detectors: this.detectors.map((d) => d.toJSON()), events: this.events },
      ...(this.text && { text: this.text.toJSON() }),
      fitted: this.fitted,
      lastFit: this.lastFit,
      policy: this.policy,
      ...(this.tuned && { tuned: this.tuned }),
      scale: this.scale,
      usedFeatures: this.usedFeatures,
    };
  }

  private restore(state: RouterState): void {
    const { seed } = this.options;
    this.domains.restore(state.domains);
    this.fitted = state.fitted;
    if (state.text) this.text = new TextModel(state.text);
    this.quality = this.second.fresh(this.text && this.fitted);
    state.quality.forEach((q, i) => {
      if (q.mean.length !== this.quality[i]!.size || q.covariance.length !== this.quality[i]!.size ** 2)
        refuse('quality', `the regression of ${shown(this.models[i]!.name)} has another size than these options give.`);
      this.quality[i]!.restore(q.mean, q.covariance);
    });
    this.record.restore(state);
    const read = (query: string, embedding: Float64Array | undefined) => ({
      query,
      text: readText(query, seed, this.tokenizer),
      embedding,
    });
    for (const { id, query, embedding, learnt } of state.pending) this.pending.add(id, { query, embedding, learnt });
    for (const { query, embedding, quality, expected, cost } of state.journal)
      Object.assign(this.journal.append(read(query, embedding)), { quality, expected, cost });
    state.drift.detectors.forEach((d, i) => {
      this.detectors[i]?.restore(d);
    });
    this.events.push(...state.drift.events);
    this.decisions = state.decisions;
    this.lastFit = state.lastFit;
    this.policy = state.policy;
    this.tuned = state.tuned;
    this.scale = state.scale;
    this.usedFeatures = state.usedFeatures;
  }
}

function hashOf(text: string): number {
  let hash = 2166136261;
  const n = Math.min(text.length, 64);
  for (let i = 0; i < n; i++) hash = mix(hash, text.charCodeAt(i));
  return mix(hash, text.length);
}
