// What `Consensus.save` writes.
import { InvalidFormatError } from '@x/cuda-core';
import { readSaved, writeSaved } from '@x/cuda-core/addon';
import type { ResolvedLearning } from './beliefs';
import type { Selection } from './decision';
import type { EnergyOptions, ModelOptions } from './options';

export interface SavedCounts {
  successes: number[];
  failures: number[];
}

export interface SavedState {
  models: readonly Required<ModelOptions>[];
  energy: Required<EnergyOptions>;
  learning: ResolvedLearning;
  selection: Selection;
  seed: number;
  schedule: { kind: string; options: Record<string, unknown> };
  step: number;
  /** As text, since it may be Infinity. */
  heat: string;
  totals: SavedCounts;
  domains: [domain: string, counts: SavedCounts][];
}

const SAVED = { format: '@x/thermo-consensus', version: 1 };

export const writeState = (path: string, state: SavedState): Promise<void> => writeSaved(path, SAVED, state);

export async function readState(path: string): Promise<SavedState> {
  const state = await readSaved(path, SAVED);
  const wrong = wrongField(state);
  if (wrong)
    throw new InvalidFormatError(`${path} holds no state of a Consensus: ${wrong} is missing or of the wrong type.`, {
      field: path,
    });
  return state as SavedState;
}

const isObject = (v: unknown): v is Record<string, unknown> => typeof v === 'object' && v !== null && !Array.isArray(v);
const isCounts = (v: unknown) => isObject(v) && Array.isArray(v.successes) && Array.isArray(v.failures);
const isDomain = (v: unknown) => Array.isArray(v) && v.length === 2 && typeof v[0] === 'string' && isCounts(v[1]);

// Types only: ranges are checked by the Consensus that is made of it.
function wrongField(state: unknown): string | undefined {
  if (!isObject(state)) return 'the state';
  const { schedule, domains } = state;
  const parts: Record<string, boolean> = {
    models: Array.isArray(state.models),
    energy: isObject(state.energy),
    learning: isObject(state.learning),
    schedule: isObject(schedule) && typeof schedule.kind === 'string' && isObject(schedule.options),
    heat: typeof state.heat === 'string',
    totals: isCounts(state.totals),
    domains: Array.isArray(domains) && domains.every(isDomain),
  };
  return Object.keys(parts).find((name) => !parts[name]);
}
