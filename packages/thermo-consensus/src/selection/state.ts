// What `Consensus.save` writes, and how it becomes a Consensus again.
import { InvalidFormatError, UnsupportedError } from '@x/cuda-core';
import { numberIn, objectIn, readSaved, refuse, writeSaved } from '@x/cuda-core/addon';
import type { Beliefs, Counts, ResolvedLearning } from '../learning/beliefs';
import type { ChangeDetectorState } from '../learning/change-detector';
import type { SavedPopulations } from '../learning/pooling';
import type { SavedRequestBelief } from '../learning/request-belief';
import type { ScheduleState } from '../schedules/schedules';
import type { Selection } from './decision';
import type { LatencyState } from './latency';
import type { ModelOptions } from './options';
import type { ResolvedTarget, SavedRequest } from './quality-target';

export interface SavedCounts {
  successes: number[];
  failures: number[];
}

export interface SavedBeliefs {
  totals: SavedCounts;
  domains: [domain: string, counts: SavedCounts][];
  detectors: [domain: string, model: number, state: ChangeDetectorState][];
  /** Missing without `pooling: 'auto'`, and in files from before populations were learnt. */
  populations?: SavedPopulations;
}

export interface SavedState {
  models: readonly ModelOptions[];
  energy: Record<string, unknown>;
  learning: ResolvedLearning;
  selection: Selection;
  seed: number;
  schedule: { kind: string; options: Record<string, unknown> };
  step: number;
  /** The schedule's state, as text, since it may be Infinity; several numbers are parted by blanks. */
  heat: string;
  beliefs: SavedBeliefs;
  latencies: LatencyState[];
  /** Tokens billed, by model. */
  billed: number[];
  utilities: { count: number; mean: number };
  /** The last distribution drawn from. */
  previous: number[] | null;
  entropyProduction: number;
  /** With a target only. */
  target?: ResolvedTarget;
  requests?: SavedRequest[];
  /** Where something was learnt of texts or features. */
  context?: SavedRequestBelief;
}

const FORMAT = '@x/thermo-consensus';
const VERSION = 3;

export const writeState = (path: string, state: SavedState): Promise<void> =>
  writeSaved(path, { format: FORMAT, version: VERSION }, state);

export async function readState(path: string): Promise<SavedState> {
  const state = await readAnyVersion(path);
  const wrong = wrongField(state);
  if (wrong)
    throw new InvalidFormatError(`${path} holds no state of a Consensus: ${wrong} is missing or of the wrong type.`, {
      field: path,
    });
  return state as SavedState;
}

/** What earlier versions wrote lacks what is learnt since. @throws UnsupportedError for versions to come. */
async function readAnyVersion(path: string): Promise<unknown> {
  const current = await readSaved(path, { format: FORMAT, version: VERSION }).catch(unlessOther);
  if (!(current instanceof UnsupportedError)) return current;
  const second = await readSaved(path, { format: FORMAT, version: 2 }).catch(unlessOther);
  if (!(second instanceof UnsupportedError)) return second;
  const first = await readSaved(path, { format: FORMAT, version: 1 }).catch(unlessOther);
  if (!(first instanceof UnsupportedError)) return upgraded(first);
  throw current;
}

function unlessOther(error: unknown): UnsupportedError {
  if (error instanceof UnsupportedError) return error;
  throw error;
}

function upgraded(old: unknown): unknown {
  if (!isObject(old)) return old;
  const { totals, domains, ...kept } = old;
  const count = Array.isArray(old.models) ? old.models.length : 0;
  const latencies = Array.from({ length: count }, (_, i) => {
    const { latency } = (old.models as { latency?: number }[])[i] ?? {};
    return { mean: latency ? Math.log(latency) : 0, kappa: latency ? 1 : 0, alpha: 2, beta: 0.5 };
  });
  return {
    ...kept,
    beliefs: { totals, domains, detectors: [] },
    latencies,
    billed: new Array(count).fill(0),
    utilities: { count: 0, mean: 0 },
    previous: null,
    entropyProduction: 0,
  };
}

const isObject = (v: unknown): v is Record<string, unknown> => typeof v === 'object' && v !== null && !Array.isArray(v);
const isCounts = (v: unknown) => isObject(v) && Array.isArray(v.successes) && Array.isArray(v.failures);
const isDomain = (v: unknown) => Array.isArray(v) && v.length === 2 && typeof v[0] === 'string' && isCounts(v[1]);
const isDetector = (v: unknown) =>
  Array.isArray(v) &&
  typeof v[0] === 'string' &&
  typeof v[1] === 'number' &&
  isObject(v[2]) &&
  Array.isArray(v[2].older) &&
  Array.isArray(v[2].recent);

