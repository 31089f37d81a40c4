import { XError } from '@x/cuda-core';

/** An error as the command lines print it: one line with the code and the place where there are any; `verbose` the stack. */
export function describeError(error: Error, verbose = false): string {
  if (verbose) return error.stack ?? error.message;
  if (!(error instanceof XError)) return error.message;
  const { code, message, field, offset } = error;
  const known = [field, offset === undefined ? undefined : `byte ${offset}`].filter((place) => place !== undefined);
  const where = known.filter((place) => !message.includes(place));
  return `${code}: ${message}${where.length > 0 ? ` (${where.join(', ')})` : ''}`;
}
