import { runJob } from '@x/cuda-core/addon';
import { addon, FINISH, type NativeSession, type TokenBatch } from './native';
import type { CheckedOptions } from './options';
import type { GeneratedToken, ReplyText } from './reply-text';

/**
 * Why a reply ended: `'end'`, the model ended it; `'stop'`, a stop string came or the consumer left the loop;
 * `'length'`, maxTokens or the end of the context.
 */
export type FinishReason = 'end' | 'stop' | 'length';

export interface GenerationStats {
  /** Tokens of the whole prompt. */
  promptTokens: number;
  /** Of those, tokens that the session held already and that were not computed again. */
  cachedTokens: number;
  /** Tokens of the reply; the token that ended it is not counted. */
  generatedTokens: number;
  /** Milliseconds from the start to the first token chosen. */
  prefillMs: number;
  /** Milliseconds from the first token chosen to the end. */
  decodeMs: number;
}

/**
 * A reply in the making. It runs from the moment `session.generate()` returns, whether or not anybody iterates, and
 * tokens wait here until they are asked for. Iterate once: what was taken is gone. Leaving the loop early ends the
 * generation and waits until the native side has stopped.
 */
export class Generation implements AsyncIterable<GeneratedToken> {
  #finishReason: FinishReason | undefined;
  #stats: GenerationStats | undefined;
  readonly #items: GeneratedToken[] = [];
  #taken = 0;
  #seen = 0;
  #wake: (() => void) | undefined;
  #cancel: Int32Array | undefined;
  #left = false;
  #ended = false;
  #failure: { reason: unknown } | undefined;
  readonly #iterator: AsyncGenerator<GeneratedToken, void, undefined>;
  /** Settles, never rejects, when the native side has stopped. */
  readonly #settled: Promise<void>;

  /** @internal Made by `session.generate()`. */
  constructor(session: NativeSession, prompt: Int32Array, options: CheckedOptions, text: ReplyText) {
    this.#iterator = this.#iterate();
    this.#settled = this.#run(session, prompt, options, text)
      .catch((reason: unknown) => {
        this.#failure = { reason };
      })
      .finally(() => {
        this.#ended = true;
        this.#notify();
      });
  }

  /** Why the reply ended; `undefined` until then, and for good if it was aborted or failed. */
  get finishReason(): FinishReason | undefined {
    return this.#finishReason;
  }

  /** Counts and times; `undefined` until the reply has ended, and for good if it was aborted or failed. */
  get stats(): GenerationStats | undefined {
    return this.#stats;
  }

  [Symbol.asyncIterator](): AsyncIterator<GeneratedToken, void, undefined> {
    return {
      next: () => this.#iterator.next(),
      return: async () => {
        this.#leave();
        await this.#settled;
        return { done: true, value: undefined };
      },
    };
  }

  /** Waits for the end and returns the text of all tokens not yet iterated. Rejects as the iteration would. */
  async text(): Promise<string> {
    let text = '';
    for await (const token of this) text += token.text;
    return text;
  }

  /** @internal The native side has stopped. */
  get ended(): boolean {
    return this.#ended;
  }

  /** @internal Resolves when the native side has stopped, however it ended. */
  settled(): Promise<void> {
    return this.#settled;
  }

  async #run(session: NativeSession, prompt: Int32Array, options: CheckedOptions, text: ReplyText): Promise<void> {
    const { signal } = options;
    const onTokens = (batch: TokenBatch) => this.#receive(batch, text);
    const result = await runJob({ signal }, (control) => {
      this.#cancel = control.cancel;
      return addon.generate(session, prompt, options.native, onTokens, control);
    });
    if (result.rest) onTokens(result.rest);
    if (this.#failure) throw this.#failure.reason;
    const { finish, rest: _, ...stats } = result;
    const cut = text.stopped || this.#left;
    if (finish === FINISH.cancelled && !cut) throw signal?.reason;
    if (!this.#left) this.#items.push(...text.end());
    if (cut) {
      // The native side may have run ahead: the session holds what it would hold had it stopped in time.
      stats.generatedTokens = this.#left ? this.#taken : this.#seen;
      addon.truncate(session, stats.promptTokens + Math.max(0, stats.generatedTokens - 1));
    }
    this.#finishReason = cut ? 'stop' : finish === FINISH.end ? 'end' : 'length';
    this.#stats = stats;
  }

  // Called from native code, where nobody could catch: a token that the tokenizer cannot decode ends the reply.
  #receive(batch: TokenBatch, text: ReplyText): void {
    try {
      for (let i = 0; i < batch.ids.length && !text.stopped && !this.#left && !this.#failure; i++) {
        this.#seen++;
        this.#items.push(...text.push(batch.ids[i] as number, batch.logprobs[i] as number));
      }
    } catch (reason) {
      this.#failure = { reason };
    }
    if (text.stopped || this.#failure) this.#stopNative();
    this.#notify();
  }

  #stopNative(): void {
    if (this.#cancel) Atomics.store(this.#cancel, 0, 1);
  }

  #leave(): void {
    if (this.#ended) return;
    this.#left = true;
    this.#stopNative();
  }

  #notify(): void {
    this.#wake?.();
    this.#wake = undefined;
  }

  async *#iterate(): AsyncGenerator<GeneratedToken, void, undefined> {
    for (;;) {
      // Read before the items: what arrives with the end must still be handed out.
      const ended = this.#ended;
      while (this.#taken < this.#items.length && !this.#left) yield this.#items[this.#taken++] as GeneratedToken;
      if (this.#left) return;
      if (ended) break;
      if (!this.#ended && this.#taken === this.#items.length) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
    if (this.#failure) throw this.#failure.reason;
  }
}
