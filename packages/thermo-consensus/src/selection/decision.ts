// One choice and everything it was made from. The numbers sit in one block; objects are built only when asked for, so
// that choosing stays fast.
import { UnsupportedError } from '@x/cuda-core';
import { TERMS, type Term } from './energy';
import { challengeChances, thompsonChances } from './propensity';

/** Columns of the block, each as long as there are models. */
export const COLUMN = {
  alpha: 0,
  beta: 1,
  ownSuccesses: 2,
  ownFailures: 3,
  lentSuccesses: 4,
  lentFailures: 5,
  externalSuccesses: 6,
  externalFailures: 7,
  contextSuccesses: 8,
  contextFailures: 9,
  cost: 10,
  quality: 11,
  epistemic: 12,
  aleatoric: 13,
  terms: 14,
  energy: 14 + TERMS.length,
  probability: 15 + TERMS.length,
} as const;
export const COLUMNS = 16 + TERMS.length;
const QUALITY = TERMS.indexOf('quality');
/** Draws after which top-two gives up looking for one that another model wins. */
export const CHALLENGES_MAX = 32;

export const SELECTIONS = ['boltzmann', 'thompson', 'top-two', 'greedy'] as const;
/** See {@link ConsensusOptions.selection}. */
export type Selection = (typeof SELECTIONS)[number];

/** How one model's energy came about. */
export interface ModelExplanation {
  model: string;
  /** By the caller, or because the request is too long for it: its energy is +Infinity. */
  excluded: boolean;
  /** Cost of the request after discounts and `costScale`, in the unit of the model's `cost`. */
  cost: number;
  /** The quality that entered the energy: the posterior's mean, or a draw of it with Thompson selection. */
  quality: number;
  /**
   * The posterior, and the evidence in it in outcomes: prior + this domain + lent by other domains + what requests like this one say
   * (which takes away where they say to be less sure) + from outside.
   */
  posterior: { alpha: number; beta: number; mean: number; deviation: number };
  evidence: Record<'own' | 'lent' | 'context' | 'external', { successes: number; failures: number }>;
  /** The terms that add up to `energy`. */
  terms: Record<Term, number>;
  /** Standard deviations: of the expected quality, which evidence shrinks, and of a single outcome, which nothing does. */
  uncertainty: { epistemic: number; aleatoric: number };
  energy: number;
  probability: number;
}

export interface DecisionReadings {
  /** Temperature that the distribution was taken at: the schedule's, or 0 with Thompson and greedy selection. */
  temperature: number;
  /** `F = -T ln Z = U - T S`. */
  freeEnergy: number;
  /** `U`, the expected energy. */
  meanEnergy: number;
  /** `S` in nats. */
  entropy: number;
  /** `ln Z`; infinite at temperature 0 unless the lowest energy is 0. */
  logPartition: number;
  /**
   * Entropy produced, in nats, while the distribution of the choice before relaxed to this one at this one's temperature: the
   * relative entropy `sum p' ln(p' / p)` of the old distribution to the new (M. Esposito, C. Van den Broeck, EPL 95, 2011), over the
   * models that can be chosen now. 0 when nothing changed; Infinity when a model became impossible that was not.
   */
  entropyProduction: number;
}

export class Decision implements DecisionReadings {
  /** Number of this choice, from 0. */
  readonly id: number;
  /** The model chosen. */
  readonly model: string;
  /** The domain it was chosen for; undefined when none was given. */
  readonly domain: string | undefined;
  readonly selection: Selection;
  readonly temperature: number;
  readonly freeEnergy: number;
  readonly meanEnergy: number;
  readonly entropy: number;
  readonly logPartition: number;
  readonly entropyProduction: number;
  readonly #names: readonly string[];
  readonly #block: readonly number[];
  readonly #targeted: boolean;
  /** @internal What the contextual belief goes by; undefined for a request without text or features. */
  readonly regressors: Float64Array | undefined;

  /** Made by `Consensus.choose`. */
  constructor(
    id: number,
    chosen: number,
    domain: string | undefined,
    selection: Selection,
    temperature: number,
    readings: Float64Array,
    entropyProduction: number,
    names: readonly string[],
    block: readonly number[],
    targeted: boolean,
    regressors: Float64Array | undefined,
  ) {
    this.id = id;
    this.model = names[chosen]!;
    this.domain = domain;
    this.selection = selection;
    this.temperature = temperature;
    this.logPartition = readings[0]!;
    this.freeEnergy = readings[1]!;
    this.meanEnergy = readings[2]!;
    this.entropy = readings[3]!;
    this.entropyProduction = entropyProduction;
    this.#names = names;
    this.#block = block;
    this.#targeted = targeted;
    this.regressors = regressors;
  }

  #record(column: number): Record<string, number> {
    // Without a prototype: a model may be called "__proto__".
    const out: Record<string, number> = Object.create(null);
    const from = column * this.#names.length;
    for (let i = 0; i < this.#names.length; i++) out[this.#names[i]!] = this.#block[from + i]!;
    return out;
  }

  /** @internal One number of the block; columns are those of COLUMN. */
  at(column: number, i: number): number {
    return this.#block[column * this.#names.length + i]!;
  }

  /** The Boltzmann distribution at the choice's temperature, by model: at 0 all of it on the least energy. */
  get probabilities(): Record<string, number> {
    return this.#record(COLUMN.probability);
  }

