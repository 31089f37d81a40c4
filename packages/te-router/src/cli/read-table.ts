import { readFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { InvalidFormatError, IoError, NotFoundError } from '@x/cuda-core';
import { parquetReadObjects } from 'hyparquet';
import Papa from 'papaparse';
import type { NetworkSeries } from '../network/network';

export interface Table extends NetworkSeries {
  names: string[];
}

/**
 * Reads the numeric columns of a CSV file (with a header, or without when its first row is all numbers) or of a Parquet file:
 * a column a variable, a row a sample.
 * @param only names of the columns wanted, in that order; default all that hold numbers alone.
 */
export async function readTable(path: string, only?: readonly string[]): Promise<Table> {
  const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') throw new NotFoundError(`there is no file ${path}`, { field: path });
    throw new IoError(`${path} could not be read: ${error.message}`, { field: path });
  });
  const columns =
    extname(path).toLowerCase() === '.parquet'
      ? await parquetColumns(path, bytes)
      : csvColumns(path, bytes.toString('utf8'));
  const wanted = only ?? [...columns.keys()].filter((name) => (columns.get(name) as unknown[]).every(isNumber));
  if (wanted.length === 0) throw new InvalidFormatError(`${path} holds no column of numbers`, { field: path });
  const samples = (columns.get(wanted[0] as string) ?? []).length;
  const values = new Float64Array(wanted.length * samples);
  wanted.forEach((name, v) => {
    const column = columns.get(name);
    if (!column)
      throw new NotFoundError(`${path} has no column ${name}; it has ${[...columns.keys()].join(', ')}`, {
        field: 'columns',
      });
    column.forEach((cell, t) => {
      if (!isNumber(cell))
        throw new InvalidFormatError(`${path}: ${name} holds ${String(cell)} in row ${t + 1}, no number`, {
          field: path,
        });
      values[v * samples + t] = Number(cell);
    });
  });
  return { values, variables: wanted.length, samples, names: [...wanted] };
}

const isNumber = (cell: unknown): boolean =>
  (typeof cell === 'number' && Number.isFinite(cell)) ||
  typeof cell === 'bigint' ||
  (typeof cell === 'string' && cell.trim() !== '' && Number.isFinite(Number(cell)));

function csvColumns(path: string, text: string): Map<string, unknown[]> {
  const { data, errors } = Papa.parse<string[]>(text.replace(/^\ufeff/, ''), { skipEmptyLines: 'greedy' });
  const wrong = errors.find(({ type }) => type === 'Quotes');
  if (wrong) throw new InvalidFormatError(`${path}: ${wrong.message} in row ${(wrong.row ?? 0) + 1}`, { field: path });
  const first = data[0];
  if (!first) throw new InvalidFormatError(`${path} is empty`, { field: path });
  const headless = first.every(isNumber);
  const names = headless ? first.map((_, v) => `V${v}`) : first.map((name) => name.trim());
  const rows = headless ? data : data.slice(1);
  const odd = rows.findIndex((row) => row.length !== names.length);
  if (odd >= 0)
    throw new InvalidFormatError(
      `${path}: row ${odd + (headless ? 1 : 2)} has ${rows[odd]?.length} cells, the first has ${names.length}`,
      { field: path },
    );
  return new Map(names.map((name, v) => [name, rows.map((row) => row[v])]));
}

async function parquetColumns(path: string, bytes: Buffer): Promise<Map<string, unknown[]>> {
  const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
  let rows: Record<string, unknown>[];
  try {
    rows = await parquetReadObjects({ file });
  } catch (error) {
    throw new InvalidFormatError(`${path} is no readable Parquet file: ${(error as Error).message}`, { field: path });
  }
  const names = Object.keys(rows[0] ?? {});
  return new Map(names.map((name) => [name, rows.map((row) => row[name])]));
}
