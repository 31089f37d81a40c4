// Joint routing of a batch of queries: one assignment problem over all of them, within budget, rates, tokens, deadlines,
// context lengths and a floor of quality.
import { InvalidArgumentError, LimitExceededError } from '@x/cuda-core';
import { type JobOptions, numberIn, objectIn, refuse, runJob } from '@x/cuda-core/addon';
import type { ChooseContext } from '../selection/options';
import { type AssignmentProblem, nativeProblem, solveAssignment } from './assignment';
import { addon } from './native-assignment';

/** Tokens count against `tokenLimits` and `contextLengths`; models slower than the deadline are not asked. */
export type BatchContext = ChooseContext;

/** Limits by model name; models that are not named have none. */
export type PerModel = Readonly<Record<string, number>>;

export interface BatchConstraints {
  /** Most that the whole batch may cost, in the unit of the models' `cost`. */
  budget?: number;
  /** Most queries a model may get. */
  rateLimits?: PerModel;
  /** Most tokens a model may get. */
  tokenLimits?: PerModel;
  /** Queries of more tokens are not given to the model. */
  contextLengths?: PerModel;
  /** The deadline of queries that have none of their own. */
  deadline?: number;
  /** The mean of the chosen models' expected qualities must be at least this, 0 to 1. */
  minQuality?: number;
}

export interface BatchRoutingOptions {
  /** Default 1000. */
  timeLimitMs?: number;
  /** Stop at this relative gap. Default 1e-4. */
  gap?: number;
  /** At most this many threads of the core's. Default: all. */
  threads?: number;
  signal?: AbortSignal;
  onProgress?: (done: number, total: number) => void;
}

export interface BatchRouting {
  /** What each query was given, in order; pass one as `decision` to `observe`. */
  decisions: { model: string; domain: string | undefined }[];
  /** Index of each query's model. */
  assignment: Int32Array;
  /** Sum of the energies of the pairs chosen, which the routing minimises. */
  energy: number;
  /** Proven: no routing within the constraints has less energy. */
  bound: number;
  /** `|energy - bound| / |bound|`. */
  gap: number;
  /** Expected total cost, and mean expected quality. */
  cost: number;
  quality: number;
  /** Queries and tokens a model got. */
  usage: Record<string, { queries: number; tokens: number }>;
  timeMs: number;
}

/** One limit that takes part in a conflict. */
export type Conflict =
  | { constraint: 'budget' | 'minQuality' }
  | { constraint: 'rateLimit' | 'tokenLimit'; model: string }
  /** `query` is the one left without any model; without it the rule's effect on the whole batch is meant. */
  | { constraint: 'deadline' | 'contextLength' | 'exclude'; query?: number };

/** No routing keeps all constraints. `conflicts` is irreducible: with any one of them given up, the others can be kept. */
export class InfeasibleError extends InvalidArgumentError {
  readonly conflicts: readonly Conflict[];
  constructor(conflicts: readonly Conflict[]) {
    const words = conflicts.map((c) => {
      const where = 'model' in c ? ` of ${JSON.stringify(c.model)}` : 'query' in c ? ` of query ${c.query}` : '';
      return `${c.constraint}${where}`;
    });
    super(`no routing keeps these constraints together: ${words.join(', ')}. Give up or widen one of them.`, {
      field: 'constraints',
    });
    this.name = 'InfeasibleError';
    this.conflicts = conflicts;
  }
  static override [Symbol.hasInstance](value: unknown): boolean {
    return (
      InvalidArgumentError[Symbol.hasInstance](value) && Array.isArray((value as { conflicts?: unknown }).conflicts)
    );
  }
}

/** A batch as numbers: rows are models, columns queries. */
export interface BatchMatrix {
  models: readonly string[];
  latencies: readonly number[];
  queries: number;
  /** +Infinity for excluded models. */
  energies: Float64Array;
  costs: Float64Array;
  qualities: Float64Array;
  tokens: Float64Array;
  deadlines: Float64Array;
}

