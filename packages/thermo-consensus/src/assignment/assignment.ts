// The generalised assignment problem: every job to exactly one agent, within what agents and budgets can bear.
import type { Device } from '@x/cuda-core';
import { UnsupportedError } from '@x/cuda-core';
import { numberIn, objectIn, parseDevice, refuse, runJob, SEED_MAX, shown } from '@x/cuda-core/addon';
import { addon, type NativeProblem, READING, STATUS } from './native-assignment';

/** A second resource of the agents, such as memory beside time. */
export interface AssignmentResource {
  /** `[agents x jobs]`, 0 or more. */
  loads: Float64Array;
  /** `[agents]`, 0 or more; Infinity for no limit. */
  capacities: Float64Array;
}

/** A limit over all agents together. */
export interface AssignmentBudget {
  /** `[agents x jobs]`, 0 or more: what the pair takes from the budget. */
  amounts: Float64Array;
  /** 0 or more; Infinity for no limit. */
  limit: number;
}

export interface AssignmentProblem {
  sense: 'min' | 'max';
  agents: number;
  jobs: number;
  /** `[agents x jobs]`, a row an agent, within ±1e12. Infinity forbids the pair (with `'max'` either infinity does). */
  costs: Float64Array;
  /** `[agents x jobs]`, 0 or more. */
  loads: Float64Array;
  /** `[agents]`, 0 or more; Infinity for no limit. */
  capacities: Float64Array;
  /** More resources of each agent, at most 63. */
  resources?: readonly AssignmentResource[];
  /** At most 64. */
  budgets?: readonly AssignmentBudget[];
  /** `[agents x jobs]`; pairs that are not 0 are forbidden. */
  forbidden?: Uint8Array;
  /** Pairs that take longer than the job's deadline are forbidden. */
  deadlines?: { times: Float64Array; limits: Float64Array };
}

export interface AssignmentOptions {
  /** Above 0. Default 10,000; Infinity needs `rounds` or a problem that is solved to proof. */
  timeLimitMs?: number;
  /**
   * Rounds of search after the relaxation. With rounds and without a time limit that strikes, the result depends on the
   * problem and the seed alone, not on the number of threads. Default: no limit.
   */
  rounds?: number;
  /** Integer from 0 to 2^53 - 1. Default 0. */
  seed?: number;
  /** The search runs on the CPU: `'auto'` (default) or `'cpu'`. */
  device?: Device;
  /** At most this many threads of the core's. Default: all. */
  threads?: number;
  /** `[jobs]`: a first solution, -1 for jobs without an agent. It need not be feasible. */
  warmStart?: Int32Array;
  /** Stop when `gap` is at most this. Default 0: only a proof ends the search early. */
  gap?: number;
  signal?: AbortSignal;
  /** Called now and then with the milliseconds spent of those allowed. */
  onProgress?: (done: number, total: number) => void;
}

export interface AssignmentSolution {
  /** The agent of each job. When not feasible: the least violating one found, -1 for jobs without a possible agent. */
  assignment: Int32Array;
  /** Infinity (`'min'`) or -Infinity (`'max'`) when no feasible assignment was found. */
  objective: number;
  /** Proven: no assignment has a better objective. Infinity (`'min'`) or -Infinity when there is proven to be none. */
  bound: number;
  /** `|objective - bound| / |bound|`; 0 when they are equal, Infinity when nothing feasible was found. */
  gap: number;
  /** Whether `assignment` keeps all limits (within 1e-9 of each, relative). */
  feasible: boolean;
  /** `'optimal'` and `'infeasible'` are proven; `'unknown'` means nothing feasible found and none excluded. */
  status: (typeof STATUS)[number];
  timeMs: number;
  /** When the solution returned was found. */
  timeToBestMs: number;
  /** The bound of the linear relaxation. */
  rootBound: number;
  rounds: number;
  /** Nodes of the tree search that raises the bound. */
  nodes: number;
}

/**
 * Solves a generalised assignment problem: the best solution found in the time, and a proven bound of what is possible.
 *
 * Lower bounds come from the entropic dual of the linear relaxation and from a Lagrangian with exact knapsacks that a tree
 * search raises (Posta, Ferland, Michelon 2012); solutions from ejection chains with path relinking (Yagiura, Ibaraki,
 * Glover 2006) and from re-assigning parts of a solution exactly.
 *
 * @throws InvalidArgumentError naming the field; CancelledError or the signal's reason; UnsupportedError for a GPU: the
 *   search is made of short dependent steps, which a GPU would only slow down.
 */
