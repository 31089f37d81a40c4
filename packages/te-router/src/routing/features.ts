// What a question looks like, without a list of words: lengths, character classes, numbers, repetition, punctuation and
// brackets, the entropy of its characters, hashed character trigrams of its template, its answer options (lines that begin
// like "A." or "(2)") and its sentences; and the sequence of its hashed tokens, for n-grams. One pass over the text.

import { Options, optionBody } from './answer-options';
import {
  BRACKET,
  CLASS,
  DIGIT,
  isCapital,
  isWord,
  LETTER,
  OPERATOR,
  OTHER,
  PUNCTUATION,
  QUOTE,
  SPACE,
} from './characters';
import { Distinct, READ_LIMIT } from './distinct';
import { FEATURE_NAMES, STRUCTURE, TRIGRAM_SLOTS } from './feature-names';

/** What the router needs of a tokenizer; `Tokenizer` of `@x/bpe-tokenizer` is one. */
export interface QueryTokenizer {
  /** Token ids of a text; the smaller, the more usual (as BPE vocabularies have them). */
  encode(text: string): ArrayLike<number>;
}

export interface TextFeatures {
  /** One value a name of FEATURE_NAMES, each roughly within [-1, 1]. */
  values: Float64Array;
  /**
   * Distinct tokens of the template (words in lower case, any number as one token, each punctuation mark), hashed to fewer
   * than SLOTS; the empty question has one of its own.
   */
  slots: Uint16Array;
  /** All hashed tokens in their order, numbers as they are; with a tokenizer, its hashed ids. */
  sequence: Uint32Array;
  /** How many of `sequence` come before the answer options. */
  stem: number;
  /** How large the question is beside others of its kind: log length and log digits. */
  size: number;
  /** The template in readable form, for labels; made when it is read. */
  readonly template: string;
}

/** FNV-1a over small integers. */
export function mix(hash: number, value: number): number {
  return Math.imul(hash ^ value, 16777619) >>> 0;
}

/** Tokens of templates are told apart by this many slots. */
export const SLOTS = 1024;

// Written into anew by each reading: at most one token a character.
const sequence = new Uint32Array(READ_LIMIT);
const template = new Uint16Array(SLOTS);

const trigram = (start: number, a: number, b: number, c: number) =>
  Math.imul(Math.imul(Math.imul(start ^ a, 16777619) ^ b, 16777619) ^ c, 16777619);

const counts = new Float64Array(8);
const histogram = new Uint16Array(128);
const trigrams = new Float64Array(TRIGRAM_SLOTS);
const tokens = new Distinct();
const slotsSeen = new Distinct();

