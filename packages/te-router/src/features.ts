// What a question looks like, without a list of words: lengths, character classes, numbers, repetition, punctuation and
// brackets, the entropy of its characters, and hashed character trigrams of its template.

/** Only this many UTF-16 units are read; the length feature still tells the whole. */
export const READ_LIMIT = 4096;

const STRUCTURE = [
  'logLength',
  'logWords',
  'digitFraction',
  'letterFraction',
  'upperCaseFraction',
  'spaceFraction',
  'punctuationFraction',
  'bracketFraction',
  'quoteFraction',
  'operatorFraction',
  'nonAsciiFraction',
  'logNumbers',
  'longestNumber',
  'meanNumberLength',
  'logDigits',
  'longestWord',
  'meanWordLength',
  'distinctTokenFraction',
  'repeatedCharacterFraction',
  'longestRepeat',
  'endsWithQuestionMark',
  'endsOpen',
  'startsWithUpperCase',
  'logQuotedLength',
  'singleCharacterFraction',
  'bracketRun',
  'bracketDepth',
  'logLines',
  'characterEntropy',
] as const;
const TRIGRAM_SLOTS = 16;

/** Names of the features, in the order of their values. */
export const FEATURE_NAMES: readonly string[] = [
  ...STRUCTURE,
  ...Array.from({ length: TRIGRAM_SLOTS }, (_, i) => `trigram${i}`),
];

export interface TextFeatures {
  /** One value a name of FEATURE_NAMES, each roughly within [-1, 1]. */
  values: Float64Array;
  /** Distinct hashed tokens of the template: words in lower case, any number as one token, each punctuation mark. */
  tokens: Uint32Array;
  /** How large the question is beside others of its kind: log length and log digits. */
  size: number;
  /** The template in readable form, for labels. */
  template: string;
}

const OTHER = 0;
const LETTER = 1;
const DIGIT = 2;
const SPACE = 3;
const BRACKET = 4;
const QUOTE = 5;
const OPERATOR = 6;
const PUNCTUATION = 7;

const CLASS = new Uint8Array(128);
for (let c = 0; c < 128; c++) {
  const s = String.fromCharCode(c);
  if (/[a-z]/i.test(s)) CLASS[c] = LETTER;
  else if (/\d/.test(s)) CLASS[c] = DIGIT;
  else if (/\s/.test(s)) CLASS[c] = SPACE;
  else if ('()[]{}'.includes(s)) CLASS[c] = BRACKET;
  else if ('"\'`'.includes(s)) CLASS[c] = QUOTE;
  else if ('+-*/=<>%^&|~'.includes(s)) CLASS[c] = OPERATOR;
  else if (c > 32 && c < 127) CLASS[c] = PUNCTUATION;
}

/** FNV-1a over small integers. */
export function mix(hash: number, value: number): number {
  return Math.imul(hash ^ value, 16777619) >>> 0;
}

/** Reads one text. Any string will do: empty, very long, or with unpaired surrogates. Deterministic by `seed`. */
export function readText(text: string, seed: number): TextFeatures {
  const n = Math.min(text.length, READ_LIMIT);
  const counts = new Float64Array(8);
  const histogram = new Uint16Array(128);
  const trigrams = new Float64Array(TRIGRAM_SLOTS);
  const tokens = new Set<number>();
  const shape: string[] = [];
  const start = mix(2166136261, seed | 0);

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

  let i = 0;
  while (i < n) {
    const code = text.charCodeAt(i);
    const kind = code < 128 ? CLASS[code]! : code > 0xbf ? LETTER : OTHER;
    // A run of letters or digits is one token, everything else one character.
    let end = i + 1;
    let hash = start;
    if (kind === LETTER || kind === DIGIT) {
      for (end = i; end < n; end++) {
        const c = text.charCodeAt(end);
        if ((c < 128 ? CLASS[c]! : c > 0xbf ? LETTER : OTHER) !== kind) break;
        const isUpper = c >= 65 && c <= 90;
        if (isUpper) upper++;
        const folded = kind === DIGIT ? 48 : isUpper ? c + 32 : c;
        if (kind === LETTER) hash = mix(hash, folded);
        else if (end === i) hash = mix(hash, 48);
        if (kind === LETTER || end === i) {
          const slot = mix(mix(mix(start, a), b), folded);
          trigrams[slot % TRIGRAM_SLOTS]! += slot & 0x10000 ? 1 : -1;
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
      const length = end - i;
      counts[kind]! += length;
      tokenCount++;
      if (length === 1) single++;
      if (kind === LETTER) {
        words++;
        letters += length;
        if (length > longestWord) longestWord = length;
        if (shape.length < 12) shape.push(text.slice(i, Math.min(end, i + 16)).toLowerCase());
      } else {
        numbers++;
        if (length > longestNumber) longestNumber = length;
        if (shape.length < 12 && shape.at(-1) !== '0') shape.push('0');
      }
      tokens.add(hash);
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
      if (kind === SPACE) {
        if (b !== 32) {
          a = b;
          b = 32;
        }
      } else {
        tokenCount++;
        single++;
        tokens.add(mix(mix(start, 1), code));
        const slot = mix(mix(mix(start, a), b), code);
        trigrams[slot % TRIGRAM_SLOTS]! += slot & 0x10000 ? 1 : -1;
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
  return {
    values,
    tokens: Uint32Array.from(tokens),
    size: Math.log1p(text.length) + Math.log1p(digits),
    template: shape.join(' '),
  };
}
