// Texts and special tokens put together: templates, pairs, truncation and padding, as in Hugging Face's tokenizers.
import { InvalidArgumentError, UnsupportedError } from '@x/cuda-core';
import { choiceIn, numberIn, objectIn } from '@x/cuda-core/addon';

export interface TruncationOptions {
  /** Ids at most, special tokens included. */
  maxLength: number;
  /** Ids that a piece of the overflow repeats from the one before. Default 0. */
  stride?: number;
  /** What is shortened when there are two texts. Default `'longest_first'`. */
  strategy?: 'longest_first' | 'only_first' | 'only_second';
  /** The side that is cut off. Default `'right'`. */
  side?: 'left' | 'right';
}

export interface PaddingOptions {
  /** Pad to this many ids. Without it to the longest of the batch. */
  length?: number;
  /** Round the length up to a multiple of this. */
  multipleOf?: number;
  /** Default `'right'`. */
  side?: 'left' | 'right';
  /** Default 0. */
  padId?: number;
  /** Default 0. */
  padTypeId?: number;
}

/** Ids with everything that belongs to them; arrays of equal length, `offsets` of twice that. */
export interface Encoding {
  ids: Uint32Array;
  /** Which text an id is of, as the template says. */
  typeIds: Uint32Array;
  /** 0 where there is padding. */
  attentionMask: Uint8Array;
  /** 1 for ids that the template or padding put there. */
  specialTokensMask: Uint8Array;
  /** Start and end of the text that each id stands for; 0, 0 for special tokens. */
  offsets: Uint32Array;
  /** What truncation cut off, in pieces of at most the same length. */
  overflowing: Encoding[];
}

/** One text's ids and offsets, before anything is added. */
export interface Sequence {
  ids: Uint32Array;
  offsets: Uint32Array;
}

/** (what, type id) pairs; `what` is a token id or one of these. */
export type Template = Uint32Array;
export const TEMPLATE_FIRST = 0xfffffffd;
export const TEMPLATE_SECOND = 0xfffffffe;

const whole = (value: unknown, field: string, min: number) =>
  numberIn(value, field, { min, max: 0x7fffffff, integer: true });

const oneOf = <T extends string>(value: unknown, field: string, choices: readonly T[], fallback: T): T =>
  value === undefined ? fallback : choiceIn(value, field, choices);

export function checkTruncation(value: unknown): Required<TruncationOptions> | undefined {
  if (value === undefined || value === false) return undefined;
  const o = objectIn(value, 'truncation');
  return {
    maxLength: whole(o.maxLength, 'truncation.maxLength', 0),
    stride: o.stride === undefined ? 0 : whole(o.stride, 'truncation.stride', 0),
    strategy: oneOf(o.strategy, 'truncation.strategy', ['longest_first', 'only_first', 'only_second'], 'longest_first'),
    side: oneOf(o.side, 'truncation.side', ['left', 'right'], 'right'),
  };
}

export function checkPadding(value: unknown): PaddingOptions | undefined {
  if (value === undefined || value === false) return undefined;
  if (value === true) return {};
  const o = objectIn(value, 'padding');
  const out: PaddingOptions = { side: oneOf(o.side, 'padding.side', ['left', 'right'], 'right') };
  if (o.length !== undefined) out.length = whole(o.length, 'padding.length', 0);
  if (o.multipleOf !== undefined) out.multipleOf = whole(o.multipleOf, 'padding.multipleOf', 1);
  if (o.padId !== undefined) out.padId = whole(o.padId, 'padding.padId', 0);
  if (o.padTypeId !== undefined) out.padTypeId = whole(o.padTypeId, 'padding.padTypeId', 0);
  return out;
}

function slice(s: Sequence, begin: number, end: number): Sequence {
  return { ids: s.ids.subarray(begin, end), offsets: s.offsets.subarray(2 * begin, 2 * end) };
}

/** The part that is kept, then the parts of the overflow. */
function truncated(s: Sequence, keep: number, stride: number, side: 'left' | 'right'): [Sequence, ...Sequence[]] {
  const length = s.ids.length;
  if (keep >= length) return [s];
  if (keep === 0) return [slice(s, 0, 0), s];
  if (stride >= keep)
    throw new InvalidArgumentError(
      `truncation.stride is ${stride}; with special tokens ${keep} ids are left of maxLength, and stride must be less`,
      { field: 'truncation.stride' },
    );
  const parts: Sequence[] = [];
  const step = keep - stride;
  if (side === 'right') {
    for (let begin = 0; begin < length; begin += step) {
      const end = Math.min(begin + keep, length);
      parts.push(slice(s, begin, end));
      if (end === length) break;
    }
  } else {
    for (let end = length; end > 0; end -= step) {
      const begin = Math.max(end - keep, 0);
      parts.push(slice(s, begin, end));
      if (begin === 0) break;
    }
  }
  return parts as [Sequence, ...Sequence[]];
}

