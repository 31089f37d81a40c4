// Checks of what callers pass, the same in every package: messages say what was given and what would be right.
import { InvalidArgumentError } from './errors';

/** A rejected argument, as a short text: `NaN`, `"a"`, `[object]`. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
  return typeof value === 'object' && value !== null ? `[${Array.isArray(value) ? 'array' : 'object'}]` : String(value);
}

/** Throws InvalidArgumentError. */
export function refuse(field: string, message: string): never {
  throw new InvalidArgumentError(message, { field });
}

export interface NumberRange {
  min?: number;
  max?: number;
  /** The value must be above `min`, not equal to it. */
  above?: boolean;
  integer?: boolean;
  /** +Infinity is allowed. */
  infinite?: boolean;
}

/** Returns the number when it is one inside the range; throws InvalidArgumentError naming the field otherwise. */
export function numberIn(value: unknown, field: string, range: NumberRange = {}): number {
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

/** Returns the value when it is true or false; throws InvalidArgumentError naming the field otherwise. */
export function booleanIn(value: unknown, field: string): boolean {
  if (typeof value !== 'boolean') refuse(field, `${field} is ${shown(value)}; it must be true or false.`);
  return value as boolean;
}

/** Returns the value when it is one of the choices; throws InvalidArgumentError naming the field and all of them otherwise. */
export function choiceIn<T extends string>(value: unknown, field: string, choices: readonly T[]): T {
  if (!choices.includes(value as T))
    refuse(field, `${field} is ${shown(value)}; it must be one of ${choices.map((c) => `'${c}'`).join(', ')}.`);
  return value as T;
}

/** Returns the value when it is a string that is not empty; throws InvalidArgumentError naming the field otherwise. */
export function textIn(value: unknown, field: string): string {
  if (typeof value !== 'string' || value === '')
    refuse(field, `${field} is ${shown(value)}; it must be a string that is not empty.`);
  return value as string;
}

/** Returns the value when it is an object and no array; throws InvalidArgumentError naming the field otherwise. */
export function objectIn(value: unknown, field: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    refuse(field, `${field} is ${shown(value)}; it must be an object.`);
  return value as Record<string, unknown>;
}

/** Throws InvalidArgumentError unless the value is an AbortSignal or undefined. */
export function signalIn(value: unknown): AbortSignal | undefined {
  if (value !== undefined && !(value instanceof AbortSignal))
    refuse('signal', `signal is ${shown(value)}; it must be an AbortSignal.`);
  return value as AbortSignal | undefined;
}

/** The largest seed: integers up to it are exact. */
export const SEED_MAX = Number.MAX_SAFE_INTEGER;
