/** How a stream gets at text: token by token, or by decoding tokens together where neighbours matter. */
type Source =
  | { bytesOf: (id: number) => Uint8Array; dropFirstSpace: boolean }
  | { decode: (ids: readonly number[]) => string };

/** Turns ids into text as they arrive. Made by {@link Tokenizer.decodeStream}. */
export class DecodeStream {
  readonly #source: Source;
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  #dropSpace: boolean;
  // Decoding together: ids since a place where the text was complete, and how much of their text is out.
  #ids: number[] = [];
  #settled = 0;
  #out = 0;

  /** @internal */
  constructor(source: Source) {
    this.#source = source;
    this.#dropSpace = 'bytesOf' in source && source.dropFirstSpace;
  }

  /**
   * The text that is complete after this token: `''` while a character is only partly there.
   *
   * @throws InvalidArgumentError when `id` is no token.
   */
  push(id: number): string {
    if ('decode' in this.#source) return this.#together(this.#source.decode, id);
    return this.#first(this.#decoder.decode(this.#source.bytesOf(id), { stream: true }));
  }

  /** What is left: U+FFFD for a character that never became whole, else `''`. The stream can then be used anew. */
  end(): string {
    if ('decode' in this.#source) {
      const rest = this.#ids.length > 0 ? this.#source.decode(this.#ids).slice(this.#out) : '';
      this.#ids = [];
      this.#settled = 0;
      this.#out = 0;
      return rest;
    }
    const rest = this.#first(this.#decoder.decode());
    this.#dropSpace = this.#source.dropFirstSpace;
    return rest;
  }

  #together(decode: (ids: readonly number[]) => string, id: number): string {
    const text = decode([...this.#ids, id]);
    this.#ids.push(id);
    if (text.endsWith('\ufffd') || text.length <= this.#out) return '';
    const part = text.slice(this.#out);
    // Ids from before the last complete place are context enough; older ones can go.
    if (this.#settled > 0) {
      this.#ids = this.#ids.slice(this.#settled);
      this.#out = decode(this.#ids).length;
    } else {
      this.#out = text.length;
    }
    this.#settled = this.#ids.length;
    return part;
  }

  #first(text: string): string {
    if (!this.#dropSpace || text === '') return text;
    this.#dropSpace = false;
    return text.startsWith(' ') ? text.slice(1) : text;
  }
}
