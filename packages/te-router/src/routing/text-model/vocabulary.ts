// Hashed n-grams of token sequences and their TF-IDF weights.
//
// Two blocks, each of length 1: words and pairs of words; and words told apart by where they stand (in the question or in
// its answer options) with the question's first and last few words, which betray templates and answer formats.
import { mix, type TextFeatures } from '../features';

/** Rows of a sparse matrix, one after the other. */
export interface SparseRows {
  /** Row r is from start[r] to start[r + 1]. */
  start: Int32Array;
  index: Int32Array;
  value: Float32Array;
}

/** One row, in buffers that the next call writes over. */
export interface SparseRow {
  index: Int32Array;
  value: Float32Array;
  length: number;
  /** How many are words; they come first. */
  words: number;
  /** Part of the n-grams, by weight, that the vocabulary does not know, 0 to 1. */
  unknown: number;
}

/** The largest vocabulary; the n-grams of most rows are kept. */
const LIMIT = 1 << 17;
/** With fewer texts than this, an n-gram of one text counts too. */
const FEW = 400;

// Which kind of n-gram a key is.
const WORD = 1;
const PAIR = 2;
const STEM = 3;
const OPTION = 4;
const FIRST = 5;
const LAST = 6;
/** At most this many n-grams a text: three a token, and the edges. */
const MOST = 3 * 4096 + 8;

const keys = new Uint32Array(MOST);
/** The block of each key: 0 or 1; single words are told by `single`. */
const blocks = new Uint8Array(MOST);

/** A hash of two hashes in their order; `mix` alone would not tell (a, b) from (b, a). */
const pair = (a: number, b: number) => mix(Math.imul(a, 0x85ebca6b) ^ (b >>> 15), b);

const edge = new Uint32Array(5);
/** Writes the keys of the first and the last words of the question, together with those before, into `edge`; gives their number. */
function edges({ sequence: t, stem }: TextFeatures): number {
  let n = 0;
  let head = FIRST;
  for (let i = 0; i < Math.min(3, stem); i++) {
    head = pair(head, t[i]!);
    edge[n++] = head;
  }
  let tail = LAST;
  for (let i = 1; i <= Math.min(3, stem); i++) {
    tail = pair(tail, t[stem - i]!);
    if (i > 1) edge[n++] = tail;
  }
  return n;
}

/** Writes the n-grams of a text into `keys` and `blocks`; gives their number. Words come first. */
function ngrams(text: TextFeatures): number {
  const { sequence: t, stem } = text;
  let n = 0;
  const add = (key: number, block: number) => {
    keys[n] = key === 0 ? 1 : key;
    blocks[n++] = block;
  };
  for (let i = 0; i < t.length; i++) add(mix(t[i]!, WORD), 0);
  for (let i = 0; i + 1 < t.length; i++) add(mix(pair(t[i]!, t[i + 1]!), PAIR), 0);
  for (let i = 0; i < t.length; i++) add(mix(t[i]!, i < stem ? STEM : OPTION), 1);
  for (let e = edges(text); e > 0; e--) add(edge[e - 1]!, 1);
  return n;
}

/** Undoes `mix(token, kind)`: 16777619 has this inverse modulo 2^32. */
const unmix = (key: number, kind: number) => (Math.imul(key, 0x359c449b) ^ kind) >>> 0;

/** FNV's low bits are good, but keys that differ in high bits alone would meet. */
const slotOf = (key: number, mask: number) => (Math.imul(key, 0x9e3779b1) >>> 7) & mask;

export interface VocabularyState {
  keys: Uint32Array;
  /** Inverse document frequency, 1 + log((1 + texts) / (1 + texts with it)). */
  inverse: Float32Array;
  /** How many are single words; they come first. */
  words: number;
  /** How many belong to the first block; they come first. */
  first: number;
  /** Texts it was built from. */
  texts: number;
}

export class Vocabulary {
  /** Known n-grams. Those below `words` are single words. */
  readonly size: number;
  /** Open addressing: key and index + 1 of each slot. */
  private readonly table: Uint32Array;
  private readonly mask: number;
  /** Of each word, the index of the same word in the question, and among the options; -1 where not known. */
  private readonly inStem: Int32Array;
  private readonly inOptions: Int32Array;
  private readonly found: Int32Array;
  private readonly counts: Uint16Array;
  private readonly row: SparseRow;

  constructor(private readonly state: VocabularyState) {
    this.size = state.keys.length;
    let slots = 1024;
    while (slots < 2 * this.size) slots *= 2;
    this.mask = slots - 1;
    this.table = new Uint32Array(2 * slots);
    for (let i = 0; i < this.size; i++) {
      let s = slotOf(state.keys[i]!, this.mask);
      while (this.table[2 * s + 1] !== 0) s = (s + 1) & this.mask;
      this.table[2 * s] = state.keys[i]!;
      this.table[2 * s + 1] = i + 1;
    }
    this.inStem = new Int32Array(state.words);
    this.inOptions = new Int32Array(state.words);
    for (let w = 0; w < state.words; w++) {
      const token = unmix(state.keys[w]!, WORD);
      this.inStem[w] = this.indexOf(mix(token, STEM));
      this.inOptions[w] = this.indexOf(mix(token, OPTION));
    }
    this.found = new Int32Array(MOST);
    this.counts = new Uint16Array(this.size);
    this.row = { index: new Int32Array(MOST), value: new Float32Array(MOST), length: 0, words: 0, unknown: 0 };
  }

  get words(): number {
    return this.state.words;
  }
  /** How many belong to the first block; they come first. */
  get first(): number {
    return this.state.first;
  }

