// The router on disk. Version 2; files of version 1 (before the text model) are brought up to it.
import { InvalidArgumentError, InvalidFormatError, UnsupportedError, XError } from '@x/cuda-core';
import { numberIn, objectIn, readSaved, refuse, shown, textIn, writeSaved } from '@x/cuda-core/addon';
import type { DomainState } from './domains';
import { BET_COUNT, type DriftEvent, type DriftState } from './drift';
import { EMBEDDING_SLOTS } from './embedding';
import { FEATURE_NAMES, PLAIN } from './feature-names';
import { SLOTS } from './features';
import type { CheckedOptions, RoutedModel } from './options';
import { type Policy, policyIn, type TunedPolicy } from './policy';
import { SIZE_AT, STRUCTURE_AT, type TextModelState } from './text-model/text-model';

const FORMAT = '@x/te-router QueryRouter';
const SAVED = { format: FORMAT, version: 2 };

export interface RouterState {
  models: Required<RoutedModel>[];
  options: Omit<CheckedOptions, 'models'>;
  /** The router reads with a tokenizer of its user's. */
  tokenized: boolean;
  domains: DomainState;
  quality: { mean: Float64Array; covariance: Float64Array }[];
  tallies: [key: number, count: number, sum: number][];
  stream: { features: Float64Array; model: number; quality: number }[];
  observations: number;
  decisions: number;
  pending: { id: string; query: string; embedding?: Float64Array; learnt: boolean }[];
  journal: {
    query: string;
    embedding?: Float64Array;
    quality: Float64Array;
    expected: Float64Array;
    cost?: Float64Array;
  }[];
  drift: { detectors: DriftState[]; events: DriftEvent[] };
  text?: TextModelState;
  fitted: Float64Array;
  lastFit: number;
  policy: Policy;
  tuned?: TunedPolicy;
  scale: number;
  usedFeatures: Uint8Array;
}

const ARRAYS = {
  f64: Float64Array,
  f32: Float32Array,
  u32: Uint32Array,
  i32: Int32Array,
  i16: Int16Array,
  u8: Uint8Array,
} as const;

