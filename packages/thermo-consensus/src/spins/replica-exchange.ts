import type { Device } from '@x/cuda-core';
import {
  booleanIn,
  choiceIn,
  deviceName,
  numberIn,
  objectIn,
  parseDevice,
  refuse,
  runJob,
  SEED_MAX,
  shown,
} from '@x/cuda-core/addon';
import { type DenseIsingModel, type IsingModel, parseIsing } from './ising';
import { addon, CARRIED, SLOT, STEP, TEMPERED } from './native-ising';

export type SpinRule = 'metropolis' | 'heat-bath';

interface TemperatureOptions {
  /** Temperatures in the unit of the energies, above 0; Infinity is fine. Sorted from hot to cold. */
  temperatures?: Float64Array | readonly number[];
  /** Inverse temperatures instead, from 0, finite; sorted. */
  betas?: Float64Array | readonly number[];
}

interface SamplerOptions {
  /** How single spins are updated. Default `'metropolis'`. */
  rule?: SpinRule;
  /** Integer from 0 to 2^53 - 1. Default 0. The result does not depend on the number of threads. */
  seed?: number;
  /**
   * `'auto'` (default) takes a GPU from some thousands of replicas. From 256 replicas on Metropolis sweeps of models of whole
   * weights are bit-sliced, 32 replicas a word, with random numbers of their own on a GPU: the same distribution then, not the
   * same states.
   */
  device?: Device;
  signal?: AbortSignal;
  /** Called now and then with the rounds (or steps) done and their number. */
  onProgress?: (done: number, total: number) => void;
}

export interface ReplicaExchangeOptions extends TemperatureOptions, SamplerOptions {
  /** Independent runs of the whole ladder, at least 1. Default 4, which R-hat can compare. */
  chains?: number;
  /** Rounds before measuring. Default 200. */
  burnIn?: number;
  /** Rounds measured. Default 1000. */
  rounds?: number;
  /** Sweeps before each swap of neighbours; even and odd pairs take turns. Default 1. */
  sweepsPerRound?: number;
  /**
   * How the temperatures between the first and the last adapt before measuring: not at all (default), until all
   * neighbours swap equally often (Syed et al.), or towards where replicas get stuck (Katzgraber et al.).
   */
  ladder?: 'fixed' | 'equal-rejection' | 'feedback';
  /** How often they adapt, each time over twice the rounds of the time before, the first over `burnIn`. Default 4. */
  adaptations?: number;
  /** Houdayer moves between chains at temperatures below the mean coupling; for sparse models. Default false. */
  clusterMoves?: boolean;
  /** Keep the final states of all replicas. Default false. */
  keepSpins?: boolean;
}

/** What one temperature measured, over all chains. */
export interface TemperatureSlot {
  temperature: number;
  beta: number;
  meanEnergy: number;
  energyVariance: number;
  /** `Var E / T²`. */
  heatCapacity: number;
  /** Of swaps with the next colder slot; NaN in the last. */
  swapAcceptance: number;
  /** Of the replicas seen here, the part that visited the hottest slot later than the coldest. */
  upwardFraction: number;
  /** Spin flips a spin and sweep (bit-sliced: of the last sweep of each round). */
  flipAcceptance: number;
  /** `ln Z` by Bennett's ratio from slot to slot; absolute when the hottest beta is 0, else relative to that slot. */
  logPartition: number;
  /** Its standard error, from batches in time. */
  logPartitionError: number;
  /** The same by thermodynamic integration of the mean energy. */
  logPartitionIntegrated: number;
  logPartitionIntegratedError: number;
}

export interface ReplicaExchangeResult {
  /** From hot to cold. */
  slots: TemperatureSlot[];
  /** The energies of a slot, one array of `rounds` a chain: what `diagnostics` reads. */
  energies(slot: number): Float64Array[];
  /** |Σ s| / n of the coldest slot, one array a chain. */
  magnetizations: Float64Array[];
  /** Journeys from the hottest to the coldest slot and back, a chain. */
  roundTrips: number[];
  /** Sum of the swap rejections: the communication barrier. A ladder of about twice as many slots is efficient. */
  barrier: number;
  best: { energy: number; spins: Int8Array };
  /** `[chains x slots x n]` at the end, with `keepSpins`. */
  spins: Int8Array | undefined;
  spinUpdates: number;
  timeMs: number;
  device: string;
}