// Types only: ranges are checked by the Consensus that is made of it.
function wrongField(state: unknown): string | undefined {
  if (!isObject(state)) return 'the state';
  const { schedule, beliefs } = state;
  const parts: Record<string, boolean> = {
    models: Array.isArray(state.models),
    energy: isObject(state.energy),
    learning: isObject(state.learning),
    schedule: isObject(schedule) && typeof schedule.kind === 'string' && isObject(schedule.options),
    heat: typeof state.heat === 'string',
    totals: isObject(beliefs) && isCounts(beliefs.totals),
    domains: isObject(beliefs) && Array.isArray(beliefs.domains) && beliefs.domains.every(isDomain),
    detectors: isObject(beliefs) && Array.isArray(beliefs.detectors) && beliefs.detectors.every(isDetector),
    populations: isObject(beliefs) && (beliefs.populations === undefined || isObject(beliefs.populations)),
    latencies: Array.isArray(state.latencies),
    billed: Array.isArray(state.billed),
    target: state.target === undefined || isObject(state.target),
    requests: state.requests === undefined || Array.isArray(state.requests),
    context: state.context === undefined || isObject(state.context),
    utilities: isObject(state.utilities),
    previous: state.previous === null || Array.isArray(state.previous),
  };
  return Object.keys(parts).find((name) => !parts[name]);
}

export function savedBeliefs(beliefs: Beliefs): SavedBeliefs {
  return {
    totals: plain(beliefs.totals),
    domains: [...beliefs.domains].map(([domain, counts]) => [domain, plain(counts)]),
    detectors: [...beliefs.detectors].flatMap(([domain, row]) =>
      row.flatMap((detector, model) =>
        detector ? [[domain, model, detector.toJSON()] as [string, number, ChangeDetectorState]] : [],
      ),
    ),
    ...(beliefs.populations && { populations: beliefs.populations.toJSON() }),
  };
}

export function restoreBeliefs(beliefs: Beliefs, saved: SavedBeliefs): void {
  const totals = countsFrom(saved.totals, beliefs.models, 'totals');
  beliefs.totals.successes.set(totals.successes);
  beliefs.totals.failures.set(totals.failures);
  for (const [domain, counts] of saved.domains)
    beliefs.restore(domain, countsFrom(counts, beliefs.models, `domains[${JSON.stringify(domain)}]`));
  for (const [domain, model, state] of saved.detectors) {
    numberIn(model, 'detectors', { min: 0, max: beliefs.models - 1, integer: true });
    beliefs.restoreDetector(domain, model, state);
  }
  beliefs.restorePopulations(saved.populations);
}

const plain = (counts: Pick<Counts, 'successes' | 'failures'>) => ({
  successes: [...counts.successes],
  failures: [...counts.failures],
});

function countsFrom(saved: SavedCounts, models: number, field: string): Omit<Counts, 'memo'> {
  const column = (values: number[], name: string) => {
    if (values.length !== models)
      refuse(`${field}.${name}`, `${field}.${name} has ${values.length} entries for ${models} models.`);
    return Float64Array.from(values, (v, i) => numberIn(v, `${field}.${name}[${i}]`, { min: 0, max: 9e8 }));
  };
  return { successes: column(saved.successes, 'successes'), failures: column(saved.failures, 'failures') };
}

// JSON has no Infinity, which a constant schedule and a weight may hold.
export const numbersToJson = (options: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(options).map(([k, v]) => [k, v === Number.POSITIVE_INFINITY ? 'Infinity' : v]));
export const numbersFromJson = (options: Record<string, unknown>): Record<string, never> =>
  Object.fromEntries(
    Object.entries(objectIn(options, 'options')).map(([k, v]) => [k, v === 'Infinity' ? Number.POSITIVE_INFINITY : v]),
  ) as Record<string, never>;

export const encodeHeat = (state: ScheduleState): string =>
  typeof state === 'number' ? String(state) : state.join(' ');

/** @throws InvalidArgumentError when it is no state of a schedule that begins with `initial`. */
export function decodeHeat(text: string, initial: ScheduleState): ScheduleState {
  if (typeof initial === 'number') return numberIn(Number(text), 'heat', { min: 0, infinite: true });
  const state = text.split(' ').map((word) => numberIn(Number(word), 'heat'));
  if (state.length !== initial.length)
    refuse('heat', `heat holds ${state.length} numbers where the schedule needs ${initial.length}.`);
  return state;
}
