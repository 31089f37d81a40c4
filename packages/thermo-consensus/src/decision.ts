// One choice and everything it was made from. The numbers sit in one block; objects are built only when asked for, so
// that choosing stays fast.

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
  cost: 8,
  quality: 9,
  deviation: 10,
  energyCost: 11,
  energyQuality: 12,
  energyUncertainty: 13,
  energyLatency: 14,
  energy: 15,
  probability: 16,
} as const;
export const COLUMNS = 17;

/** `'boltzmann'`, `'thompson'` or `'greedy'`; see {@link ConsensusOptions.selection}. */
export type Selection = 'boltzmann' | 'thompson' | 'greedy';

/** How one model's energy came about. */
export interface ModelExplanation {
  model: string;
  /** Excluded by the caller: its energy is +Infinity. */
  excluded: boolean;
  /** Cost after `costScale`, in the unit of the model's `cost`. */
  cost: number;
  /** The quality that entered the energy: the posterior's mean, or a draw of it with Thompson selection. */
  quality: number;
  /** The posterior, and the evidence in it in outcomes: prior + this domain + lent by other domains + from outside. */
  posterior: { alpha: number; beta: number; mean: number; deviation: number };
  evidence: Record<'own' | 'lent' | 'external', { successes: number; failures: number }>;
  /** The terms that add up to `energy`. */
  terms: { cost: number; quality: number; uncertainty: number; latency: number };
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
  readonly #names: readonly string[];
  readonly #block: readonly number[];

  /** Made by `Consensus.choose`. */
  constructor(
    id: number,
    chosen: number,
    domain: string | undefined,
    selection: Selection,
    temperature: number,
    readings: Float64Array,
    names: readonly string[],
    block: readonly number[],
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
    this.#names = names;
    this.#block = block;
  }

  #record(column: number): Record<string, number> {
    // Without a prototype: a model may be called "__proto__".
    const out: Record<string, number> = Object.create(null);
    const from = column * this.#names.length;
    for (let i = 0; i < this.#names.length; i++) out[this.#names[i]!] = this.#block[from + i]!;
    return out;
  }

  /** The distribution that the model was drawn from, by model. */
  get probabilities(): Record<string, number> {
    return this.#record(COLUMN.probability);
  }

  /** Energy by model; +Infinity for excluded ones. */
  get energies(): Record<string, number> {
    return this.#record(COLUMN.energy);
  }

  /** Every term of every model's energy, in the order in which the models were given. */
  get explanation(): ModelExplanation[] {
    const at = (column: number, i: number) => this.#block[column * this.#names.length + i]!;
    return this.#names.map((model, i) => {
      const alpha = at(COLUMN.alpha, i);
      const beta = at(COLUMN.beta, i);
      const pair = (column: number) => ({ successes: at(column, i), failures: at(column + 1, i) });
      return {
        model,
        excluded: at(COLUMN.energy, i) === Number.POSITIVE_INFINITY,
        cost: at(COLUMN.cost, i),
        quality: at(COLUMN.quality, i),
        posterior: { alpha, beta, mean: alpha / (alpha + beta), deviation: at(COLUMN.deviation, i) },
        evidence: {
          own: pair(COLUMN.ownSuccesses),
          lent: pair(COLUMN.lentSuccesses),
          external: pair(COLUMN.externalSuccesses),
        },
        terms: {
          cost: at(COLUMN.energyCost, i),
          quality: at(COLUMN.energyQuality, i),
          uncertainty: at(COLUMN.energyUncertainty, i),
          latency: at(COLUMN.energyLatency, i),
        },
        energy: at(COLUMN.energy, i),
        probability: at(COLUMN.probability, i),
      };
    });
  }

  toJSON(): object {
    const { id, model, domain, selection, temperature, freeEnergy, meanEnergy, entropy, logPartition } = this;
    const readings = { temperature, freeEnergy, meanEnergy, entropy, logPartition };
    return { id, model, domain, selection, ...readings, explanation: this.explanation };
  }
}

const short = (value: number) => (Number.isFinite(value) ? Number(value.toPrecision(4)).toString() : String(value));

/** The decision in words: one line, then one line a model. */
export function describeDecision(decision: Decision): string {
  const rows = decision.explanation.map((m) => {
    if (m.excluded) return [m.model, 'excluded', '', '', '', '', '', ''];
    const { terms, posterior } = m;
    return [
      m.model,
      short(m.energy),
      short(terms.cost),
      short(terms.quality),
      short(terms.uncertainty),
      short(terms.latency),
      `${short(posterior.mean)} ± ${short(posterior.deviation)}`,
      short(m.probability),
    ];
  });
  const table = [['model', 'energy', 'cost', 'quality', 'uncertainty', 'latency', 'posterior', 'probability'], ...rows];
  const widths = table[0]!.map((_, column) => Math.max(...table.map((row) => row[column]!.length)));
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
    greedy: 'lowest energy',
  }[decision.selection];
  const readings = `T = ${short(decision.temperature)}, F = ${short(decision.freeEnergy)}, S = ${short(decision.entropy)} nats`;
  return [`Choice ${decision.id}${where}: ${decision.model} (${how}; ${readings})`, ...lines].join('\n');
}