function lengthsLeft(a: number, b: number, total: number, strategy: string): [number, number] {
  const remove = a + b - total;
  if (remove <= 0) return [a, b];
  if (strategy !== 'longest_first') {
    const [target, name] = strategy === 'only_first' ? [a, 'first'] : [b, 'second'];
    if (target <= remove)
      throw new InvalidArgumentError(`the ${name} text is too short to be truncated by ${remove} ids`, {
        field: 'truncation.strategy',
      });
    return strategy === 'only_first' ? [a - remove, b] : [a, b - remove];
  }
  // The longer one is cut to the length of the other, then both alike; the odd id stays with the longer.
  let short = Math.min(a, b);
  let long = Math.max(a, b);
  if (short > total) long = short;
  else long = Math.max(short, total - short);
  if (short + long > total) {
    short = Math.floor(total / 2);
    long = short + (total % 2);
  }
  return a > b ? [long, short] : [short, long];
}

function assemble(template: Template, addSpecial: boolean, first: Sequence, second: Sequence | undefined): Encoding {
  let length = 0;
  for (let i = 0; i < template.length; i += 2) {
    const what = template[i];
    if (what === TEMPLATE_FIRST) length += first.ids.length;
    else if (what === TEMPLATE_SECOND) length += second?.ids.length ?? 0;
    else if (addSpecial) length++;
  }
  const out: Encoding = {
    ids: new Uint32Array(length),
    typeIds: new Uint32Array(length),
    attentionMask: new Uint8Array(length).fill(1),
    specialTokensMask: new Uint8Array(length),
    offsets: new Uint32Array(2 * length),
    overflowing: [],
  };
  let at = 0;
  for (let i = 0; i < template.length; i += 2) {
    const what = template[i]!;
    const type = template[i + 1]!;
    if (what !== TEMPLATE_FIRST && what !== TEMPLATE_SECOND) {
      if (!addSpecial) continue;
      out.ids[at] = what;
      out.typeIds[at] = type;
      out.specialTokensMask[at++] = 1;
      continue;
    }
    const s = what === TEMPLATE_FIRST ? first : second!;
    out.ids.set(s.ids, at);
    out.offsets.set(s.offsets, 2 * at);
    out.typeIds.fill(type, at, at + s.ids.length);
    at += s.ids.length;
  }
  return out;
}

const PLAIN = Uint32Array.of(TEMPLATE_FIRST, 0);
const PLAIN_PAIR = Uint32Array.of(TEMPLATE_FIRST, 0, TEMPLATE_SECOND, 1);

/** Puts one or two texts into the template, shortened to what `truncation` allows. */
export function encodeSequences(
  template: Template,
  addSpecial: boolean,
  first: Sequence,
  second: Sequence | undefined,
  truncation: Required<TruncationOptions> | undefined,
): Encoding {
  const used = template.length > 0 ? template : second ? PLAIN_PAIR : PLAIN;
  if (!truncation) return assemble(used, addSpecial, first, second);
  const texts = second ? 2 : 1;
  const added = addSpecial ? used.length / 2 - texts : 0;
  if (truncation.maxLength > 0 && truncation.maxLength < added)
    throw new InvalidArgumentError(`truncation.maxLength must be at least ${added}, the number of special tokens`, {
      field: 'truncation.maxLength',
    });
  const total = Math.max(0, truncation.maxLength - added);
  if (!second && truncation.strategy === 'only_second')
    throw new UnsupportedError("truncation.strategy 'only_second' needs a second text", {
      field: 'truncation.strategy',
    });
  const [keep, b] = second
    ? lengthsLeft(first.ids.length, second.ids.length, total, truncation.strategy)
    : [Math.min(first.ids.length, total), 0];
  const firsts = truncated(first, keep, truncation.stride, truncation.side);
  const seconds = second ? truncated(second, b, truncation.stride, truncation.side) : [undefined];
  const out = assemble(used, addSpecial, firsts[0], seconds[0]);
  for (const f of firsts)
    for (const s of seconds)
      if (f !== firsts[0] || s !== seconds[0]) out.overflowing.push(assemble(used, addSpecial, f, s));
  return out;
}

function padded(e: Encoding, length: number, o: PaddingOptions): Encoding {
  const missing = length - e.ids.length;
  const overflowing = e.overflowing.map((piece) => padded(piece, length, o));
  if (missing <= 0) return { ...e, overflowing };
  const at = o.side === 'left' ? missing : 0;
  const out: Encoding = {
    ids: new Uint32Array(length).fill(o.padId ?? 0),
    typeIds: new Uint32Array(length).fill(o.padTypeId ?? 0),
    attentionMask: new Uint8Array(length),
    specialTokensMask: new Uint8Array(length).fill(1),
    offsets: new Uint32Array(2 * length),
    overflowing,
  };
  out.ids.set(e.ids, at);
  out.typeIds.set(e.typeIds, at);
  out.attentionMask.set(e.attentionMask, at);
  out.specialTokensMask.set(e.specialTokensMask, at);
  out.offsets.set(e.offsets, 2 * at);
  return out;
}

/** Pads all to one length: the given one, else that of the longest. */
export function pad(encodings: Encoding[], options: PaddingOptions | undefined): Encoding[] {
  if (!options) return encodings;
  let length = options.length ?? encodings.reduce((most, e) => Math.max(most, e.ids.length), 0);
  if (options.multipleOf) length = Math.ceil(length / options.multipleOf) * options.multipleOf;
  return encodings.map((e) => padded(e, length, options));
}