const RULES: Record<SpinRule, number> = { metropolis: 0, 'heat-bath': 1 };
const LADDERS = { fixed: 0, 'equal-rejection': 1, feedback: 2 } as const;

/** Ladders of temperatures to start from. */
export const ladders = {
  /** `count` temperatures from hot to cold, each the same factor below the one before. */
  geometric({ hottest, coldest, count }: { hottest: number; coldest: number; count: number }): Float64Array {
    numberIn(coldest, 'coldest', { min: 0, above: true });
    numberIn(hottest, 'hottest', { min: coldest, above: true });
    numberIn(count, 'count', { min: 2, max: 4096, integer: true });
    return Float64Array.from({ length: count }, (_, k) => hottest * (coldest / hottest) ** (k / (count - 1)));
  },
};

/**
 * Samples an Ising model at many temperatures at once by replica exchange (parallel tempering), and measures energies,
 * free energies, and how well replicas travel.
 *
 * @throws InvalidArgumentError for a ladder of fewer than two different temperatures, a temperature of 0 (use solveIsing
 *   for ground states), and what solveIsing refuses in a model; the signal's reason when aborted.
 */
export async function replicaExchange(
  model: IsingModel | DenseIsingModel,
  options: ReplicaExchangeOptions,
): Promise<ReplicaExchangeResult> {
  const { n, edges, weights, fields } = parseIsing(model);
  objectIn(options, 'options');
  const betas = betasIn(options, 2).sort();
  const count = (value: number | undefined, field: string, otherwise: number, min: number, max = 2 ** 31 - 1) =>
    numberIn(value ?? otherwise, field, { min, max, integer: true });
  const chains = count(options.chains, 'chains', 4, 1, 65536);
  const rounds = count(options.rounds, 'rounds', 1000, 1);
  const burnIn = count(options.burnIn, 'burnIn', 200, 0);
  const sweepsPerRound = count(options.sweepsPerRound, 'sweepsPerRound', 1, 1);
  const rule = codeIn(options.rule ?? 'metropolis', 'rule', RULES);
  const ladder = codeIn(options.ladder ?? 'fixed', 'ladder', LADDERS);
  const adaptations = count(options.adaptations, 'adaptations', 4, 0, 64);
  const clusterMoves = booleanIn(options.clusterMoves ?? false, 'clusterMoves');
  const keepSpins = booleanIn(options.keepSpins ?? false, 'keepSpins');
  const seed = numberIn(options.seed ?? 0, 'seed', { min: 0, max: SEED_MAX, integer: true });
  const device = parseDevice(options.device);
  const slots = betas.length;
  if (chains * slots * rounds > 2 ** 27)
    refuse(
      'rounds',
      `${chains} chains x ${slots} slots x ${rounds} rounds are more than 2^27 energies; run shorter parts.`,
    );
  if (keepSpins && chains * slots * n > 2 ** 31)
    refuse('keepSpins', `the spins of ${chains * slots} replicas are more than 2^31; keepSpins must be false.`);

  const readings = new Float64Array(slots * SLOT.count);
  const energies = new Float64Array(chains * slots * rounds);
  const magnetizations = new Float64Array(chains * rounds);
  const roundTrips = new Float64Array(chains);
  const spins = keepSpins ? new Int8Array(chains * slots * n) : undefined;
  const best = new Int8Array(n);
  const result = new Float64Array(TEMPERED.count);
  await runJob({ signal: options.signal, onProgress: options.onProgress }, (control) =>
    addon.isingTemperJob(
      n,
      edges,
      weights,
      fields,
      Float64Array.of(
        chains,
        burnIn,
        rounds,
        sweepsPerRound,
        rule,
        ladder,
        ladder === LADDERS.fixed ? 0 : adaptations,
        clusterMoves ? 1 : 0,
        seed,
      ),
      betas,
      device,
      readings,
      energies,
      magnetizations,
      roundTrips,
      spins,
      best,
      result,
      control,
    ),
  );
  return {
    slots: Array.from({ length: slots }, (_, k) => slotOf(readings.subarray(k * SLOT.count, (k + 1) * SLOT.count))),
    energies(slot) {
      numberIn(slot, 'slot', { min: 0, max: slots - 1, integer: true });
      return Array.from({ length: chains }, (_, c) =>
        energies.slice((c * slots + slot) * rounds, (c * slots + slot + 1) * rounds),
      );
    },
    magnetizations: Array.from({ length: chains }, (_, c) => magnetizations.slice(c * rounds, (c + 1) * rounds)),
    roundTrips: Array.from(roundTrips),
    barrier: result[TEMPERED.barrier]!,
    best: { energy: result[TEMPERED.bestEnergy]!, spins: best },
    spins,
    spinUpdates: result[TEMPERED.spinUpdates]!,
    timeMs: result[TEMPERED.seconds]! * 1000,
    device: deviceName({ kind: result[TEMPERED.deviceKind]!, index: result[TEMPERED.deviceIndex]! }),
  };
}

