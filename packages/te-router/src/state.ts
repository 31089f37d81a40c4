// The router on disk: one JSON document of a checksum and a payload, replaced atomically.
import { createHash, randomUUID } from 'node:crypto';
import { open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { InvalidFormatError, IoError, NotFoundError, UnsupportedError, XError } from '@x/cuda-core';
import type { DomainState } from './domains';
import type { QueryRouterOptions, RoutedModel } from './router';

const FORMAT = '@x/te-router QueryRouter';
const SCHEMA = 1;

export interface RouterState {
  models: Required<RoutedModel>[];
  options: Omit<QueryRouterOptions, 'models'>;
  domains: DomainState;
  quality: { mean: Float64Array; covariance: Float64Array }[];
  tallies: [key: number, count: number, sum: number][];
  stream: { features: Float64Array; model: number; quality: number }[];
  observations: number;
}

/** Typed arrays as base64 of their bytes (little-endian), so that every bit comes back. */
function encode(_key: string, value: unknown): unknown {
  return value instanceof Float64Array
    ? { f64: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64') }
    : value;
}
function decode(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !('f64' in value) || typeof value.f64 !== 'string') return value;
  const bytes = Buffer.from(value.f64, 'base64');
  return new Float64Array(new Uint8Array(bytes).buffer, 0, bytes.length >> 3);
}

const digest = (payload: string) => createHash('sha256').update(payload).digest('hex');

export async function saveState(path: string, state: RouterState): Promise<void> {
  const payload = JSON.stringify(state, encode);
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    const file = await open(temporary, 'wx');
    try {
      await file.writeFile(JSON.stringify({ format: FORMAT, schema: SCHEMA, sha256: digest(payload), payload }));
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    // The rename itself must survive a power cut as well; not every file system lets a folder be synced.
    const folder = await open(dirname(path), 'r').catch(() => undefined);
    await folder?.sync().catch(() => undefined);
    await folder?.close();
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw new IoError(`the router's state could not be written to ${path}: ${(cause as Error).message}`, {
      field: path,
      cause,
    });
  }
}

export async function loadState<T>(path: string, build: (state: RouterState) => T): Promise<T> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw new NotFoundError(`there is no file ${path}`, { field: path, cause });
    throw new IoError(`${path} could not be read: ${message}`, { field: path, cause });
  }
  const damaged = (why: string, cause?: unknown) =>
    new InvalidFormatError(`${path} is not a whole router state: ${why}`, { field: path, cause });
  let file: { format?: unknown; schema?: unknown; sha256?: unknown; payload?: unknown };
  try {
    file = JSON.parse(text);
  } catch (cause) {
    throw damaged(`it is not JSON (${text.length} characters)`, cause);
  }
  if (file === null || typeof file !== 'object' || file.format !== FORMAT)
    throw damaged(`its format is not ${JSON.stringify(FORMAT)}`);
  if (file.schema !== SCHEMA)
    throw new UnsupportedError(`${path} has schema ${String(file.schema)}; this version reads schema ${SCHEMA}`, {
      field: 'schema',
    });
  if (typeof file.payload !== 'string' || digest(file.payload) !== file.sha256)
    throw damaged('its content does not have the checksum it states');
  try {
    return build(JSON.parse(file.payload, decode) as RouterState);
  } catch (cause) {
    // A right checksum over a wrong content: written by something else.
    if (
      cause instanceof XError ||
      cause instanceof TypeError ||
      cause instanceof RangeError ||
      cause instanceof SyntaxError
    )
      throw damaged(cause.message, cause);
    throw cause;
  }
}