/** Reads one text. Any string will do: empty, very long, or with unpaired surrogates. Deterministic by `seed`. */
export function readText(text: string, seed: number, tokenizer?: QueryTokenizer): TextFeatures {
  const n = Math.min(text.length, READ_LIMIT);
  counts.fill(0);
  histogram.fill(0);
  trigrams.fill(0);
  tokens.clear(n);
  slotsSeen.clear(n);
  let slots = 0;
  const token = (hash: number) => {
    if (!tokens.add(hash)) return;
    const slot = (hash ^ (hash >>> 15)) & (SLOTS - 1);
    if (slotsSeen.add(slot)) template[slots++] = slot;
  };
  const start = mix(2166136261, seed | 0);
  const anyNumber = mix(start, 48);

  let upper = 0;
  let repeats = 0;
  let run = 1;
  let longestRun = 1;
  let numbers = 0;
  let longestNumber = 0;
  let words = 0;
  let longestWord = 0;
  let letters = 0;
  let tokenCount = 0;
  let single = 0;
  let quoted = 0;
  let quoteOpen = -1;
  let bracketRun = 0;
  let longestBracketRun = 0;
  let depth = 0;
  let deepest = 0;
  let lines = 1;
  let previous = -1;
  let a = 32;
  let b = 32;
  let length = 0; // of the sequence
  const options = new Options();
  let optionStart = -1; // character where the first option begins
  let stem = -1; // tokens before it
  let sentences = 0;
  let sentenceWords = 0;
  let inSentence = false; // a word of this sentence was read
  let inside = 0; // words that do not begin one
  let capitalised = 0; // of them
  let short = 0;
  let long = 0;
  let acronyms = 0;
  let years = 0;
  let tex = 0;
  let blanks = 0;
  let marks = 0;

  let i = 0;
  while (i < n) {
    if (i === 0 || text.charCodeAt(i - 1) === 10) {
      const body = optionBody(text, i, n);
      if (optionStart < 0 && body >= 0) {
        optionStart = i;
        stem = length;
      }
      if (body >= 0) options.begin(body);
      else options.end();
    }
    const code = text.charCodeAt(i);
    const kind = code < 128 ? CLASS[code]! : code > 0xbf ? LETTER : OTHER;
    // A run of letters or digits is one token, everything else one character.
    let end = i + 1;
    let hash = start;
    if (kind === LETTER || kind === DIGIT) {
      const upperBefore = upper;
      for (end = i; end < n; end++) {
        const c = text.charCodeAt(end);
        if ((c < 128 ? CLASS[c]! : c > 0xbf ? LETTER : OTHER) !== kind) break;
        const isUpper = c >= 65 && c <= 90;
        if (isUpper) upper++;
        const folded = kind === DIGIT ? 48 : isUpper ? c + 32 : c;
        // `mix` without its sign, which is put right after the last character.
        hash = Math.imul(hash ^ (kind === LETTER ? folded : c), 16777619);
        if (kind === LETTER || end === i) {
          const slot = trigram(start, a, b, folded);
          trigrams[slot & (TRIGRAM_SLOTS - 1)]! += slot & 0x10000 ? 1 : -1;
          a = b;
          b = folded;
        }
        if (c < 128) histogram[c]!++;
        if (c === previous) {
          repeats++;
          if (++run > longestRun) longestRun = run;
        } else run = 1;
        previous = c;
      }
      const size = end - i;
      counts[kind]! += size;
      tokenCount++;
      sequence[length++] = hash;
      options.read(i, end, kind, code);
      if (size === 1) single++;
      if (kind === LETTER) {
        words++;
        letters += size;
        if (size > longestWord) longestWord = size;
        if (size <= 3) short++;
        else if (size >= 8) long++;
        if (size > 1 && upper - upperBefore === size) acronyms++;
        if (inSentence) {
          inside++;
          if (isCapital(code)) capitalised++;
        }
        inSentence = true;
        sentenceWords++;
      } else {
        numbers++;
        if (size === 4) years++;
        if (size > longestNumber) longestNumber = size;
      }
      token(kind === LETTER ? hash >>> 0 : anyNumber);
      bracketRun = 0;
    } else {
      counts[kind]!++;
      if (code < 128) histogram[code]!++;
      if (code === previous) {
        repeats++;
        if (++run > longestRun) longestRun = run;
      } else run = 1;
      previous = code;
      if (code === 10) lines++;
      if (code === 95) blanks++;
      else if (code === 63) marks++;
      else if (code === 92 || code === 36) tex++;
      if (code === 46 || code === 63 || code === 33) {
        // A full stop between digits or letters ("3.5", "e.g.") ends nothing.
        if (inSentence && !(i + 1 < n && isWord(text.charCodeAt(i + 1)))) {
          sentences++;
          inSentence = false;
        }
      }
      if (kind === SPACE) {
        if (b !== 32) {
          a = b;
          b = 32;
        }
      } else {
        tokenCount++;
        single++;
        const mark = mix(mix(start, 1), code);
        token(mark);
        sequence[length++] = mark;
        options.read(i, end, kind, code);
        const slot = trigram(start, a, b, code);
        trigrams[slot & (TRIGRAM_SLOTS - 1)]! += slot & 0x10000 ? 1 : -1;
        a = b;
        b = code;
        if (kind === QUOTE) {
          if (quoteOpen >= 0) {
            quoted += i - quoteOpen - 1;
            quoteOpen = -1;
          } else quoteOpen = i;
        }
        if (kind === BRACKET) {
          if (++bracketRun > longestBracketRun) longestBracketRun = bracketRun;
          depth += code === 40 || code === 91 || code === 123 ? 1 : -1;
          if (depth < 0) depth = 0;
          if (depth > deepest) deepest = depth;
        } else bracketRun = 0;
      }
    }
    i = end;
  }
  options.end();
  if (slots === 0) template[slots++] = mix(0, 0) & (SLOTS - 1);
  if (stem < 0) stem = length;
  if (inSentence) sentences++;
  let rank = 0;
  if (tokenizer) {
    // The ids of the stem and of the options, each tokenized by itself, so that the border is one of tokens too.
    const cut = optionStart < 0 ? n : optionStart;
    const head = tokenizer.encode(text.slice(0, cut));
    const tail = cut < n ? tokenizer.encode(text.slice(cut, n)) : [];
    length = Math.min(READ_LIMIT, head.length + tail.length);
    stem = Math.min(READ_LIMIT, head.length);
    for (let t = 0; t < length; t++) {
      const id = t < head.length ? head[t]! : tail[t - head.length]!;
      sequence[t] = mix(mix(mix(start, 2), id & 0xffff), id >>> 16);
      rank += Math.log1p(id);
    }
    if (length > 0) rank /= length;
  }

  const per = n > 0 ? 1 / n : 0;
  const cap = (x: number) => Math.min(1, x);
  let last = n - 1;
  while (last >= 0 && CLASS[text.charCodeAt(last)] === SPACE) last--;
  const final = last >= 0 ? text[last]! : '';
  let entropy = 0;
  for (const count of histogram) if (count > 0) entropy -= count * per * Math.log2(count * per);
  const first = n > 0 ? text.charCodeAt(0) : 0;
  const digits = counts[DIGIT]!;

  const values = new Float64Array(FEATURE_NAMES.length);
  values.set([
    cap(Math.log1p(text.length) / 8),
    cap(Math.log1p(words) / 6),
    digits * per,
    counts[LETTER]! * per,
    letters > 0 ? upper / letters : 0,
    counts[SPACE]! * per,
    counts[PUNCTUATION]! * per,
    counts[BRACKET]! * per,
    counts[QUOTE]! * per,
    counts[OPERATOR]! * per,
    counts[OTHER]! * per,
    cap(Math.log1p(numbers) / 4),
    cap(longestNumber / 10),
    numbers > 0 ? cap(digits / numbers / 10) : 0,
    cap(Math.log1p(digits) / 5),
    cap(longestWord / 20),
    words > 0 ? cap(letters / words / 10) : 0,
    tokenCount > 0 ? tokens.size / tokenCount : 0,
    repeats * per,
    cap(Math.log2(longestRun) / 5),
    final === '?' ? 1 : 0,
    final === '=' || final === ':' ? 1 : 0,
    first >= 65 && first <= 90 ? 1 : 0,
    cap(Math.log1p(quoted) / 5),
    tokenCount > 0 ? single / tokenCount : 0,
    cap(Math.log1p(longestBracketRun) / 4),
    cap(deepest / 8),
    cap(Math.log(lines) / 4),
    entropy / 6,
  ]);
  let norm = 0;
  for (const t of trigrams) norm += t * t;
  if (norm > 0) for (let t = 0; t < TRIGRAM_SLOTS; t++) values[STRUCTURE.length + t] = trigrams[t]! / Math.sqrt(norm);
  const perWord = words > 0 ? 1 / words : 0;
  const o = options.summary();
  values.set(
    [
      cap(Math.log1p(optionStart < 0 ? text.length : optionStart) / 8),
      cap(o.count / 10),
      cap(Math.log1p(o.mean) / 6),
      cap(Math.log1p(o.longest) / 6),
      cap(Math.log1p(o.shortest) / 6),
      cap(o.spread),
      o.withDigits,
      o.capitalised,
      o.stopped,
      cap(o.words / 20),
      cap(Math.log1p(blanks) / 3),
      cap(Math.log1p(marks) / 2),
      final === '.' ? 1 : 0,
      cap(Math.log1p(sentences) / 4),
      sentences > 0 ? cap(Math.log1p(sentenceWords / sentences) / 4) : 0,
      inside > 0 ? capitalised / inside : 0,
      short * perWord,
      long * perWord,
      acronyms * perWord,
      tokenCount > 0 ? cap((4 * years) / tokenCount) : 0,
      cap(10 * tex * per),
      cap(length * per),
      tokenizer ? cap(rank / 12) : 0,
    ],
    STRUCTURE.length + TRIGRAM_SLOTS,
  );
  return {
    values,
    slots: template.slice(0, slots),
    sequence: sequence.slice(0, length),
    stem,
    size: Math.log1p(text.length) + Math.log1p(digits),
    get template() {
      return templateOf(text);
    },
  };
}

/** The first dozen words in lower case, with 0 for numbers. */
function templateOf(text: string): string {
  const shape: string[] = [];
  for (const [token] of text.slice(0, 512).matchAll(/[a-z\u00c0-\uffff]+|\d+/gi)) {
    const word = /^\d/.test(token) ? '0' : token.slice(0, 16).toLowerCase();
    if (word === '0' && shape.at(-1) === '0') continue;
    shape.push(word);
    if (shape.length === 12) break;
  }
  return shape.join(' ');
}
