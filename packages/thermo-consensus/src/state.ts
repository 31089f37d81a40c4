// The file that `Consensus.save` writes: JSON, versioned, with a checksum, replaced atomically.
import { createHash, randomBytes } from 'node:crypto';
import { open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { InvalidArgumentError, InvalidFormatError, IoError, NotFoundError, UnsupportedError } from '@x/cuda-core';
import type { ResolvedLearning } from './beliefs';
import { shown } from './check';
import type { Selection } from './decision';
import type { EnergyOptions, ModelOptions } from './options';

const FORMAT = '@x/thermo-consensus';
const VERSION = 1;

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

const digest = (text: string) => createHash('sha256').update(text).digest('hex');
const codeOf = (error: unknown) => (error as NodeJS.ErrnoException).code;

export async function writeState(path: string, state: SavedState): Promise<void> {
  if (typeof path !== 'string' || path === '')
    throw new InvalidArgumentError(`path is ${shown(path)}; it must be the name of a file.`, { field: 'path' });
  const body = JSON.stringify(state);
  const text = `${JSON.stringify({ format: FORMAT, version: VERSION, sha256: digest(body) })}\n${body}\n`;
  // In the same folder, so that the rename stays within one file system.
  const temporary = `${path}.${process.pid}-${randomBytes(6).toString('hex')}.tmp`;
  try {
    const file = await open(temporary, 'wx', 0o644);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw new IoError(`${path} could not be written: ${(error as Error).message}`, { field: path, cause: error });
  }
  await syncFolder(dirname(path));
}

// Makes the rename itself durable. Some file systems refuse to open or sync a folder; the file is whole even so.
async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, 'r');
    await handle.sync().finally(() => handle.close());
  } catch {}
}

export async function readState(path: string): Promise<SavedState> {
  if (typeof path !== 'string' || path === '')
    throw new InvalidArgumentError(`path is ${shown(path)}; it must be the name of a file.`, { field: 'path' });
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    const details = { field: path, cause: error };
    if (codeOf(error) === 'ENOENT') throw new NotFoundError(`${path} does not exist.`, details);
    throw new IoError(`${path} could not be read: ${(error as Error).message}`, details);
  }
  const corrupt = (what: string, offset: number) =>
    new InvalidFormatError(`${path} is no state saved by ${FORMAT}: ${what}.`, { field: path, offset });
  const end = text.indexOf('\n');
  let head: { format?: unknown; version?: unknown; sha256?: unknown } | null;
  try {
    head = JSON.parse(end < 0 ? text : text.slice(0, end));
  } catch {
    throw corrupt('its first line is not JSON', 0);
  }
  if (typeof head !== 'object' || head === null || head.format !== FORMAT)
    throw corrupt('its first line does not say so', 0);
  if (head.version !== VERSION)
    throw new UnsupportedError(
      `${path} has version ${shown(head.version)} of the format; this package reads version ${VERSION}. Update it.`,
      { field: path },
    );
  const body = text.slice(end + 1).replace(/\n$/, '');
  if (end < 0 || digest(body) !== head.sha256)
    throw corrupt('what follows the first line was cut off or changed (its checksum differs)', end + 1);
  let state: unknown;
  try {
    state = JSON.parse(body);
  } catch {
    throw corrupt('its second line is not JSON', end + 1);
  }
  const wrong = wrongField(state);
  if (wrong) throw corrupt(`${wrong} is missing or of the wrong type`, end + 1);
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
