// What callers of a tokenizer pass, checked, and what native code is told of it.
import { type Device, InvalidArgumentError } from '@x/cuda-core';
import { booleanIn, choiceIn, type JobOptions, objectIn } from '@x/cuda-core/addon';
import type { PaddingOptions, TruncationOptions } from './encoding';
import { ADD_SPECIAL, NO_TOKEN, PARSE_SPECIAL, SKIP_SPECIAL } from './native';
import type { SpecialSelection } from './special-policy';

export interface EncodeOptions {
  /** Put BOS, EOS and the like around the text where the file's post-processor or `add_bos_token` says so. Default true. */
  addSpecialTokens?: boolean;
  /**
   * Special tokens written in the text (`<|im_start|>`) become their ids. Default true. With false they are ordinary
   * text, as text from strangers should be; added tokens that are not special are found either way.
   */
  parseSpecial?: boolean;
  /**
   * Rank files, as in tiktoken: special tokens in the text that become their ids. Default none. With this or `disallowedSpecial`,
   * `parseSpecial` is not looked at.
   */
  allowedSpecial?: SpecialSelection;
  /**
   * Rank files, as in tiktoken: special tokens that must not be in the text unless allowed. Default `'all'`; `[]` has them read as
   * text.
   */
  disallowedSpecial?: SpecialSelection;
  /** A second text, put beside the first as the file's post-processor says. */
  pair?: string;
  /** Shorten to so many ids. Default: what the file says; `false` does not. */
  truncation?: TruncationOptions | false;
  /** Fill up to a length; `true` pads a batch to its longest. Default: what the file says; `false` does not. */
  padding?: PaddingOptions | boolean;
}

/** What the offsets count: UTF-16 units as JavaScript's strings, Unicode code points, or bytes of UTF-8. */
export type OffsetUnit = 'utf16' | 'codepoint' | 'byte';
const UNITS: readonly OffsetUnit[] = ['utf16', 'codepoint', 'byte'];

export interface EncodeFullOptions extends EncodeOptions {
  /** Of `offsets`. Default `'utf16'`. */
  unit?: OffsetUnit;
}

export interface EncodeBatchOptions extends EncodeOptions, JobOptions {
  /**
   * Where to encode; the ids are the same everywhere. `'auto'` (default) takes a GPU for byte-level models when the
   * batch is large enough to be faster there. With `'cuda'`, a model that the GPU cannot do is an UnsupportedError.
   */
  device?: Device;
}

export interface DecodeOptions {
  /** Leave special tokens out of the text. Default false. */
  skipSpecialTokens?: boolean;
}

export function text(value: unknown, field: string): string {
  if (typeof value !== 'string') throw new InvalidArgumentError(`${field} must be a string`, { field });
  return value;
}

function flag(value: unknown, fallback: boolean, field: string): boolean {
  return value === undefined ? fallback : booleanIn(value, field);
}

export function encodeFlags(options: EncodeOptions | undefined): number {
  if (options === undefined) return ADD_SPECIAL | PARSE_SPECIAL;
  objectIn(options, 'options');
  return (
    (flag(options.addSpecialTokens, true, 'addSpecialTokens') ? ADD_SPECIAL : 0) |
    (flag(options.parseSpecial, true, 'parseSpecial') ? PARSE_SPECIAL : 0)
  );
}

export function decodeFlags(options: DecodeOptions): number {
  return flag(objectIn(options, 'options').skipSpecialTokens, false, 'skipSpecialTokens') ? SKIP_SPECIAL : 0;
}

/** Options that need more than ids. */
export function isFull(options: EncodeOptions): boolean {
  return options.pair !== undefined || (options.truncation ?? false) !== false || (options.padding ?? false) !== false;
}

export function lengthsIn(
  properties: Readonly<Record<string, string>>,
): Pick<EncodeOptions, 'truncation' | 'padding'> | undefined {
  const { truncation, padding } = properties;
  if (truncation === undefined && padding === undefined) return undefined;
  return {
    ...(truncation !== undefined && { truncation: JSON.parse(truncation) as TruncationOptions }),
    ...(padding !== undefined && { padding: JSON.parse(padding) as PaddingOptions }),
  };
}

export function unitIndex(unit: unknown): number {
  return UNITS.indexOf(choiceIn(unit, 'unit', UNITS));
}

export function asIds(ids: Uint32Array | readonly number[]): Uint32Array {
  if (ids instanceof Uint32Array) return ids;
  if (!Array.isArray(ids)) throw new InvalidArgumentError('ids must be a Uint32Array or an array', { field: 'ids' });
  return Uint32Array.from(ids, (id, i) => {
    if (!Number.isInteger(id) || id < 0 || id > NO_TOKEN) {
      throw new InvalidArgumentError(`ids[${i}] is ${String(id)}, not a token id`, { field: `ids[${i}]` });
    }
    return id;
  });
}
