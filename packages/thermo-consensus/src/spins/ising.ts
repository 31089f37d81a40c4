import type { Device } from '@x/cuda-core';
import { deviceName, numberIn, objectIn, parseDevice, refuse, runJob, SEED_MAX, shown } from '@x/cuda-core/addon';
import { addon, SOLVED } from './native-ising';

/** A graph of `n` nodes: flat pairs of nodes from 0. A pair may come more than once (its weights add up). */
export interface WeightedGraph {
  n: number;
  /** `[i0, j0, i1, j1, ...]`, nodes 0 to n - 1, never a node with itself. */
  edges: Int32Array | readonly number[];
  /** One a pair, finite; all 1 when left out. */
  weights?: Float64Array | readonly number[];
}

/**
 * An Ising model, spins `s_i = ±1`, with the textbook signs:
 *
 * `E(s) = -Σ w_ij s_i s_j - Σ h_i s_i`
 *
 * so a positive weight wants its two spins equal, and a positive field wants its spin to be +1. For the opposite
 * convention (`E = Σ J s s + Σ h s`, as annealers have it) pass `-J` and `-h`.
 */
export interface IsingModel extends WeightedGraph {
  /** `h`, one a spin; none when left out. */
  fields?: Float64Array | readonly number[];
}

/** The same with a symmetric matrix `[n x n]`, row-major, of zero diagonal: `E = -Σ_{i<j} M_ij s_i s_j - Σ h_i s_i`. */
export interface DenseIsingModel {
  n: number;
  matrix: Float64Array | readonly number[];
  fields?: Float64Array | readonly number[];
}

/** Minimise `Σ w_ij x_i x_j + Σ c_i x_i` over `x_i = 0 or 1`. A pair of a node with itself counts as linear. */
export interface QuboModel extends WeightedGraph {
  /** `c`, one a variable; none when left out. */
  linear?: Float64Array | readonly number[];
}

/** Minimise `xᵀ Q x`; `matrix` is `[n x n]`, row-major, symmetric or not. */
export interface DenseQuboModel {
  n: number;
  matrix: Float64Array | readonly number[];
}

export interface SolveOptions {
  /** Wall-clock limit of the whole call, above 0. Default 1000; without limit when `rounds` is given. */
  timeLimitMs?: number;
  /** Integer from 0 to 2^53 - 1. Default 0. */
  seed?: number;
  /** Most CPU threads to use, 1 to 256. Default: all. */
  threads?: number;
  /** `'auto'` (default) takes a GPU when there is one and the model is not small. */
  device?: Device;
  /** Stop as soon as the objective is at least as good. */
  target?: number;
  /**
   * Rounds of each population instead of a time: the result then depends on the seed alone, on any number of CPU threads,
   * unless a limit of time, the target or the signal ends it before.
   */
  rounds?: number;
  /** Populations of lineages side by side on the CPU. Default: one a thread, or two with `rounds`. */
  populations?: number;
  /** Spins ±1 to start from; the result is never worse. */
  start?: Int8Array | readonly number[];
  signal?: AbortSignal;
  /** Called now and then with the milliseconds gone and the limit; without a limit, with the rounds done and their number. */
  onProgress?: (done: number, total: number) => void;
}

export interface Solution {
  /** ±1 each. */
  spins: Int8Array;
  /** Of the whole call. */
  timeMs: number;
  /** When the solution was found. */
  bestTimeMs: number;
  targetReached: boolean;
  /** No better solution exists: the exact reduction solved the model, or every bond is satisfied. */
  proven: boolean;
  /** Spins left after the exact reduction. */
  kernelSpins: number;
  rounds: number;
  spinUpdates: number;
  device: string;
}

