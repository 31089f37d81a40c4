// What a request's text looks like, without a list of topics: lengths, character classes, answer options, lines and sentences.
// Such structure tells the kinds of questions apart that models differ on, and a few hundred outcomes are enough to learn from it;
// hashed words, measured beside it, were not worth their many weights (see bench/results/thermo-learning.md).

/** Only this many UTF-16 units are read; the length tells the whole. */
export const READ_LIMIT = 4096;
/** Numbers that `textFeatures` gives. */
export const TEXT_FEATURES = 26;

const LETTER = 1;
const UPPER = 2;
const DIGIT = 3;
const SPACE = 4;
const OTHER = 5;
const FOREIGN = 6;
const CLASS = Uint8Array.from({ length: 128 }, (_, c) => {
  const s = String.fromCharCode(c);
  if (/[a-z]/.test(s)) return LETTER;
  if (/[A-Z]/.test(s)) return UPPER;
  if (/\d/.test(s)) return DIGIT;
  return /\s/.test(s) ? SPACE : OTHER;
});
const marks = (characters: string) =>
  Uint8Array.from({ length: 128 }, (_, c) => +characters.includes(String.fromCharCode(c)));
const CODE = marks('()[]{}_=;<>');
const FORMULA = marks('\\$^+*/');
const QUOTE = marks('"\'`');
const SENTENCE_END = marks('.!?');
const OPTION_END = marks(').:');

const FNV = 16777619;
const START = 2166136261;
const hashed = (word: string) => [...word].reduce((h, c) => Math.imul(h ^ c.charCodeAt(0), FNV), START);
/** The commonest words of English: their share tells prose from lists, code and other languages. */
const FUNCTION_WORDS = new Set(['the', 'of', 'a', 'in', 'to'].map(hashed));

const LONG_WORD = 7;
/** Features stay within this distance of 0. */
const LIMIT = 2.5;
const clip = (x: number) => Math.min(LIMIT, Math.max(-LIMIT, x));
/** A share or count that saturates, from -1 to 1. */
const saturating = (x: number) => 2 * Math.tanh(x) - 1;

/**
 * Features of a text, each within [-2.5, 2.5] and of about unit size over ordinary questions. The constants centre and scale them;
 * nothing is learnt, so that the same text has the same features for ever.
 */
export function textFeatures(text: string): Float64Array {
  const read = Math.min(text.length, READ_LIMIT);
  let letters = 0;
  let upper = 0;
  let digits = 0;
  let others = 0;
  let foreign = 0;
  let code = 0;
  let formula = 0;
  let quotes = 0;
  let lines = 0;
  let numbers = 0;
  let sentences = 0;
  let blanks = 0;
  let namesInside = 0;
  let words = 0;
  let wordLengths = 0;
  let longWords = 0;
  let functionWords = 0;
  const distinct = new Set<number>();
  const options = new Options();
  let firstLine = -1;

  let hash = START;
  let length = 0; // of the word being read
  let before = 0; // character
  let classBefore = SPACE;
  let classTwoBefore = SPACE;
  for (let i = 0; i <= read; i++) {
    // A space after the end closes the last word.
    const c = i < read ? text.charCodeAt(i) : 32;
    const kind = c < 128 ? CLASS[c]! : FOREIGN;
    if (kind === SPACE) {
      if (length > 0) {
        words++;
        wordLengths += length;
        if (length > LONG_WORD) longWords++;
        if (FUNCTION_WORDS.has(hash)) functionWords++;
        distinct.add(hash);
        hash = START;
        length = 0;
      }
      if (before < 128 && SENTENCE_END[before]) sentences++;
    } else {
      length++;
      hash = Math.imul(hash ^ (kind === UPPER ? c + 32 : c), FNV);
    }
    if (i === read) break;
    if (kind === LETTER || kind === UPPER) letters++;
    if (kind === UPPER) {
      upper++;
      if (classBefore === SPACE && classTwoBefore === LETTER) namesInside++;
    } else if (kind === DIGIT) {
      digits++;
      if (classBefore !== DIGIT) numbers++;
    } else if (kind === OTHER) {
      others++;
      if (CODE[c]) code++;
      if (FORMULA[c]) formula++;
      if (QUOTE[c]) quotes++;
      if (c === UNDERSCORE && before !== UNDERSCORE) blanks++;
    } else if (kind === FOREIGN) foreign++;
    options.read(c, kind);
    if (c === NEWLINE) {
      lines++;
      if (firstLine < 0) firstLine = i;
    }
    classTwoBefore = classBefore;
    classBefore = kind;
    before = c;
  }
  options.end();

  const n = Math.max(1, read);
  const w = Math.max(1, words);
  const last = text.trimEnd();
  const end = last.charCodeAt(last.length - 1);
  const endKind = end < 128 ? CLASS[end] : FOREIGN; // NaN of an empty text is FOREIGN
  const values = [
    (Math.log(Math.max(1, text.length)) - 5.5) / 1.2,
    (Math.log(w) - 3.8) / 1.2,
    saturating((10 * digits) / n),
    (letters / n - 0.75) * 8,
    saturating((12 * upper) / n),
    saturating((8 * others) / n),
    saturating((30 * code) / n),
    saturating((40 * formula) / n),
    Math.log1p(lines) - 1,
    wordLengths / w / 2 - 2.3,
    last.endsWith('?') ? 1 : -1,
    saturating(options.count / 2),
    Math.tanh((50 * foreign) / n),
    (4 * longWords) / w - 1,
    (4 * distinct.size) / w - 3,
    Math.log1p(numbers) - 1,
    saturating(sentences / 3),
    saturating((20 * quotes) / n),
    endKind === LETTER || endKind === UPPER || endKind === DIGIT ? 1 : -1,
    text.length > 0 && CLASS[text.charCodeAt(0)] === UPPER ? 1 : -1,
    options.count > 0 ? Math.log1p(options.meanLength) / 2 - 1 : -1,
    options.count > 0 ? Math.log1p(options.deviation) / 2 : -1,
    Math.log1p(firstLine < 0 ? read : firstLine) / 2 - 2.3,
    saturating(blanks),
    (8 * functionWords) / w - 1,
    saturating(namesInside / 3),
  ];
  return Float64Array.from(values, clip);
}

const NEWLINE = 10;
const UNDERSCORE = 95;
const OPEN = 40;

/** Answer options: lines that begin like "A." or "(2)". */
class Options {
  count = 0;
  #sum = 0;
  #squares = 0;
  /** 0 at a line's beginning, 1 after a bracket, 2 after the option's sign, 3 within an option, 4 in any other line. */
  #state = 0;
  #length = 0;

  get meanLength(): number {
    return this.#sum / this.count;
  }
  get deviation(): number {
    return Math.sqrt(Math.max(0, this.#squares / this.count - this.meanLength ** 2));
  }

  read(c: number, kind: number): void {
    if (c === NEWLINE) this.end();
    else if (this.#state === 3) this.#length++;
    else if (this.#state === 2) this.#state = c < 128 && OPTION_END[c] ? 3 : 4;
    else if (this.#state < 2 && !(kind === SPACE && this.#state === 0)) {
      // A to H, 1 to 9.
      if ((c >= 65 && c <= 72) || (c >= 49 && c <= 57)) this.#state = 2;
      else this.#state = c === OPEN && this.#state === 0 ? 1 : 4;
    }
  }

  end(): void {
    if (this.#state === 3) {
      this.count++;
      this.#sum += this.#length;
      this.#squares += this.#length ** 2;
    }
    this.#state = 0;
    this.#length = 0;
  }
}
