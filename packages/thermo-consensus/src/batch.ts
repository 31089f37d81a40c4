import type { Device } from '@x/cuda-core';
import { type JobOptions, numberIn, objectIn, parseDevice, refuse, runJob, SEED_MAX, shown } from '@x/cuda-core/addon';
import { addon, READING } from './native';

// The caller may change an array, or transfer its memory to a worker, while a job reads it: jobs get their own.
const own = (values: Float64Array): Float64Array => values.slice();

export interface BatchOptions {
  /** `'auto'` (default) takes a GPU for batches that are large enough to pay. */
  device?: Device;
  signal?: AbortSignal;
  /** Called now and then with the rows or pairs done, and at the end. */
  onProgress?: (done: number, total: number) => void;
}

export interface RandomOptions {
  /** Integer from 0 to 2^53 - 1. Default 0. */
  seed?: number;
  /** Row or pair `i` uses the random numbers of stream `stream + i`; integer from 0 to 2^53 - 1. Default 0. */
  stream?: number;
}

export interface BoltzmannBatch {
  /** `[rows x models]`, row-major. */
  probabilities: Float64Array;
  /** The column drawn in each row. */
  choices: Int32Array;
  /** `ln Z`, `F = -T ln Z`, `U` and `S` (nats) of each row. */
  logPartition: Float64Array;
  freeEnergy: Float64Array;
  meanEnergy: Float64Array;
  entropy: Float64Array;
}

/**
 * Boltzmann distributions of many rows of energies, and one draw of each.
 *
 * @param energies `[rows x models]`, row-major; within ±1e300, or +Infinity for what must not be chosen.
 * @param options.models energies a row, from 1.
 * @param options.temperature one for all rows or one a row, in the unit of the energies, 0 to Infinity. 0 is the limit:
 *   uniform over the exact ties of the lowest energy; Infinity is uniform.
 * @throws InvalidArgumentError naming the row, for NaN, a row without a possible choice, a negative temperature;
 *   DeviceUnavailableError, DeviceFailedError, OutOfMemoryError for a device asked for by name. Arrays must not be
 *   changed before the promise settles.
 */
export async function boltzmann(
  energies: Float64Array,
  options: { models: number; temperature: number | Float64Array } & RandomOptions & BatchOptions,
): Promise<BoltzmannBatch> {
  objectIn(options, 'options');
  requireDoubles(energies, 'energies');
  const models = numberIn(options.models, 'models', { min: 1, max: 2 ** 20, integer: true });
  const rows = energies.length / models;
  if (!Number.isInteger(rows))
    refuse('energies', `energies has ${energies.length} elements, which are no whole rows of ${models}.`);
  const { temperature } = options;
  const temperatures =
    typeof temperature === 'number'
      ? new Float64Array(rows).fill(temperature)
      : requireDoubles(temperature, 'temperature');
  requireLength(temperatures, rows, 'temperature');
  const probabilities = new Float64Array(energies.length);
  const readings = new Float64Array(rows * READING.count);
  const choices = new Int32Array(rows);
  const { seed, stream } = randomness(options);
  const device = parseDevice(options.device);
  await runJob(jobOptions(options), (control) =>
    addon.boltzmannJob(
      own(energies),
      own(temperatures),
      seed,
      stream,
      device,
      probabilities,
      readings,
      choices,
      control,
    ),
  );
  const column = (c: number) => Float64Array.from({ length: rows }, (_, row) => readings[row * READING.count + c]!);
  return {
    probabilities,
    choices,
    logPartition: column(READING.logPartition),
    freeEnergy: column(READING.freeEnergy),
    meanEnergy: column(READING.meanEnergy),
    entropy: column(READING.entropy),
  };
}

/** Parameters of Beta distributions, one pair an element. */
export interface BetaPairs {
  alpha: Float64Array;
  beta: Float64Array;
}

/**
 * Conjugate Beta-Bernoulli updates: `alpha' = a0 + g (alpha - a0) + successes`, likewise beta, with prior `(a0, b0)` and
 * forgetting `g` (above 0 to 1, default 1). V. Raj, S. Kalyani, arXiv 1707.09727.
 *
 * @param outcomes successes and failures of each pair, 0 or more; parts of an outcome are fine.
 * @throws InvalidArgumentError naming the pair.
 */