/**
 * The ground state of an Ising model, as far as it is found within the limits. Spins with few neighbours are removed
 * exactly; the rest is annealed in populations of 512 lineages by bit-sliced Metropolis sweeps, each lineage keeping the
 * better part of every component in which old and new state differ. Where at least a tenth of all pairs interact, lineages
 * are annealed one by one with local fields that every flip keeps up to date.
 *
 * @throws InvalidArgumentError for an empty model, an edge of a spin with itself or out of range, weights that are not
 *   finite or add up beyond 1e300, and options out of range; the signal's reason when aborted.
 */
export async function solveIsing(
  model: IsingModel | DenseIsingModel,
  options: SolveOptions = {},
): Promise<Solution & { energy: number }> {
  const parsed = parseIsing(model);
  const { result, spins } = await run(parsed, options, (target) => target);
  return { energy: result[SOLVED.energy]!, ...solution(result, spins) };
}

/**
 * The least value of a QUBO, found as an Ising model with `x = (1 + s) / 2`. `values` holds `x`, `spins` the same as ±1.
 *
 * @throws as solveIsing.
 */
export async function solveQubo(
  model: QuboModel | DenseQuboModel,
  options: SolveOptions = {},
): Promise<Solution & { energy: number; values: Int8Array }> {
  const qubo = parseQubo(model);
  // x_i x_j = (1 + s_i + s_j + s_i s_j) / 4 and x_i = (1 + s_i) / 2.
  const { n, edges, weights, linear } = qubo;
  const fields = linear.map((c) => -c / 2);
  let offset = linear.reduce((sum, c) => sum + c / 2, 0);
  for (let k = 0; k < weights.length; k++) {
    const quarter = weights[k]! / 4;
    fields[edges[2 * k]!]! -= quarter;
    fields[edges[2 * k + 1]!]! -= quarter;
    offset += quarter;
  }
  const ising = { n, edges, weights: weights.map((w) => -w / 4), fields };
  const { result, spins } = await run(ising, options, (target) => target - offset);
  const values = spins.map((s) => (s + 1) / 2);
  let energy = 0;
  for (let i = 0; i < n; i++) energy += linear[i]! * values[i]!;
  for (let k = 0; k < weights.length; k++) energy += weights[k]! * values[edges[2 * k]!]! * values[edges[2 * k + 1]!]!;
  return { energy, values, ...solution(result, spins) };
}

/** `E(s)` of a model. */
export function isingEnergy(model: IsingModel | DenseIsingModel, spins: Int8Array | readonly number[]): number {
  const { n, edges, weights, fields } = parseIsing(model);
  const s = spinsIn(spins, n, 'spins');
  let energy = 0;
  for (let k = 0; k < weights.length; k++) energy -= weights[k]! * s[edges[2 * k]!]! * s[edges[2 * k + 1]!]!;
  for (let i = 0; i < n; i++) energy -= (fields?.[i] ?? 0) * s[i]!;
  return energy;
}

export interface ParsedIsing {
  n: number;
  edges: Int32Array;
  weights: Float64Array;
  fields: Float64Array | undefined;
}

const MOST_SPINS = 2 ** 22;

/** Copies what the caller may change while a job runs, and checks what the native side cannot name as well. */
export function parseIsing(model: IsingModel | DenseIsingModel): ParsedIsing {
  objectIn(model, 'model');
  const n = sizeIn(model.n);
  const fields = model.fields === undefined ? undefined : doublesIn(model.fields, 'fields', n);
  if (!('matrix' in model)) return { ...parseGraph(model, n), fields };
  const matrix = doublesIn(model.matrix, 'matrix', n * n);
  const diagonal = matrix.findIndex((w, k) => k % (n + 1) === 0 && w !== 0);
  if (diagonal >= 0)
    refuse('matrix', `matrix[${diagonal % n}, ${diagonal % n}] is ${matrix[diagonal]}; the diagonal must be 0.`);
  const pairs = matrix.reduce((count, w) => count + (w === 0 ? 0 : 1), 0) / 2;
  const edges = new Int32Array(2 * Math.ceil(pairs));
  const weights = new Float64Array(Math.ceil(pairs));
  let k = 0;
  for (let i = 0; i < n; i++) {
    for (let j = i + 1; j < n; j++) {
      const w = matrix[i * n + j]!;
      // NaN is not equal to itself and ends here too.
      if (w !== matrix[j * n + i])
        refuse(
          'matrix',
          `matrix[${i}, ${j}] and matrix[${j}, ${i}] are ${w} and ${matrix[j * n + i]}; they must be equal.`,
        );
      if (w === 0) continue;
      edges[2 * k] = i;
      edges[2 * k + 1] = j;
      weights[k++] = w;
    }
  }
  return { n, edges, weights, fields };
}