function slotOf(row: Float64Array): TemperatureSlot {
  const beta = row[SLOT.beta]!;
  const energyVariance = row[SLOT.energyVariance]!;
  return {
    temperature: 1 / beta,
    beta,
    meanEnergy: row[SLOT.meanEnergy]!,
    energyVariance,
    heatCapacity: energyVariance * beta ** 2,
    swapAcceptance: row[SLOT.swapAcceptance]!,
    upwardFraction: row[SLOT.upwardFraction]!,
    flipAcceptance: row[SLOT.flipAcceptance]!,
    logPartition: row[SLOT.logPartition]!,
    logPartitionError: row[SLOT.logPartitionError]!,
    logPartitionIntegrated: row[SLOT.logPartitionIntegrated]!,
    logPartitionIntegratedError: row[SLOT.logPartitionIntegratedError]!,
  };
}

export interface PopulationAnnealingOptions extends TemperatureOptions, SamplerOptions {
  /** Replicas of the population. Default 1000. */
  replicas?: number;
  /** Sweeps after each step. Default 10. */
  sweepsPerStep?: number;
  /** Sweeps at the first temperature, from random spins; at beta 0 these are in equilibrium at once. Default 10. */
  firstSweeps?: number;
  /**
   * Resample by the Boltzmann weights of each step (population annealing, default true). With false every replica goes
   * its own way and `works` obey Jarzynski's equality, however fast the path; temperatures are then taken in their order.
   */
  resample?: boolean;
  /** Keep the final states. Default false. */
  keepSpins?: boolean;
}

export interface PopulationAnnealingResult {
  steps: {
    temperature: number;
    beta: number;
    meanEnergy: number;
    /** `ln Z`: absolute when the first beta is 0, else relative to the first step. */
    logPartition: number;
    /** Families of the first step that are left, their mean square size and their entropy in nats. */
    families: number;
    rho: number;
    familyEntropy: number;
  }[];
  /** Of the replicas at the end. */
  energies: Float64Array;
  /** `Σ (beta' - beta) E` along each replica's history, in units of kT. */
  works: Float64Array;
  best: { energy: number; spins: Int8Array };
  /** `[replicas x n]` at the end, with `keepSpins`. */
  spins: Int8Array | undefined;
  spinUpdates: number;
  timeMs: number;
  device: string;
}

/**
 * Carries a population of replicas along a path of temperatures: population annealing, or independent annealing paths.
 *
 * @throws as replicaExchange.
 */
