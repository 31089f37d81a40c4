// Token ids as callers pass them.
import { numberIn, refuse, shown } from '@x/cuda-core/addon';

/** Token ids as the addon wants them: a copy, every id a whole number from 0 below `vocabulary`. */
export function tokenIds(value: unknown, field: string, vocabulary: number): Int32Array {
  const source = value as ArrayLike<number>;
  if (!Array.isArray(value) && (!ArrayBuffer.isView(value) || value instanceof DataView))
    refuse(field, `${field} is ${shown(value)}; it must be an array of token ids.`);
  if (source.length === 0) refuse(field, `${field} is empty; at least one token is needed.`);
  const ids = new Int32Array(source.length);
  for (let i = 0; i < ids.length; i++) {
    const id = source[i] as number;
    // The full check builds the field's name: only a wrong id pays for it.
    if (!Number.isInteger(id) || id < 0 || id >= vocabulary)
      numberIn(id, `${field}[${i}]`, { min: 0, max: vocabulary - 1, integer: true });
    ids[i] = id;
  }
  return ids;
}