export async function updateBeta(
  pairs: BetaPairs,
  outcomes: { successes: Float64Array; failures: Float64Array },
  options: { prior?: { alpha: number; beta: number }; forgetting?: number } & BatchOptions = {},
): Promise<BetaPairs> {
  objectIn(options, 'options');
  const { alpha, beta } = requirePairs(pairs);
  const successes = requireLength(requireDoubles(outcomes?.successes, 'successes'), alpha.length, 'successes');
  const failures = requireLength(requireDoubles(outcomes?.failures, 'failures'), alpha.length, 'failures');
  const prior = objectIn(options.prior ?? { alpha: 0, beta: 0 }, 'prior');
  const priorAlpha = numberIn(prior.alpha, 'prior.alpha', { min: 0 });
  const priorBeta = numberIn(prior.beta, 'prior.beta', { min: 0 });
  const forgetting = numberIn(options.forgetting ?? 1, 'forgetting', { min: 0, above: true, max: 1 });
  const out = { alpha: new Float64Array(alpha.length), beta: new Float64Array(alpha.length) };
  const device = parseDevice(options.device);
  await runJob(jobOptions(options), (control) =>
    addon.betaUpdateJob(
      own(alpha),
      own(beta),
      own(successes),
      own(failures),
      priorAlpha,
      priorBeta,
      forgetting,
      device,
      out.alpha,
      out.beta,
      control,
    ),
  );
  return out;
}

/**
 * Mean, variance and equal-tailed credible interval of each Beta distribution, by inverting the regularised incomplete
 * beta function (DLMF 8.17). Parameters are 1e-9 to 1e9; `level` is above 0 and below 1, default 0.95.
 */
export async function summarizeBeta(
  pairs: BetaPairs,
  options: { level?: number } & BatchOptions = {},
): Promise<{ mean: Float64Array; variance: Float64Array; lower: Float64Array; upper: Float64Array }> {
  objectIn(options, 'options');
  const { alpha, beta } = requirePairs(pairs);
  const level = numberIn(options.level ?? 0.95, 'level');
  const make = () => new Float64Array(alpha.length);
  const out = { mean: make(), variance: make(), lower: make(), upper: make() };
  const device = parseDevice(options.device);
  await runJob(jobOptions(options), (control) =>
    addon.betaSummaryJob(own(alpha), own(beta), level, device, out.mean, out.variance, out.lower, out.upper, control),
  );
  return out;
}

/** One draw of each Beta distribution (Thompson sampling). Parameters are 1e-9 to 1e9. */
export async function sampleBeta(pairs: BetaPairs, options: RandomOptions & BatchOptions = {}): Promise<Float64Array> {
  objectIn(options, 'options');
  const { alpha, beta } = requirePairs(pairs);
  const draws = new Float64Array(alpha.length);
  const { seed, stream } = randomness(options);
  const device = parseDevice(options.device);
  await runJob(jobOptions(options), (control) =>
    addon.betaSampleJob(own(alpha), own(beta), seed, stream, device, draws, control),
  );
  return draws;
}

const jobOptions = (options: BatchOptions): JobOptions => ({ signal: options.signal, onProgress: options.onProgress });

function randomness(options: RandomOptions): { seed: number; stream: number } {
  const range = { min: 0, max: SEED_MAX, integer: true };
  return { seed: numberIn(options.seed ?? 0, 'seed', range), stream: numberIn(options.stream ?? 0, 'stream', range) };
}

function requireDoubles(value: unknown, field: string): Float64Array {
  if (!(value instanceof Float64Array)) refuse(field, `${field} is ${shown(value)}; it must be a Float64Array.`);
  return value as Float64Array;
}

function requireLength(array: Float64Array, length: number, field: string): Float64Array {
  if (array.length !== length) refuse(field, `${field} has ${array.length} elements; ${length} are needed.`);
  return array;
}

function requirePairs(pairs: BetaPairs): BetaPairs {
  const alpha = requireDoubles(pairs?.alpha, 'alpha');
  return { alpha, beta: requireLength(requireDoubles(pairs.beta, 'beta'), alpha.length, 'beta') };
}