export async function routeBatch(
  batch: BatchMatrix,
  constraints: BatchConstraints,
  options: BatchRoutingOptions & { seed: number },
): Promise<Omit<BatchRouting, 'decisions'>> {
  const limits = limitsOf(batch, constraints);
  const start = performance.now();
  const { models, queries } = batch;
  const rules = pairRules(batch, limits.contextLengths);
  const problem = problemOf(batch, limits, rules.forbidden());
  requireModels(batch, rules);
  const timeLimitMs = numberIn(options.timeLimitMs ?? 1000, 'timeLimitMs', { min: 0, above: true, infinite: true });
  const job: JobOptions = { signal: options.signal, onProgress: options.onProgress };
  const solved = await solveAssignment(problem, {
    timeLimitMs,
    gap: options.gap ?? 1e-4,
    seed: options.seed,
    device: 'cpu',
    ...(options.threads === undefined ? {} : { threads: options.threads }),
    ...(job.signal ? { signal: job.signal } : {}),
    ...(job.onProgress ? { onProgress: job.onProgress } : {}),
  });
  if (!solved.feasible) {
    const conflicts = await findConflicts(batch, limits, rules, solved.status === 'infeasible', job);
    if (conflicts) throw new InfeasibleError(conflicts);
    throw new LimitExceededError(
      `no routing within the constraints was found in ${timeLimitMs} ms, and none is excluded; give more time or wider limits.`,
      { field: 'timeLimitMs' },
    );
  }
  const usage: BatchRouting['usage'] = Object.create(null);
  for (const model of models) usage[model] = { queries: 0, tokens: 0 };
  let cost = 0;
  let quality = 0;
  for (let j = 0; j < queries; j++) {
    const pair = solved.assignment[j]! * queries + j;
    cost += batch.costs[pair]!;
    quality += batch.qualities[pair]!;
    const used = usage[models[solved.assignment[j]!]!]!;
    used.queries++;
    used.tokens += batch.tokens[j]!;
  }
  return {
    assignment: solved.assignment,
    energy: solved.objective,
    bound: solved.bound,
    gap: solved.gap,
    cost,
    quality: quality / queries,
    usage,
    timeMs: performance.now() - start,
  };
}

interface Limits {
  budget: number;
  minQuality: number | undefined;
  rates: Float64Array;
  tokens: Float64Array;
  contextLengths: Float64Array;
}

function limitsOf(batch: BatchMatrix, constraints: BatchConstraints): Limits {
  const perModel = (given: PerModel | undefined, field: string): Float64Array => {
    const out = new Float64Array(batch.models.length).fill(Number.POSITIVE_INFINITY);
    if (given === undefined) return out;
    objectIn(given, field);
    for (const name of Object.keys(given)) {
      const i = batch.models.indexOf(name);
      if (i < 0) refuse(field, `${field} names ${JSON.stringify(name)}; there is no such model.`);
      out[i] = numberIn(given[name], `${field}.${name}`, { min: 0, infinite: true });
    }
    return out;
  };
  const { budget, minQuality } = constraints;
  return {
    budget: budget === undefined ? Number.POSITIVE_INFINITY : numberIn(budget, 'budget', { min: 0, infinite: true }),
    minQuality: minQuality === undefined ? undefined : numberIn(minQuality, 'minQuality', { min: 0, max: 1 }),
    rates: perModel(constraints.rateLimits, 'rateLimits'),
    tokens: perModel(constraints.tokenLimits, 'tokenLimits'),
    contextLengths: perModel(constraints.contextLengths, 'contextLengths'),
  };
}

const KINDS = ['deadline', 'contextLength', 'exclude'] as const;
type Kind = (typeof KINDS)[number];

// What forbids single pairs, kind by kind, as bits: 1 deadline, 2 context length, 4 exclusion.
function pairRules(batch: BatchMatrix, contextLengths: Float64Array) {
  const { queries } = batch;
  const bits = new Uint8Array(batch.models.length * queries);
  for (let i = 0; i < batch.models.length; i++)
    for (let j = 0; j < queries; j++) {
      const pair = i * queries + j;
      bits[pair] =
        (batch.latencies[i]! > batch.deadlines[j]! ? 1 : 0) |
        (batch.tokens[j]! > contextLengths[i]! ? 2 : 0) |
        (batch.energies[pair] === Number.POSITIVE_INFINITY ? 4 : 0);
    }
  return {
    bits,
    forbidden: (mask = 7) => bits.map((b) => b & mask),
  };
}

// Rows of the problem: resource 0 counts queries, resource 1 tokens, then the budgets there are.
function problemOf(batch: BatchMatrix, limits: Limits, forbidden: Uint8Array): AssignmentProblem {
  const { models, queries } = batch;
  const pairs = models.length * queries;
  const budgets: { amounts: Float64Array; limit: number }[] = [];
  if (limits.budget !== Number.POSITIVE_INFINITY) budgets.push({ amounts: batch.costs, limit: limits.budget });
  // A floor of the mean quality is a budget of what qualities lack to 1.
  if (limits.minQuality !== undefined)
    budgets.push({ amounts: batch.qualities.map((q) => 1 - q), limit: queries * (1 - limits.minQuality) });
  const limitsTokens = limits.tokens.some(Number.isFinite);
  return {
    sense: 'min',
    agents: models.length,
    jobs: queries,
    costs: batch.energies,
    loads: new Float64Array(pairs).fill(1),
    capacities: limits.rates,
    ...(limitsTokens
      ? {
          resources: [
            {
              loads: Float64Array.from({ length: pairs }, (_, k) => batch.tokens[k % queries]!),
              capacities: limits.tokens,
            },
          ],
        }
      : {}),
    budgets,
    forbidden,
  };
}

