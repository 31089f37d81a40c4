import { InvalidArgumentError } from '@x/cuda-core';

/** One series, or the variables of a multivariate one; all of the same length. */
export type Series = Float64Array | readonly Float64Array[];

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
  const variables: readonly Float64Array[] = series instanceof Float64Array ? [series] : series;
  if (!Array.isArray(variables) || variables.length === 0 || !variables.every((v) => v instanceof Float64Array))
    throw new InvalidArgumentError(`${name} must be a Float64Array or a non-empty array of them`, { field: name });
  const length = samples ?? variables[0]!.length;
  const values = new Float64Array(length * variables.length);
  variables.forEach((variable, v) => {
    const label = `${name}${variables.length > 1 ? `[${v}]` : ''}`;
    if (variable.length !== length)
      throw new InvalidArgumentError(
        `${label} has ${variable.length} samples where ${length} are expected; all series must have one length`,
        { field: name },
      );
    for (let i = 0; i < length; i++) {
      if (!Number.isFinite(variable[i]!) && !(mask && mask[i] === 0))
        throw new InvalidArgumentError(`${label} holds ${variable[i]} at index ${i}; every value must be finite`, {
          field: name,
        });
    }
    values.set(variable, v * length);
  });
  return { values, variables: variables.length, samples: length };
}