export async function solveAssignment(
  problem: AssignmentProblem,
  options: AssignmentOptions = {},
): Promise<AssignmentSolution> {
  objectIn(options, 'options');
  const native = nativeProblem(problem, options.warmStart);
  if (parseDevice(options.device).kind === 2)
    throw new UnsupportedError("solveAssignment runs on the CPU; use device 'auto' or 'cpu'.", { field: 'device' });
  const timeLimitMs = numberIn(options.timeLimitMs ?? 10_000, 'timeLimitMs', { min: 0, above: true, infinite: true });
  const rounds = options.rounds === undefined ? -1 : numberIn(options.rounds, 'rounds', { min: 0, integer: true });
  const seed = numberIn(options.seed ?? 0, 'seed', { min: 0, max: SEED_MAX, integer: true });
  const threads =
    options.threads === undefined ? 0 : numberIn(options.threads, 'threads', { min: 1, max: 256, integer: true });
  const gap = numberIn(options.gap ?? 0, 'gap', { min: 0 });
  const assignment = new Int32Array(problem.jobs);
  const readings = new Float64Array(8);
  await runJob({ signal: options.signal, onProgress: options.onProgress }, (control) =>
    addon.solveAssignmentJob(...native, timeLimitMs, rounds, seed, threads, gap, assignment, readings, control),
  );
  const objective = readings[READING.objective]!;
  const bound = readings[READING.bound]!;
  const status = STATUS[readings[READING.status]!]!;
  return {
    assignment,
    objective,
    bound,
    gap: relativeGap(objective, bound),
    feasible: status === 'optimal' || status === 'feasible',
    status,
    timeMs: readings[READING.timeMs]!,
    timeToBestMs: readings[READING.timeToBestMs]!,
    rootBound: readings[READING.rootBound]!,
    rounds: readings[READING.rounds]!,
    nodes: readings[READING.nodes]!,
  };
}

export function relativeGap(objective: number, bound: number): number {
  if (!Number.isFinite(objective)) return Number.POSITIVE_INFINITY;
  return objective === bound ? 0 : Math.abs(objective - bound) / Math.abs(bound);
}

/** Checks shapes and copies what the native side reads, which also checks every number. */
export function nativeProblem(problem: AssignmentProblem, warmStart?: Int32Array): NativeProblem {
  objectIn(problem, 'problem');
  const { sense } = problem;
  if (sense !== 'min' && sense !== 'max') refuse('sense', `sense is ${shown(sense)}; it must be 'min' or 'max'.`);
  const size = { min: 1, max: 2 ** 20, integer: true };
  const agents = numberIn(problem.agents, 'agents', size);
  const jobs = numberIn(problem.jobs, 'jobs', size);
  const pairs = agents * jobs;
  const more = listIn(problem.resources, 'resources', 63);
  const budgets = listIn(problem.budgets, 'budgets', 64);
  const loads = [doubles(problem.loads, 'loads', pairs)];
  const capacities = [doubles(problem.capacities, 'capacities', agents)];
  for (const [k, r] of more.entries()) {
    loads.push(doubles(r?.loads, `resources[${k}].loads`, pairs));
    capacities.push(doubles(r.capacities, `resources[${k}].capacities`, agents));
  }
  const amounts = budgets.map((b, k) => doubles(b?.amounts, `budgets[${k}].amounts`, pairs));
  const limits = budgets.map((b, k) => numberIn(b.limit, `budgets[${k}].limit`, { min: 0, infinite: true }));
  return [
    sense === 'min' ? 0 : 1,
    agents,
    jobs,
    loads.length,
    amounts.length,
    doubles(problem.costs, 'costs', pairs).slice(),
    joined(loads),
    joined(capacities),
    joined(amounts),
    Float64Array.from(limits),
    allowedPairs(problem, agents, jobs),
    warmStart === undefined ? undefined : agentsIn(warmStart, jobs).slice(),
  ];
}

function allowedPairs(problem: AssignmentProblem, agents: number, jobs: number): Uint8Array | undefined {
  const { forbidden, deadlines } = problem;
  if (forbidden === undefined && deadlines === undefined) return undefined;
  const allowed = new Uint8Array(agents * jobs).fill(1);
  if (forbidden !== undefined) {
    if (!(forbidden instanceof Uint8Array) || forbidden.length !== allowed.length)
      refuse('forbidden', `forbidden must be a Uint8Array of ${allowed.length} elements (agents x jobs).`);
    for (let k = 0; k < allowed.length; k++) if (forbidden[k]) allowed[k] = 0;
  }
  if (deadlines !== undefined) {
    objectIn(deadlines, 'deadlines');
    const times = doubles(deadlines.times, 'deadlines.times', allowed.length);
    const limits = doubles(deadlines.limits, 'deadlines.limits', jobs);
    const range = { min: 0, infinite: true };
    for (let j = 0; j < jobs; j++) numberIn(limits[j], `deadlines.limits[${j}]`, range);
    for (let k = 0; k < allowed.length; k++)
      if (!(times[k]! <= limits[k % jobs]!)) {
        if (Number.isNaN(times[k]!)) numberIn(times[k], `deadlines.times[${k}]`, range);
        allowed[k] = 0;
      }
  }
  return allowed;
}

function doubles(value: unknown, field: string, length: number): Float64Array {
  if (!(value instanceof Float64Array)) refuse(field, `${field} is ${shown(value)}; it must be a Float64Array.`);
  const array = value as Float64Array;
  if (array.length !== length) refuse(field, `${field} has ${array.length} elements; ${length} are needed.`);
  return array;
}

function agentsIn(value: unknown, jobs: number): Int32Array {
  if (!(value instanceof Int32Array) || value.length !== jobs)
    return refuse('warmStart', `warmStart must be an Int32Array of ${jobs} elements, the agent of each job or -1.`);
  return value;
}

function listIn<T>(value: readonly T[] | undefined, field: string, most: number): readonly T[] {
  if (value === undefined) return [];
  if (!Array.isArray(value) || value.length > most)
    refuse(field, `${field} is ${shown(value)}; it must be an array of at most ${most}.`);
  return value;
}

function joined(parts: readonly Float64Array[]): Float64Array {
  const out = new Float64Array(parts.reduce((sum, p) => sum + p.length, 0));
  let at = 0;
  for (const p of parts) {
    out.set(p, at);
    at += p.length;
  }
  return out;
}
