// From tokens to text that may be shown: whole characters only, and nothing of a stop string.
import type { Tokenizer } from '@x/bpe-tokenizer';

/** One token of a reply. */
export interface GeneratedToken {
  id: number;
  /**
   * The text that became certain with this token. Empty while a character is incomplete or a stop string may have
   * begun; the next tokens bring it. The texts of all tokens make up the reply.
   */
  text: string;
  /**
   * Natural logarithm of the token's probability under the model itself: log-softmax of the raw logits, before
   * temperature, top-k and top-p. At most 0.
   */
  logprob: number;
}

type Decoder = Pick<Tokenizer, 'decode' | 'decodeStream'>;

/**
 * Turns tokens into items. An item is handed out at once unless its text is not settled yet: bytes of an unfinished
 * character, or the beginning of a stop string. Then it waits for the next token, so that whatever is left at the end
 * can still go with the last item.
 */
export class ReplyText {
  readonly #decoder: Decoder;
  readonly #stream: ReturnType<Decoder['decodeStream']>;
  readonly #stops: readonly string[];
  #held = '';
  #waiting: GeneratedToken | undefined;
  /** A stop string was found: what follows is not part of the reply. */
  stopped = false;

  constructor(decoder: Decoder, stops: readonly string[]) {
    this.#decoder = decoder;
    this.#stream = decoder.decodeStream();
    this.#stops = stops;
  }

  /** The items that `id` completes. */
  push(id: number, logprob: number): GeneratedToken[] {
    const ready = this.#waiting ? [this.#waiting] : [];
    this.#waiting = undefined;
    const item = { id, text: this.#settle(this.#stream.push(id)), logprob };
    if (!this.stopped && (this.#held !== '' || this.#mayBeUnfinished(id))) this.#waiting = item;
    else ready.push(item);
    return ready;
  }

  /** The item that was still waiting, with all that is left of the text. */
  end(): GeneratedToken[] {
    const item = this.#waiting;
    if (!item) return [];
    this.#waiting = undefined;
    item.text += this.#settle(this.#stream.end());
    if (!this.stopped) item.text += this.#held;
    return [item];
  }

  /** Adds text; returns what can no longer become part of a stop string. */
  #settle(added: string): string {
    const text = this.#held + added;
    this.#held = '';
    let found = text.length;
    let keep = 0;
    for (const stop of this.#stops) {
      const at = text.indexOf(stop);
      if (at >= 0 && at < found) {
        found = at;
        this.stopped = true;
      }
      for (let k = Math.min(stop.length - 1, text.length); k > keep; k--) if (text.endsWith(stop.slice(0, k))) keep = k;
    }
    if (this.stopped) return text.slice(0, found);
    this.#held = text.slice(text.length - keep);
    return text.slice(0, text.length - keep);
  }

  // Alone, a token whose bytes end inside a character decodes to a replacement character.
  #mayBeUnfinished(id: number): boolean {
    return this.#decoder.decode(Uint32Array.of(id)).endsWith('\uFFFD');
  }
}