// A query that every model is forbidden to take: the kinds of rules that together leave it none.
function requireModels(batch: BatchMatrix, rules: { bits: Uint8Array }): void {
  const { models, queries } = batch;
  const blocked = (query: number, mask: number) =>
    models.every((_, i) => (rules.bits[i * queries + query]! & mask) !== 0);
  for (let j = 0; j < queries; j++) {
    if (!blocked(j, 7)) continue;
    let mask = 7;
    for (let k = 0; k < KINDS.length; k++) if (blocked(j, mask & ~(1 << k))) mask &= ~(1 << k);
    throw new InfeasibleError(KINDS.filter((_, k) => mask & (1 << k)).map((constraint) => ({ constraint, query: j })));
  }
}

// An irreducible set of constraints that cannot be kept together; undefined when none is proven.
async function findConflicts(
  batch: BatchMatrix,
  limits: Limits,
  rules: ReturnType<typeof pairRules>,
  proven: boolean,
  job: JobOptions,
): Promise<Conflict[] | undefined> {
  const problem = problemOf(batch, limits, rules.forbidden());
  const rows = await conflictRows(problem, job);
  const fractional = rows.includes(1);
  if (!fractional && !proven) return undefined;
  const keeping = (kept: Uint8Array, mask: number) =>
    problemWithRows({ ...problem, forbidden: rules.forbidden(mask), costs: finite(batch, mask) }, kept);
  const impossible = async (kept: Uint8Array, mask: number) => {
    const candidate = keeping(kept, mask);
    if (fractional) return (await conflictRows(candidate, job)).includes(1);
    const solved = await solveAssignment(candidate, {
      timeLimitMs: 500,
      device: 'cpu',
      ...(job.signal ? { signal: job.signal } : {}),
    });
    return solved.status === 'infeasible';
  };
  const kept = fractional ? rows : new Uint8Array(rows.length).fill(1);
  let mask = 7;
  if (!fractional)
    for (let r = 0; r < kept.length; r++) {
      kept[r] = 0;
      if (!(await impossible(kept, mask))) kept[r] = 1;
    }
  for (let k = 0; k < KINDS.length; k++) {
    const without = mask & ~(1 << k);
    if (!rules.bits.some((b) => b & (1 << k)) || (await impossible(kept, without))) mask = without;
  }
  return [
    ...describeRows(batch, limits, problem, kept),
    ...KINDS.filter((_, k) => mask & (1 << k)).map((constraint: Kind) => ({ constraint })),
  ];
}

// Energies of excluded pairs are infinite; where exclusion is given up they are like any other.
const finite = (batch: BatchMatrix, mask: number) =>
  mask & 4 ? batch.energies : batch.energies.map((e) => (e === Number.POSITIVE_INFINITY ? 0 : e));

async function conflictRows(problem: AssignmentProblem, job: JobOptions): Promise<Uint8Array> {
  const native = nativeProblem(problem);
  const conflict = new Uint8Array(native[3] * native[1] + native[4]);
  await runJob({ signal: job.signal }, (control) => addon.assignmentConflictJob(...native, conflict, control));
  return conflict;
}

function problemWithRows(problem: AssignmentProblem, kept: Uint8Array): AssignmentProblem {
  let row = 0;
  const free = (values: Float64Array) => values.map((v) => (kept[row++] ? v : Number.POSITIVE_INFINITY));
  const capacities = free(problem.capacities);
  const resources = (problem.resources ?? []).map((r) => ({ ...r, capacities: free(r.capacities) }));
  const budgets = (problem.budgets ?? []).map((b) => ({
    ...b,
    limit: kept[row++] ? b.limit : Number.POSITIVE_INFINITY,
  }));
  return { ...problem, capacities, resources, budgets };
}

function describeRows(batch: BatchMatrix, limits: Limits, problem: AssignmentProblem, kept: Uint8Array): Conflict[] {
  const names: Conflict[] = batch.models.map((model) => ({ constraint: 'rateLimit', model }));
  if (problem.resources?.length)
    names.push(...batch.models.map((model): Conflict => ({ constraint: 'tokenLimit', model })));
  if (limits.budget !== Number.POSITIVE_INFINITY) names.push({ constraint: 'budget' });
  if (limits.minQuality !== undefined) names.push({ constraint: 'minQuality' });
  return names.filter((_, r) => kept[r]);
}
