import { text as checked } from './options';

/** Turns text into ids as it arrives; together they are the ids of the whole. Made by {@link Tokenizer.encodeStream}. */
export class EncodeStream {
  readonly #encode: (text: string, continues: boolean, last: boolean) => Uint32Array;
  readonly #cuts: boolean;
  #waiting: string[] = [];
  #tail = '';
  #started = false;

  /** @internal */
  constructor(encode: (text: string, continues: boolean, last: boolean) => Uint32Array, cuts: boolean) {
    this.#encode = encode;
    this.#cuts = cuts;
  }

  /**
   * The ids that no later text can change. Text is held back up to the last line that begins with an ASCII letter (after
   * a line that does not end in white space); tokenizers that do not allow such a cut hold everything until `end`.
   *
   * @throws what `encode` throws for the text; the text is kept, and thrown for again.
   */
  push(chunk: string): Uint32Array {
    // The border between two chunks may be a cut itself.
    const text = this.#tail + checked(chunk, 'chunk');
    const cut = this.#cuts ? lastCut(text) : 0;
    this.#waiting.push(chunk);
    if (cut <= 0) {
      this.#tail = text.slice(-2);
      return new Uint32Array(0);
    }
    const keep = text.length - cut;
    const all = this.#waiting.join('');
    const ready = all.slice(0, all.length - keep);
    const rest = all.slice(all.length - keep);
    const ids = this.#encode(ready, this.#started, false);
    this.#waiting = [rest];
    this.#tail = rest.slice(-2);
    this.#started = true;
    return ids;
  }

  /** The ids of what is left. The stream can then be used anew. */
  end(): Uint32Array {
    const ids = this.#encode(this.#waiting.join(''), this.#started, true);
    this.#waiting = [];
    this.#tail = '';
    this.#started = false;
    return ids;
  }
}

/** The index of the last letter that begins a line whose predecessor does not end in white space; 0 for none. */
function lastCut(text: string): number {
  for (let at = text.lastIndexOf('\n'); at > 0; at = text.lastIndexOf('\n', at - 1)) {
    if (at + 1 < text.length && /[A-Za-z]/.test(text[at + 1]!) && /[!-~]/.test(text[at - 1]!)) return at + 1;
  }
  return 0;
}