/** Edges and weights of a graph of n nodes, as arrays of their own. */
export function parseGraph(graph: WeightedGraph, n: number): Omit<ParsedIsing, 'fields'> {
  const edges = edgesIn(graph.edges, n);
  const pairs = edges.length / 2;
  if (!Number.isInteger(pairs))
    refuse('edges', `edges has ${edges.length} elements; it must hold pairs, so an even number.`);
  const weights =
    graph.weights === undefined ? new Float64Array(pairs).fill(1) : doublesIn(graph.weights, 'weights', pairs);
  return { n, edges, weights };
}

function parseQubo(model: QuboModel | DenseQuboModel): {
  n: number;
  edges: Int32Array;
  weights: Float64Array;
  linear: Float64Array;
} {
  objectIn(model, 'model');
  const n = sizeIn(model.n);
  const pairs: number[] = [];
  const values: number[] = [];
  let linear: Float64Array = new Float64Array(n);
  const take = (i: number, j: number, w: number) => {
    if (i === j) {
      linear[i]! += w;
    } else if (w !== 0) {
      pairs.push(i, j);
      values.push(w);
    }
  };
  if ('matrix' in model) {
    const matrix = doublesIn(model.matrix, 'matrix', n * n);
    const bad = matrix.findIndex((w) => !Number.isFinite(w));
    if (bad >= 0) refuse('matrix', `matrix[${Math.floor(bad / n)}, ${bad % n}] is ${matrix[bad]}; it must be finite.`);
    for (let i = 0; i < n; i++) {
      take(i, i, matrix[i * n + i]!);
      for (let j = i + 1; j < n; j++) take(i, j, matrix[i * n + j]! + matrix[j * n + i]!);
    }
  } else {
    if (model.linear !== undefined) linear = doublesIn(model.linear, 'linear', n);
    const graph = parseGraph(model, n);
    for (let k = 0; k < graph.weights.length; k++) {
      const i = graph.edges[2 * k]!;
      if (i < 0 || i >= n) refuse('edges', `edge ${k} names node ${i}; nodes are 0 to ${n - 1}.`);
      if (!Number.isFinite(graph.weights[k]!))
        refuse('weights', `weight ${k} is ${graph.weights[k]}; weights must be finite.`);
      take(i, graph.edges[2 * k + 1]!, graph.weights[k]!);
    }
  }
  const bad = linear.findIndex((c) => !Number.isFinite(c));
  if (bad >= 0) refuse('linear', `linear ${bad} is ${linear[bad]}; it must be finite.`);
  const edges = Int32Array.from(pairs);
  for (const node of edges)
    if (node < 0 || node >= n) refuse('edges', `an edge names node ${node}; nodes are 0 to ${n - 1}.`);
  return { n, edges, weights: Float64Array.from(values), linear };
}