  /**
   * With which probability the choice would have fallen on each model, its seed unknown: what `evaluatePolicy` needs of a log. Those of
   * the distribution for Boltzmann and greedy selection; for Thompson and top-two those of their draws, to within 1e-3, which takes
   * some milliseconds.
   *
   * @throws UnsupportedError for a choice made for a `target`.
   */
  get propensities(): Record<string, number> {
    if (this.#targeted)
      throw new UnsupportedError(
        'The propensities of choices for a target are not known; log choices by Boltzmann, Thompson or top-two selection.',
      );
    if (this.selection !== 'thompson' && this.selection !== 'top-two') return this.probabilities;
    const at = (column: number, i: number) => this.at(column, i);
    const drawn = COLUMN.terms + QUALITY;
    let weight = 0;
    const contenders = this.#names.map((_, i) => {
      const term = at(drawn, i);
      if (term !== 0) weight = -term / at(COLUMN.quality, i);
      const others = at(COLUMN.energy, i) - term;
      return { others, alpha: at(COLUMN.alpha, i), beta: at(COLUMN.beta, i) };
    });
    const chances = thompsonChances(contenders, weight);
    const challenged = this.selection === 'top-two' && this.id % 2 === 1;
    const own = challenged ? challengeChances(chances, CHALLENGES_MAX) : chances;
    const out: Record<string, number> = Object.create(null);
    for (const [i, name] of this.#names.entries()) out[name] = own[i]!;
    return out;
  }

  /** Energy by model; +Infinity for excluded ones. */
  get energies(): Record<string, number> {
    return this.#record(COLUMN.energy);
  }

  /** Every term of every model's energy, in the order in which the models were given. */
  get explanation(): ModelExplanation[] {
    const at = (column: number, i: number) => this.at(column, i);
    return this.#names.map((model, i) => {
      const alpha = at(COLUMN.alpha, i);
      const beta = at(COLUMN.beta, i);
      const pair = (column: number) => ({ successes: at(column, i), failures: at(column + 1, i) });
      return {
        model,
        excluded: at(COLUMN.energy, i) === Number.POSITIVE_INFINITY,
        cost: at(COLUMN.cost, i),
        quality: at(COLUMN.quality, i),
        posterior: { alpha, beta, mean: alpha / (alpha + beta), deviation: at(COLUMN.epistemic, i) },
        evidence: {
          own: pair(COLUMN.ownSuccesses),
          lent: pair(COLUMN.lentSuccesses),
          context: pair(COLUMN.contextSuccesses),
          external: pair(COLUMN.externalSuccesses),
        },
        terms: Object.fromEntries(TERMS.map((term, t) => [term, at(COLUMN.terms + t, i)])) as Record<Term, number>,
        uncertainty: { epistemic: at(COLUMN.epistemic, i), aleatoric: at(COLUMN.aleatoric, i) },
        energy: at(COLUMN.energy, i),
        probability: at(COLUMN.probability, i),
      };
    });
  }

  toJSON(): object {
    const { id, model, domain, selection, temperature, freeEnergy, meanEnergy, entropy, logPartition } = this;
    const { entropyProduction } = this;
    const readings = { temperature, freeEnergy, meanEnergy, entropy, logPartition, entropyProduction };
    return { id, model, domain, selection, ...readings, explanation: this.explanation };
  }
}

const short = (value: number) => (Number.isFinite(value) ? Number(value.toPrecision(4)).toString() : String(value));

const signed = (value: number) => (value < 0 ? short(value) : `+${short(value)}`);

/** By how much the context moved the posterior's mean. */
function contextShift({ posterior, evidence: { context, external } }: ModelExplanation): number {
  const alpha = posterior.alpha - external.successes;
  const beta = posterior.beta - external.failures;
  const before = (alpha - context.successes) / (alpha + beta - context.successes - context.failures);
  return alpha / (alpha + beta) - before;
}

/** The decision in words: one line, then one line a model with the terms that any model has. */
export function describeDecision(decision: Decision): string {
  const models = decision.explanation;
  const shifted = models.some((m) => m.evidence.context.successes !== 0 || m.evidence.context.failures !== 0);
  const terms = TERMS.filter((t) => t === 'cost' || t === 'quality' || models.some((m) => m.terms[t] !== 0));
  const rows = models.map((m) => {
    if (m.excluded) return [m.model, m.terms.context === Number.POSITIVE_INFINITY ? 'context too short' : 'excluded'];
    const { posterior } = m;
    return [
      m.model,
      short(m.energy),
      ...terms.map((t) => short(m.terms[t])),
      `${short(posterior.mean)} ± ${short(posterior.deviation)}`,
      ...(shifted ? [signed(contextShift(m))] : []),
      short(m.probability),
    ];
  });
  const table = [
    ['model', 'energy', ...terms, 'posterior', ...(shifted ? ['of it context'] : []), 'probability'],
    ...rows,
  ];
  const widths = table[0]!.map((_, column) => Math.max(...table.map((row) => (row[column] ?? '').length)));
  const lines = table.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  );
  const where = decision.domain === undefined ? '' : ` for domain ${JSON.stringify(decision.domain)}`;
  const how = {
    boltzmann: 'drawn from the Boltzmann distribution',
    thompson: 'lowest energy under one draw of every posterior',
    'top-two': 'lowest energy under a draw of every posterior, every other time of the second best',
    greedy: 'lowest energy',
  }[decision.selection];
  const readings = `T = ${short(decision.temperature)}, F = ${short(decision.freeEnergy)}, S = ${short(decision.entropy)} nats`;
  return [`Choice ${decision.id}${where}: ${decision.model} (${how}; ${readings})`, ...lines].join('\n');
}
