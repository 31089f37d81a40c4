// Checks of what callers pass, with messages that say what would be right.
import { InvalidArgumentError } from '@x/cuda-core';

function describe(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  return typeof value === 'object' && value !== null ? Object.prototype.toString.call(value) : String(value);
}

export function integer(value: unknown, field: string, low: number, high: number): number {
  if (!Number.isInteger(value) || (value as number) < low || (value as number) > high)
    throw new InvalidArgumentError(`${field} is ${describe(value)}; it must be an integer from ${low} to ${high}`, {
      field,
    });
  return value as number;
}

export function finite(value: unknown, field: string, range: string, accepts: (n: number) => boolean): number {
  if (typeof value !== 'number' || !Number.isFinite(value) || !accepts(value))
    throw new InvalidArgumentError(`${field} is ${describe(value)}; it must be ${range}`, { field });
  return value;
}

export function text(value: unknown, field: string): string {
  if (typeof value !== 'string' || value === '')
    throw new InvalidArgumentError(`${field} is ${describe(value)}; it must be a non-empty string`, { field });
  return value;
}

/** Token ids as the addon wants them: a copy, every id a whole number from 0 below `vocabulary`. */
export function tokenIds(value: unknown, field: string, vocabulary: number): Int32Array {
  const source = value as ArrayLike<number> | null;
  const isArray = Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));
  if (!isArray || source === null)
    throw new InvalidArgumentError(`${field} is ${describe(value)}; it must be an array of token ids`, { field });
  if (source.length === 0) throw new InvalidArgumentError(`${field} is empty; at least one token is needed`, { field });
  const ids = new Int32Array(source.length);
  for (let i = 0; i < ids.length; i++) ids[i] = integer(source[i], `${field}[${i}]`, 0, vocabulary - 1);
  return ids;
}