  private indexOf(key: number): number {
    const { table, mask } = this;
    const wanted = key === 0 ? 1 : key;
    let s = slotOf(wanted, mask);
    while (table[2 * s + 1] !== 0 && table[2 * s] !== wanted) s = (s + 1) & mask;
    return table[2 * s + 1]! - 1;
  }

  /** The n-grams of two texts or more (of one, when texts are few), weighted by how few texts hold them. */
  static *build(texts: readonly TextFeatures[]): Generator<void, Vocabulary> {
    const least = texts.length < FEW ? 1 : 2;
    const seen = new Map<number, { rows: number; last: number; kind: number }>();
    for (const [r, text] of texts.entries()) {
      const n = ngrams(text);
      for (let i = 0; i < n; i++) {
        const known = seen.get(keys[i]!);
        if (!known) seen.set(keys[i]!, { rows: 1, last: r, kind: i < text.sequence.length ? 0 : 1 + blocks[i]! });
        else if (known.last !== r) {
          known.rows++;
          known.last = r;
        }
      }
      if (r % 64 === 63) yield;
    }
    let kept = [...seen].filter(([, v]) => v.rows >= least);
    // Map order is that of first sight, so ties are broken alike everywhere.
    if (kept.length > LIMIT) kept = kept.sort((a, b) => b[1].rows - a[1].rows).slice(0, LIMIT);
    kept = [0, 1, 2].flatMap((kind) => kept.filter(([, v]) => v.kind === kind));
    return new Vocabulary({
      keys: Uint32Array.from(kept, ([key]) => key),
      inverse: Float32Array.from(kept, ([, v]) => 1 + Math.log((1 + texts.length) / (1 + v.rows))),
      words: kept.filter(([, v]) => v.kind === 0).length,
      first: kept.filter(([, v]) => v.kind < 2).length,
      texts: texts.length,
    });
  }

  /** The block of each n-gram. */
  blocks(): Uint8Array {
    return new Uint8Array(this.size).fill(1, this.state.first);
  }

  /** Part of the words of one of the texts it was built from that the other texts would not have made known, 0 to 1. */
  unknownToOthers(text: TextFeatures): number {
    const n = text.sequence.length;
    if (n === 0) return 1;
    const least = this.state.texts < FEW ? 1 : 2;
    // The text itself was one of those that hold the word.
    const most = Math.fround(1 + Math.log((1 + this.state.texts) / (1 + least)));
    ngrams(text);
    let unknown = 0;
    for (let i = 0; i < n; i++) {
      let s = slotOf(keys[i]!, this.mask);
      while (this.table[2 * s + 1] !== 0 && this.table[2 * s] !== keys[i]!) s = (s + 1) & this.mask;
      const found = this.table[2 * s + 1]!;
      if (found === 0 || this.state.inverse[found - 1]! >= most) unknown++;
    }
    return unknown / n;
  }

  /** The TF-IDF row of a text: (1 + log count) x inverse frequency, each block scaled to length 1. */
  read(text: TextFeatures): SparseRow {
    const { counts, row, found, inStem, inOptions } = this;
    const { inverse, first: border } = this.state;
    const { sequence, stem } = text;
    const { index, value } = row;
    const n = sequence.length;
    let length = 0;
    let unknown = 0;
    const count = (i: number) => {
      if (i >= 0 && counts[i]!++ === 0) index[length++] = i;
    };
    for (let i = 0; i < n; i++) {
      const word = this.indexOf(mix(sequence[i]!, WORD));
      found[i] = word < this.state.words ? word : -1;
      if (word < 0) unknown++;
      count(found[i]!);
    }
    row.words = length;
    // No text holds a pair, or a word in its place, more often than the word itself.
    for (let i = 0; i + 1 < n; i++)
      if (found[i]! >= 0 && found[i + 1]! >= 0) count(this.indexOf(mix(pair(sequence[i]!, sequence[i + 1]!), PAIR)));
    for (let i = 0; i < n; i++) {
      const word = found[i]!;
      if (word >= 0) count(i < stem ? inStem[word]! : inOptions[word]!);
    }
    for (let e = edges(text); e > 0; e--) count(this.indexOf(edge[e - 1]!));
    let near = 0;
    let far = 0;
    for (let a = 0; a < length; a++) {
      const i = index[a]!;
      const v = LOG[Math.min(counts[i]!, LOG.length - 1)]! * inverse[i]!;
      counts[i] = 0;
      value[a] = v;
      if (i < border) near += v * v;
      else far += v * v;
    }
    near = near > 0 ? 1 / Math.sqrt(near) : 0;
    far = far > 0 ? 1 / Math.sqrt(far) : 0;
    for (let a = 0; a < length; a++) value[a]! *= index[a]! < border ? near : far;
    row.length = length;
    row.unknown = n > 0 ? unknown / n : 1;
    return row;
  }

  /** The rows of many texts. */
  *readAll(texts: readonly TextFeatures[]): Generator<void, SparseRows> {
    const rows: { index: Int32Array; value: Float32Array }[] = [];
    let total = 0;
    for (const [r, text] of texts.entries()) {
      const row = this.read(text);
      rows.push({ index: row.index.slice(0, row.length), value: row.value.slice(0, row.length) });
      total += row.length;
      if (r % 64 === 63) yield;
    }
    const start = new Int32Array(rows.length + 1);
    const index = new Int32Array(total);
    const value = new Float32Array(total);
    let at = 0;
    rows.forEach((row, r) => {
      index.set(row.index, at);
      value.set(row.value, at);
      at += row.index.length;
      start[r + 1] = at;
    });
    return { start, index, value };
  }

  toJSON(): VocabularyState {
    return this.state;
  }
}

/** 1 + log of a count. */
const LOG = Float64Array.from({ length: 4097 }, (_, i) => (i > 0 ? 1 + Math.log(i) : 0));
