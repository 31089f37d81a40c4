/** What every error of our packages has beyond its message. Read by shape: this file belongs to no package. */
interface Described extends Error {
  code?: unknown;
  field?: string;
  offset?: number;
}

/** An error as the command lines print it: one line with the code and the place where there are any; `verbose` the stack. */
export function describeError(error: Described, verbose = false): string {
  if (verbose) return error.stack ?? error.message;
  const { code, message, field, offset } = error;
  if (typeof code !== 'string' || !code.startsWith('X_')) return message;
  const known = [field, offset === undefined ? undefined : `byte ${offset}`].filter((place) => place !== undefined);
  const where = known.filter((place) => !message.includes(place));
  return `${code}: ${message}${where.length > 0 ? ` (${where.join(', ')})` : ''}`;
}
