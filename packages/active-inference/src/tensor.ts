import { InvalidArgumentError } from '@x/cuda-core';

export type NestedArray = readonly (number | NestedArray)[];

/** An array with its shape: nested arrays of numbers, or row-major `data` beside its `shape`. */
export type Tensor = NestedArray | ArrayLike<number> | { shape: readonly number[]; data: ArrayLike<number> };

export interface DenseTensor {
  shape: number[];
  data: Float64Array;
}

const isTypedArray = (value: unknown): value is ArrayLike<number> =>
  ArrayBuffer.isView(value) && !(value instanceof DataView);

/**
 * Reads a tensor of any accepted form into a copy.
 * @throws InvalidArgumentError when it is ragged, holds something else than numbers or does not fit its shape.
 */
export function toTensor(value: Tensor, field: string): DenseTensor {
  if (isTypedArray(value)) return { shape: [value.length], data: Float64Array.from(value) };
  if (Array.isArray(value)) {
    const shape: number[] = [];
    for (let at: unknown = value; Array.isArray(at) || isTypedArray(at); at = at[0]) {
      if (at.length === 0) throw new InvalidArgumentError(`${field} has an empty dimension`, { field });
      shape.push(at.length);
      if (shape.length > 34) throw new InvalidArgumentError(`${field} has more than 34 dimensions`, { field });
    }
    const data = new Float64Array(shape.reduce((product, n) => product * n, 1));
    let used = 0;
    const read = (part: unknown, depth: number, path: string): void => {
      if (depth === shape.length) {
        if (typeof part !== 'number') {
          throw new InvalidArgumentError(`${path} must be a number, not ${describe(part)}`, { field });
        }
        data[used++] = part;
        return;
      }
      if (!(Array.isArray(part) || isTypedArray(part)) || part.length !== shape[depth]) {
        const found = Array.isArray(part) || isTypedArray(part) ? `${part.length} entries` : describe(part);
        throw new InvalidArgumentError(`${path} has ${found}; its neighbours have ${shape[depth]} entries`, { field });
      }
      for (let i = 0; i < part.length; i++) read(part[i], depth + 1, `${path}[${i}]`);
    };
    read(value, 0, field);
    return { shape, data };
  }
  if (typeof value === 'object' && value !== null && 'shape' in value && 'data' in value) {
    const { shape, data } = value;
    const size =
      Array.isArray(shape) && shape.every((n) => Number.isInteger(n) && n > 0) && shape.length > 0
        ? shape.reduce((product, n) => product * n, 1)
        : -1;
    if (size < 0) throw new InvalidArgumentError(`${field}.shape must be positive integers`, { field });
    if (data?.length !== size) {
      throw new InvalidArgumentError(
        `${field}.data has ${data?.length} values; shape [${shape.join(', ')}] needs ${size}`,
        { field },
      );
    }
    return { shape: [...shape], data: Float64Array.from(data) };
  }
  throw new InvalidArgumentError(`${field} must be a nested array or { shape, data }, not ${describe(value)}`, {
    field,
  });
}

export function describe(value: unknown): string {
  return value === null ? 'null' : typeof value === 'object' ? 'an object' : `${typeof value} ${String(value)}`;
}

/** Joins arrays into one. */
export function concatenate(parts: readonly ArrayLike<number>[]): Float64Array {
  const out = new Float64Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** Cuts an array into copies of the given lengths. */
export function split(joined: Float64Array, lengths: readonly number[]): Float64Array[] {
  let at = 0;
  return lengths.map((n) => {
    at += n;
    return joined.slice(at - n, at);
  });
}