export async function populationAnnealing(
  model: IsingModel | DenseIsingModel,
  options: PopulationAnnealingOptions,
): Promise<PopulationAnnealingResult> {
  const { n, edges, weights, fields } = parseIsing(model);
  objectIn(options, 'options');
  const resample = booleanIn(options.resample ?? true, 'resample');
  const betas = betasIn(options, 1);
  if (resample) betas.sort();
  const count = (value: number | undefined, field: string, otherwise: number, min: number, max: number) =>
    numberIn(value ?? otherwise, field, { min, max, integer: true });
  const replicas = count(options.replicas, 'replicas', 1000, 1, 2 ** 22);
  const sweepsPerStep = count(options.sweepsPerStep, 'sweepsPerStep', 10, 0, 2 ** 31 - 1);
  const firstSweeps = count(options.firstSweeps, 'firstSweeps', 10, 0, 2 ** 31 - 1);
  const rule = codeIn(options.rule ?? 'metropolis', 'rule', RULES);
  const keepSpins = booleanIn(options.keepSpins ?? false, 'keepSpins');
  const seed = numberIn(options.seed ?? 0, 'seed', { min: 0, max: SEED_MAX, integer: true });
  const device = parseDevice(options.device);
  if (keepSpins && replicas * n > 2 ** 31)
    refuse('keepSpins', `the spins of ${replicas} replicas are more than 2^31; keepSpins must be false.`);

  const readings = new Float64Array(betas.length * STEP.count);
  const energies = new Float64Array(replicas);
  const works = new Float64Array(replicas);
  const spins = keepSpins ? new Int8Array(replicas * n) : undefined;
  const best = new Int8Array(n);
  const result = new Float64Array(CARRIED.count);
  await runJob({ signal: options.signal, onProgress: options.onProgress }, (control) =>
    addon.isingPopulationJob(
      n,
      edges,
      weights,
      fields,
      Float64Array.of(replicas, sweepsPerStep, firstSweeps, rule, resample ? 1 : 0, seed),
      betas,
      device,
      readings,
      energies,
      works,
      spins,
      best,
      result,
      control,
    ),
  );
  return {
    steps: Array.from({ length: betas.length }, (_, k) => {
      const row = readings.subarray(k * STEP.count, (k + 1) * STEP.count);
      return {
        temperature: 1 / row[STEP.beta]!,
        beta: row[STEP.beta]!,
        meanEnergy: row[STEP.meanEnergy]!,
        logPartition: row[STEP.logPartition]!,
        families: row[STEP.families]!,
        rho: row[STEP.rho]!,
        familyEntropy: row[STEP.familyEntropy]!,
      };
    }),
    energies,
    works,
    best: { energy: result[CARRIED.bestEnergy]!, spins: best },
    spins,
    spinUpdates: result[CARRIED.spinUpdates]!,
    timeMs: result[CARRIED.seconds]! * 1000,
    device: deviceName({ kind: result[CARRIED.deviceKind]!, index: result[CARRIED.deviceIndex]! }),
  };
}

/** The betas of `temperatures` or `betas`, in the order given. */
function betasIn(options: TemperatureOptions, least: number): Float64Array {
  const { temperatures, betas } = options;
  if ((temperatures === undefined) === (betas === undefined))
    refuse('temperatures', 'either temperatures or betas must be given, and not both.');
  const field = temperatures === undefined ? 'betas' : 'temperatures';
  const given = temperatures ?? betas;
  if (!(given instanceof Float64Array) && !Array.isArray(given))
    refuse(field, `${field} is ${shown(given)}; it must be a Float64Array.`);
  const list = Array.from(given as ArrayLike<number>);
  if (list.length < least) refuse(field, `${field} has ${list.length} elements; at least ${least} are needed.`);
  return Float64Array.from(list, (value, k) => {
    if (temperatures === undefined) return numberIn(value, `betas[${k}]`, { min: 0 });
    const beta = 1 / numberIn(value, `temperatures[${k}]`, { min: 0, above: true, infinite: true });
    if (beta === Number.POSITIVE_INFINITY)
      refuse(`temperatures[${k}]`, `temperatures[${k}] is ${value}; it must be so large that its inverse is finite.`);
    return beta;
  });
}

/** What native code calls it. */
const codeIn = <T extends string>(value: T, field: string, codes: Record<T, number>): number =>
  codes[choiceIn(value, field, Object.keys(codes) as T[])];
