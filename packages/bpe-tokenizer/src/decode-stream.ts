/** Turns ids into text as they arrive. Made by {@link Tokenizer.decodeStream}. */
export class DecodeStream {
  readonly #bytesOf: (id: number) => Uint8Array;
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  #dropSpace: boolean;

  /** @internal */
  constructor(bytesOf: (id: number) => Uint8Array, dropFirstSpace: boolean) {
    this.#bytesOf = bytesOf;
    this.#dropSpace = dropFirstSpace;
  }

  /**
   * The text that is complete after this token: `''` while a character is only partly there.
   *
   * @throws InvalidArgumentError when `id` is no token.
   */
  push(id: number): string {
    return this.#first(this.#decoder.decode(this.#bytesOf(id), { stream: true }));
  }

  /** What is left: U+FFFD for a character that never became whole, else `''`. The stream can then be used anew. */
  end(): string {
    return this.#first(this.#decoder.decode());
  }

  #first(text: string): string {
    if (!this.#dropSpace || text === '') return text;
    this.#dropSpace = false;
    return text.startsWith(' ') ? text.slice(1) : text;
  }
}