/** Typed arrays as base64 of their bytes (little-endian), so that every bit comes back, NaN too. */
function encode(_key: string, value: unknown): unknown {
  for (const [name, type] of Object.entries(ARRAYS))
    if (value instanceof type)
      return { [name]: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64') };
  return value;
}
function decode(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const keys = Object.keys(value);
  const type = keys.length === 1 ? ARRAYS[keys[0] as keyof typeof ARRAYS] : undefined;
  const text = type && (value as Record<string, unknown>)[keys[0]!];
  if (!type || typeof text !== 'string') return value;
  const bytes = new Uint8Array(Buffer.from(text, 'base64'));
  return new type(bytes.buffer, 0, Math.floor(bytes.length / type.BYTES_PER_ELEMENT));
}

export const saveState = (path: string, state: RouterState): Promise<void> => writeSaved(path, SAVED, state, encode);

/** `build` may give an error back, which is thrown as it is: what is wrong then is not the file. */
export async function loadState<T>(path: string, build: (state: RouterState) => T | XError): Promise<T> {
  let state: unknown;
  try {
    state = await readSaved(path, SAVED, decode);
  } catch (error) {
    if (!(error instanceof UnsupportedError)) throw error;
    const old = await readSaved(path, { format: FORMAT, version: 1 }, decode).catch(() => {
      throw error;
    });
    state = guarded(path, () => upgraded(old));
  }
  const built = guarded(path, () => {
    checkState(state);
    return build(state);
  });
  if (built instanceof XError) throw built;
  return built;
}

/** A wrong content found while `call` runs becomes an error of the file's format. */
export function guarded<T>(path: string, call: () => T): T {
  try {
    return call();
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

type Numbers = Float64Array | Float32Array | Uint32Array | Int32Array | Int16Array | Uint8Array;

/** A typed array of this type, length and finite content. */
function numbersIn<T extends Numbers>(value: unknown, field: string, type: new () => T, length?: number): T {
  if (!(value instanceof type) || (length ?? value.length) !== value.length || !value.every(Number.isFinite))
    refuse(field, `${field} must hold ${length ?? 'only'} finite numbers.`);
  return value as T;
}

/** One number a model, within a range or NaN for not known. */
function knownIn(value: unknown, field: string, length: number, max: number): void {
  if (!(value instanceof Float64Array) || value.length !== length || value.some((v) => v < 0 || v > max))
    refuse(field, `${field} must hold ${length} numbers from 0 to ${max}.`);
}

/** Layout and ranges; that sizes fit the options is checked by the router that is made of it. */
function checkState(value: unknown): asserts value is RouterState {
  const state = objectIn(value, 'state');
  const models = arrayIn(state.models, 'models').length;
  const options = objectIn(state.options, 'options');
  if (typeof state.tokenized !== 'boolean') refuse('tokenized', 'tokenized must be true or false.');
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
  if (arrayIn(state.quality, 'quality').length !== models) refuse('quality', 'there is not one regression a model.');
  (state.quality as unknown[]).forEach((item, i) => {
    const quality = objectIn(item, `quality[${i}]`);
    numbersIn(quality.mean, `quality[${i}].mean`, Float64Array);
    numbersIn(quality.covariance, `quality[${i}].covariance`, Float64Array);
  });
  arrayIn(state.tallies, 'tallies').forEach((item, i) => {
    const [key, count, sum] = arrayIn(item, `tallies[${i}]`);
    // Outcomes of a question that fitted no domain are those of domain -1.
    numberIn(key, `tallies[${i}][0]`, { min: -models, max: list.length * models - 1, integer: true });
    numberIn(sum, `tallies[${i}][2]`, { min: 0, max: numberIn(count, `tallies[${i}][1]`, COUNT) });
  });
  arrayIn(state.stream, 'stream').forEach((item, i) => {
    const outcome = objectIn(item, `stream[${i}]`);
    numbersIn(outcome.features, `stream[${i}].features`, Float64Array, FEATURE_NAMES.length);
    numberIn(outcome.model, `stream[${i}].model`, { min: 0, max: models - 1, integer: true });
    numberIn(outcome.quality, `stream[${i}].quality`, { min: 0, max: 1 });
  });
  numberIn(state.observations, 'observations', COUNT);
  numberIn(state.decisions, 'decisions', COUNT);
  const question = (item: unknown, field: string) => {
    const row = objectIn(item, field);
    if (typeof row.query !== 'string') refuse(`${field}.query`, `${field}.query must be a string.`);
    if (row.embedding !== undefined) numbersIn(row.embedding, `${field}.embedding`, Float64Array, EMBEDDING_SLOTS);
    return row;
  };
  arrayIn(state.pending, 'pending').forEach((item, i) => {
    const row = question(item, `pending[${i}]`);
    textIn(row.id, `pending[${i}].id`);
    if (typeof row.learnt !== 'boolean') refuse(`pending[${i}].learnt`, 'learnt must be true or false.');
  });
  arrayIn(state.journal, 'journal').forEach((item, i) => {
    const row = question(item, `journal[${i}]`);
    knownIn(row.quality, `journal[${i}].quality`, models, 1);
    knownIn(row.expected, `journal[${i}].expected`, models, 1);
    if (row.cost !== undefined) knownIn(row.cost, `journal[${i}].cost`, models, Number.MAX_VALUE);
  });
  const drift = objectIn(state.drift, 'drift');
  const detectors = arrayIn(drift.detectors, 'drift.detectors');
  if (detectors.length !== (options.drift === false ? 0 : models))
    refuse('drift.detectors', 'there is not one detector a model.');
  for (const [i, item] of detectors.entries())
    for (const name of ['worse', 'better']) {
      const field = `drift.detectors[${i}].${name}`;
      const side = objectIn(objectIn(item, `drift.detectors[${i}]`)[name], field);
      const sums = arrayIn(side.sums, `${field}.sums`);
      if (sums.length !== BET_COUNT) refuse(`${field}.sums`, `${field}.sums must hold ${BET_COUNT} numbers.`);
      for (const key of ['evidence', 'expected', 'observed']) numberIn(side[key], `${field}.${key}`, { min: 0 });
      numberIn(side.outcomes, `${field}.outcomes`, COUNT);
      for (const sum of sums) numberIn(sum, `${field}.sums`, { min: 0 });
    }
  arrayIn(drift.events, 'drift.events').forEach((item, i) => {
    const event = objectIn(item, `drift.events[${i}]`);
    textIn(event.model, `drift.events[${i}].model`);
    for (const key of ['at', 'since', 'expected', 'observed'])
      numberIn(event[key], `drift.events[${i}].${key}`, { min: 0 });
  });
  numbersIn(state.fitted, 'fitted', Float64Array, models);
  numberIn(state.lastFit, 'lastFit', COUNT);
  policyIn(state.policy);
  numberIn(state.scale, 'scale', { min: 0, above: true });
  numbersIn(state.usedFeatures, 'usedFeatures', Uint8Array, FEATURE_NAMES.length);
  if (state.tuned !== undefined) {
    const tuned = objectIn(state.tuned, 'tuned');
    textIn(tuned.reference, 'tuned.reference');
    for (const key of ['lambda', 'quality', 'qualityShare', 'cost', 'costShare'])
      numberIn(tuned[key], `tuned.${key}`, { min: 0 });
  }
  if (state.text !== undefined) checkText(state.text, models);
}

/** Every size follows from a few; what is used as an index is none of the file's, so sizes are all that can be wrong. */
function checkText(value: unknown, models: number): void {
  const text = objectIn(value, 'text');
  if (text.models !== models) refuse('text.models', 'the text model has another number of models.');
  const rank = numberIn(text.rank, 'text.rank', { min: 0, max: 4096, integer: true });
  const embedding = numberIn(text.embedding, 'text.embedding', { min: 0, max: EMBEDDING_SLOTS, integer: true });
  const vocabulary = objectIn(text.vocabulary, 'text.vocabulary');
  const keys = numbersIn(vocabulary.keys, 'text.vocabulary.keys', Uint32Array).length;
  numbersIn(vocabulary.inverse, 'text.vocabulary.inverse', Float32Array, keys).forEach((v) => {
    numberIn(v, 'text.vocabulary.inverse', { min: 0, above: true });
  });
  const first = numberIn(vocabulary.first, 'text.vocabulary.first', { min: 0, max: keys, integer: true });
  const words = numberIn(vocabulary.words, 'text.vocabulary.words', { min: 0, max: first, integer: true });
  numberIn(vocabulary.texts, 'text.vocabulary.texts', COUNT);
  numbersIn(text.sparse, 'text.sparse', Float32Array, keys * models);
  numbersIn(text.axes, 'text.axes', Float32Array, words * rank);
  numbersIn(text.centre, 'text.centre', Float64Array, STRUCTURE_AT.length);
  numbersIn(text.scale, 'text.scale', Float64Array, STRUCTURE_AT.length);
  const landmarks = objectIn(text.landmarks, 'text.landmarks');
  if (landmarks.topicWidth !== rank + embedding || landmarks.structureWidth !== STRUCTURE_AT.length)
    refuse('text.landmarks', 'text.landmarks has other widths than the text model.');
  const points = numbersIn(landmarks.structure, 'text.landmarks.structure', Float32Array).length;
  const count = points / STRUCTURE_AT.length;
  if (!Number.isInteger(count) || count < 1)
    refuse('text.landmarks.structure', 'text.landmarks.structure is no matrix.');
  numbersIn(landmarks.topic, 'text.landmarks.topic', Float32Array, count * (rank + embedding));
  numbersIn(text.dense, 'text.dense', Float32Array, (2 * count + SIZE_AT.length) * 3 * models);
  numbersIn(text.intercept, 'text.intercept', Float64Array, 3 * models);
  numbersIn(text.honesty, 'text.honesty', Float64Array, models);
  numbersIn(text.priced, 'text.priced', Uint8Array, models);
  numbersIn(text.strangeness, 'text.strangeness', Float64Array);
  if (text.stack !== undefined) checkStack(text.stack, models, FEATURE_NAMES.length + rank + embedding + 1 + models);
  const labels = arrayIn(text.labels, 'text.labels');
  if (labels.length !== count || !labels.every((l) => typeof l === 'string'))
    refuse('text.labels', 'text.labels must hold one text a landmark.');
}

/** Trees are walked by what the file says, so children must lie behind their parents and within bounds. */
function checkStack(value: unknown, models: number, width: number): void {
  const stack = objectIn(value, 'text.stack');
  for (const name of ['common', 'difference']) numberIn(stack[name], `text.stack.${name}`, { min: 0, max: 1 });
  const field = 'text.stack.forest';
  const forest = objectIn(stack.forest, field);
  if (forest.outputs !== models + 1) refuse(`${field}.outputs`, `${field}.outputs must be ${models + 1}.`);
  const feature = numbersIn(forest.feature, `${field}.feature`, Int16Array);
  const nodes = feature.length;
  numbersIn(forest.threshold, `${field}.threshold`, Float32Array, nodes);
  const leaves = numbersIn(forest.values, `${field}.values`, Float32Array).length / (models + 1);
  const roots = numbersIn(forest.roots, `${field}.roots`, Int32Array);
  if (roots.length === 0 || !roots.every((r) => r >= 0 && r < nodes))
    refuse(`${field}.roots`, `${field}.roots must name nodes.`);
  numbersIn(forest.next, `${field}.next`, Int32Array, nodes).forEach((next, node) => {
    const leaf = feature[node]! < 0;
    if (leaf ? next < 0 || next >= leaves : feature[node]! >= width || next <= node || next + 1 >= nodes)
      refuse(`${field}.next`, `node ${node} of ${field} leads nowhere.`);
  });
}

const OLD_FEATURES = PLAIN;
const OLD_EMBEDDING = 16;

/** Version 1 as version 2: features were fewer, and there was nothing but the regressions, domains and streams. */
function upgraded(value: unknown): unknown {
  const old = objectIn(value, 'state');
  const models = arrayIn(old.models, 'models');
  const options = objectIn(old.options, 'options');
  const maxDomains = numberIn(options.maxDomains, 'options.maxDomains', { min: 1, max: 128, integer: true });
  const priorStrength = numberIn(options.priorStrength, 'options.priorStrength', { min: 0, above: true });
  const oldSize = 1 + OLD_FEATURES + OLD_EMBEDDING + 2 * maxDomains;
  const size = oldSize + EMBEDDING_SLOTS - OLD_EMBEDDING;
  /** Where an old regressor is now: the embedding has grown. */
  const moved = (i: number) => (i < 1 + OLD_FEATURES + OLD_EMBEDDING ? i : i + EMBEDDING_SLOTS - OLD_EMBEDDING);
  const quality = arrayIn(old.quality, 'quality').map((item, m) => {
    const q = objectIn(item, `quality[${m}]`);
    const from = numbersIn(q.mean, `quality[${m}].mean`, Float64Array, oldSize);
    const cov = numbersIn(q.covariance, `quality[${m}].covariance`, Float64Array, oldSize * oldSize);
    const mean = new Float64Array(size);
    const covariance = new Float64Array(size * size);
    // What is new starts from its prior.
    for (let i = 0; i < size; i++) covariance[i * size + i] = 3 / priorStrength;
    for (let i = 0; i < oldSize; i++) {
      mean[moved(i)] = from[i]!;
      for (let j = 0; j < oldSize; j++) covariance[moved(i) * size + moved(j)] = cov[i * oldSize + j]!;
    }
    return { mean, covariance };
  });
  const stream = arrayIn(old.stream, 'stream').map((item, i) => {
    const outcome = objectIn(item, `stream[${i}]`);
    const features = new Float64Array(FEATURE_NAMES.length);
    features.set(numbersIn(outcome.features, `stream[${i}].features`, Float64Array, OLD_FEATURES));
    return { ...outcome, features };
  });
  const costs = models.map((m, i) =>
    numberIn(objectIn(m, `models[${i}]`).cost, `models[${i}].cost`, { min: 0, above: true }),
  );
  return {
    ...old,
    tokenized: false,
    quality,
    stream,
    decisions: 0,
    pending: [],
    journal: [],
    drift: { detectors: models.map(() => ({ worse: fresh(), better: fresh() })), events: [] },
    fitted: new Float64Array(models.length),
    lastFit: 0,
    policy: { lambda: 0.15 },
    scale: Math.max(...costs),
    usedFeatures: new Uint8Array(FEATURE_NAMES.length).fill(1),
  };
}

const fresh = () => ({
  sums: Array.from({ length: BET_COUNT }, () => 0),
  evidence: 0,
  outcomes: 0,
  expected: 0,
  observed: 0,
});