/** Runs the native search; `toEnergy` turns the caller's target into an energy. */
export async function run(
  model: ParsedIsing,
  options: SolveOptions,
  toEnergy: (target: number) => number,
): Promise<{ result: Float64Array; spins: Int8Array }> {
  objectIn(options, 'options');
  const rounds = numberIn(options.rounds ?? 0, 'rounds', { min: options.rounds === undefined ? 0 : 1, integer: true });
  const limit = options.timeLimitMs ?? (rounds > 0 ? Number.POSITIVE_INFINITY : 1000);
  const timeLimitMs = numberIn(limit, 'timeLimitMs', { min: 0, above: true, infinite: true });
  const seed = numberIn(options.seed ?? 0, 'seed', { min: 0, max: SEED_MAX, integer: true });
  const whole = (value: number | undefined, field: string, max: number) =>
    value === undefined ? 0 : numberIn(value, field, { min: 1, max, integer: true });
  const threads = whole(options.threads, 'threads', 256);
  const populations = whole(options.populations, 'populations', 4096);
  const target = options.target === undefined ? Number.NEGATIVE_INFINITY : toEnergy(numberIn(options.target, 'target'));
  const start = options.start === undefined ? undefined : spinsIn(options.start, model.n, 'start');
  const device = parseDevice(options.device);
  const spins = new Int8Array(model.n);
  const result = new Float64Array(SOLVED.count);
  await runJob({ signal: options.signal, onProgress: options.onProgress }, (control) =>
    addon.isingSolveJob(
      model.n,
      model.edges,
      model.weights,
      model.fields,
      Float64Array.of(seed, timeLimitMs / 1000, target, rounds, threads, populations),
      start,
      device,
      spins,
      result,
      control,
    ),
  );
  return { result, spins };
}

export function solution(result: Float64Array, spins: Int8Array): Solution {
  return {
    spins,
    timeMs: result[SOLVED.seconds]! * 1000,
    bestTimeMs: result[SOLVED.bestSeconds]! * 1000,
    targetReached: result[SOLVED.targetReached] === 1,
    proven: result[SOLVED.proven] === 1,
    kernelSpins: result[SOLVED.kernelSpins]!,
    rounds: result[SOLVED.rounds]!,
    spinUpdates: result[SOLVED.spinUpdates]!,
    device: deviceName({ kind: result[SOLVED.deviceKind]!, index: result[SOLVED.deviceIndex]! }),
  };
}

export const sizeIn = (n: unknown): number => numberIn(n, 'n', { min: 1, max: MOST_SPINS, integer: true });

export function doublesIn(value: unknown, field: string, length: number): Float64Array {
  if (!(value instanceof Float64Array) && !Array.isArray(value))
    refuse(field, `${field} is ${shown(value)}; it must be a Float64Array.`);
  const list = value as ArrayLike<number>;
  if (list.length !== length) refuse(field, `${field} has ${list.length} elements; ${length} are needed.`);
  if (Array.isArray(value)) {
    const odd = value.findIndex((x) => typeof x !== 'number');
    if (odd >= 0) refuse(field, `${field}[${odd}] is ${shown(value[odd])}; it must be a number.`);
  }
  return Float64Array.from(list);
}

function edgesIn(value: unknown, n: number): Int32Array {
  if (value instanceof Int32Array) return value.slice();
  if (!Array.isArray(value)) refuse('edges', `edges is ${shown(value)}; it must be an Int32Array of flat pairs.`);
  const list = value as readonly unknown[];
  return Int32Array.from(list, (node, k) => numberIn(node, `edges[${k}]`, { min: 0, max: n - 1, integer: true }));
}

export function spinsIn(value: unknown, n: number, field: string): Int8Array {
  if (!(value instanceof Int8Array) && !Array.isArray(value))
    refuse(field, `${field} is ${shown(value)}; it must be an Int8Array of 1 and -1.`);
  const list = value as ArrayLike<number>;
  if (list.length !== n) refuse(field, `${field} has ${list.length} elements; ${n} are needed.`);
  for (let i = 0; i < n; i++)
    if (list[i] !== 1 && list[i] !== -1) refuse(field, `${field}[${i}] is ${shown(list[i])}; spins are 1 or -1.`);
  return Int8Array.from(list);
}
