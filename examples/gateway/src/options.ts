// Numbers from the command line, checked where they come in.
import { InvalidArgumentError } from '@x/cuda-core';

export interface Range {
  integer?: boolean;
  min?: number;
  max?: number;
}

/** A parser of one numeric option. Throws InvalidArgumentError with the option's name and what it takes. */
export function numberOption(name: string, range: Range): (text: string) => number {
  const { integer = false, min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY } = range;
  return (text) => {
    const value = text.trim() === '' ? Number.NaN : Number(text);
    if (!Number.isFinite(value) || (integer && !Number.isSafeInteger(value)) || value < min || value > max) {
      const bounds = [min > -Infinity && `from ${min}`, max < Infinity && `to ${max}`].filter(Boolean).join(' ');
      throw new InvalidArgumentError(
        `--${name} takes a ${integer ? 'whole ' : ''}number ${bounds}, not ${JSON.stringify(text)}.`.replace('  ', ' '),
        { field: name },
      );
    }
    return value;
  };
}
