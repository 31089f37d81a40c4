// The router on disk.
import { InvalidArgumentError, InvalidFormatError } from '@x/cuda-core';
import { numberIn, objectIn, readSaved, refuse, shown, writeSaved } from '@x/cuda-core/addon';
import { type DomainState, SLOTS } from './domains';
import { FEATURE_NAMES } from './features';
import type { QueryRouterOptions, RoutedModel } from './router';

const SAVED = { format: '@x/te-router QueryRouter', version: 1 };

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

export const saveState = (path: string, state: RouterState): Promise<void> => writeSaved(path, SAVED, state, encode);

export async function loadState<T>(path: string, build: (state: RouterState) => T): Promise<T> {
  const state = await readSaved(path, SAVED, decode);
  try {
    checkState(state);
    return build(state);
  } catch (error) {
    // A right checksum over a wrong content: written by something else.
    if (!(error instanceof InvalidArgumentError)) throw error;
    throw new InvalidFormatError(`${path} holds an impossible state: ${error.message}`, { field: path, cause: error });
  }
}

const COUNT = { min: 0, integer: true };

function arrayIn(value: unknown, field: string): unknown[] {
  if (!Array.isArray(value)) refuse(field, `${field} is ${shown(value)}; it must be an array.`);
  return value as unknown[];
}

function doublesIn(value: unknown, field: string, length?: number): Float64Array {
  if (!(value instanceof Float64Array) || !value.every(Number.isFinite) || (length ?? value.length) !== value.length)
    refuse(field, `${field} must hold ${length ?? 'only'} finite numbers.`);
  return value as Float64Array;
}

/** Layout and ranges; that sizes fit the options is checked by the router that is made of it. */
function checkState(value: unknown): asserts value is RouterState {
  const state = objectIn(value, 'state');
  const models = arrayIn(state.models, 'models').length;
  objectIn(state.options, 'options');
  const domains = objectIn(state.domains, 'domains');
  numberIn(domains.seen, 'domains.seen', COUNT);
  arrayIn(domains.frequency, 'domains.frequency').forEach((f, i) => {
    numberIn(f, `domains.frequency[${i}]`, COUNT);
  });
  const list = arrayIn(domains.domains, 'domains.domains');
  list.forEach((item, i) => {
    const field = `domains.domains[${i}]`;
    const domain = objectIn(item, field);
    if (typeof domain.label !== 'string') refuse(`${field}.label`, `${field}.label must be a string.`);
    numberIn(domain.members, `${field}.members`, { min: 1, integer: true });
    numberIn(domain.sizeMean, `${field}.sizeMean`);
    numberIn(domain.sizeSquares, `${field}.sizeSquares`, { min: 0 });
    arrayIn(domain.tokens, `${field}.tokens`).forEach((token, t) => {
      const [slot, part] = arrayIn(token, `${field}.tokens[${t}]`);
      numberIn(slot, `${field}.tokens[${t}][0]`, { min: 0, max: SLOTS - 1, integer: true });
      numberIn(part, `${field}.tokens[${t}][1]`, { min: 0 });
    });
  });
  arrayIn(state.quality, 'quality').forEach((item, i) => {
    const quality = objectIn(item, `quality[${i}]`);
    doublesIn(quality.mean, `quality[${i}].mean`);
    doublesIn(quality.covariance, `quality[${i}].covariance`);
  });
  arrayIn(state.tallies, 'tallies').forEach((item, i) => {
    const [key, count, sum] = arrayIn(item, `tallies[${i}]`);
    // Outcomes of a question that fitted no domain are those of domain -1.
    numberIn(key, `tallies[${i}][0]`, { min: -models, max: list.length * models - 1, integer: true });
    numberIn(sum, `tallies[${i}][2]`, { min: 0, max: numberIn(count, `tallies[${i}][1]`, COUNT) });
  });
  arrayIn(state.stream, 'stream').forEach((item, i) => {
    const outcome = objectIn(item, `stream[${i}]`);
    doublesIn(outcome.features, `stream[${i}].features`, FEATURE_NAMES.length);
    numberIn(outcome.model, `stream[${i}].model`, { min: 0, max: models - 1, integer: true });
    numberIn(outcome.quality, `stream[${i}].quality`, { min: 0, max: 1 });
  });
  numberIn(state.observations, 'observations', COUNT);
}
