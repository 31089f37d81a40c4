import { InvalidArgumentError, LimitExceededError } from '@x/cuda-core';

/** One series, or the variables of a multivariate one; all of the same length. */
export type Series = Float64Array | readonly Float64Array[];

const MOST_VARIABLES = 10_000;
const MOST_NUMBERS = 2 ** 32 - 1; // that an array can hold

/** Variables one after the other. */
export interface FlatSeries {
  values: Float64Array;
  variables: number;
  samples: number;
}

/**
 * Checked: type, equal lengths, finite values (where `mask` is not 0). Always a copy: calls are asynchronous.
 *
 * @throws InvalidArgumentError naming the series, the variable and the index.
 */
export function flatten(name: string, series: Series, samples?: number, mask?: Uint8Array): FlatSeries {
  const variables: readonly Float64Array[] = Array.isArray(series) ? [...series] : [series];
  // Not a Proxy of one, and no hole of a sparse array.
  if (variables.length === 0 || !variables.every((v) => ArrayBuffer.isView(v) && v instanceof Float64Array))
    throw new InvalidArgumentError(`${name} must be a Float64Array or a non-empty array of them`, { field: name });
  if (variables.length > MOST_VARIABLES)
    throw new LimitExceededError(`${name} has ${variables.length} variables; at most ${MOST_VARIABLES} are supported`, {
      field: name,
    });
  const length = samples ?? variables[0]!.length;
  const values = new Float64Array(length * variables.length);
  variables.forEach((variable, v) => {
    const label = `${name}${variables.length > 1 ? `[${v}]` : ''}`;
    if (variable.length !== length)
      throw new InvalidArgumentError(
        `${label} has ${variable.length} samples where ${length} are expected; all series must have one length`,
        { field: name },
      );
    if (length === 0) return; // also of an array whose buffer was transferred
    values.set(variable, v * length);
    // The copy is checked: another thread may write to what the caller holds.
    for (let i = 0; i < length; i++) {
      const value = values[v * length + i]!;
      if (!Number.isFinite(value) && !(mask && mask[i] === 0))
        throw new InvalidArgumentError(`${label} holds ${value} at index ${i}; every value must be finite`, {
          field: name,
        });
    }
  });
  return { values, variables: variables.length, samples: length };
}

/**
 * A copy of what may be any list of numbers; NaN counts as one.
 *
 * @throws InvalidArgumentError for anything else.
 */
export function numbersOf(values: ArrayLike<number>, name: string): Float64Array {
  const length: unknown = typeof values === 'object' ? values?.length : undefined;
  if (!Number.isSafeInteger(length) || (length as number) < 0 || (length as number) > MOST_NUMBERS)
    throw new InvalidArgumentError(`${name} must be an array of numbers`, { field: name });
  const list = Array.from(values as ArrayLike<unknown>);
  const wrong = list.findIndex((value) => typeof value !== 'number');
  if (wrong >= 0) throw new InvalidArgumentError(`${name}[${wrong}] is no number`, { field: name });
  return Float64Array.from(list as number[]);
}
