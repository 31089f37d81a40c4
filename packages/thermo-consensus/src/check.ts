import { InvalidArgumentError } from '@x/cuda-core';

/** A rejected argument, as a short text: `NaN`, `"a"`, `[object]`. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
  return typeof value === 'object' && value !== null ? `[${Array.isArray(value) ? 'array' : 'object'}]` : String(value);
}

export function refuse(field: string, message: string): never {
  throw new InvalidArgumentError(message, { field });
}

interface Range {
  min?: number;
  max?: number;
  /** The value must be above `min`, not equal to it. */
  above?: boolean;
  integer?: boolean;
  /** +Infinity is allowed. */
  infinite?: boolean;
}

/** Returns the number when it is one inside the range; throws InvalidArgumentError naming the field otherwise. */
export function numberIn(value: unknown, field: string, range: Range = {}): number {
  const { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY } = range;
  const ok =
    typeof value === 'number' &&
    (range.above ? value > min : value >= min) &&
    value <= max &&
    (Number.isFinite(value) || (range.infinite === true && value === Number.POSITIVE_INFINITY)) &&
    (!range.integer || Number.isSafeInteger(value));
  if (ok) return value as number;
  const kind = range.integer ? 'an integer' : range.infinite ? 'a number' : 'a finite number';
  const low = min === Number.NEGATIVE_INFINITY ? '' : range.above ? ` above ${min}` : ` of at least ${min}`;
  const high = max === Number.POSITIVE_INFINITY ? '' : `${low ? ' and' : ''} at most ${max}`;
  return refuse(field, `${field} is ${shown(value)}; it must be ${kind}${low}${high}.`);
}

export function objectIn(value: unknown, field: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    refuse(field, `${field} is ${shown(value)}; it must be an object.`);
  return value as Record<string, unknown>;
}

export const SEED_MAX = Number.MAX_SAFE_INTEGER;
