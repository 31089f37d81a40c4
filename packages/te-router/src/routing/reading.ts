// Questions, and rows of a log, as they come in: checked and read.
import { InvalidArgumentError } from '@x/cuda-core';
import { numberIn, objectIn, refuse, shown } from '@x/cuda-core/addon';
import type { Query, TrainingRow } from './decision';
import { projectEmbedding } from './embedding';
import { type QueryTokenizer, readText } from './features';
import type { Reading } from './journal';

/** @throws InvalidArgumentError for a query that is no text, or an embedding that is not of finite numbers. */
export function readQuery(query: Query, seed: number, tokenizer: QueryTokenizer | undefined): Reading {
  const text = typeof query === 'string' ? query : query?.text;
  if (typeof text !== 'string')
    throw new InvalidArgumentError('query must be a string or an object with a text', { field: 'query' });
  const given = typeof query === 'string' ? undefined : query.embedding;
  return {
    query: text,
    text: readText(text, seed, tokenizer),
    embedding: given === undefined ? undefined : projectEmbedding(given, seed),
  };
}

/** A row of a log: one entry a model, NaN where it has none. */
export interface ReadRow {
  reading: Reading;
  quality: Float64Array;
  cost: Float64Array | undefined;
}

/**
 * @param i the row's place, for the field of an error.
 * @param models places of the models by their names.
 * @throws InvalidArgumentError for what is no row.
 */
export function readRow(
  value: TrainingRow,
  i: number,
  models: ReadonlyMap<string, number>,
  read: (query: Query) => Reading,
): ReadRow {
  const field = `rows[${i}]`;
  const row = objectIn(value, field);
  const take = (name: 'quality' | 'cost', range: { min: number; max?: number; above?: boolean }) => {
    const out = new Float64Array(models.size).fill(Number.NaN);
    for (const [model, number] of Object.entries(objectIn(row[name], `${field}.${name}`))) {
      const m = models.get(model);
      if (m === undefined) refuse(`${field}.${name}`, `${field}.${name} names ${shown(model)}, which is no model.`);
      out[m as number] = numberIn(number, `${field}.${name}[${JSON.stringify(model)}]`, range);
    }
    return out;
  };
  return {
    reading: read(row.query as Query),
    quality: take('quality', { min: 0, max: 1 }),
    cost: row.cost === undefined ? undefined : take('cost', { min: 0, above: true }),
  };
}
