import type { Tokenizer } from '@x/bpe-tokenizer';
import { InvalidArgumentError } from '@x/cuda-core';
import { deviceName } from '@x/cuda-core/addon';
import { Generation } from './generation';
import { addon, type NativeSession } from './native';
import { checkGenerateOptions, type GenerateOptions } from './options';
import { ReplyText } from './reply-text';
import { tokenIds } from './token-ids';

/**
 * A conversation with a model: it holds keys and values of the tokens it has seen. A prompt that begins with what the
 * session holds is computed only from where it differs. One call at a time; any number of sessions side by side.
 */
export class Session implements AsyncDisposable {
  readonly #native: NativeSession;
  readonly #tokenizer: Tokenizer;
  readonly #vocabulary: number;
  readonly #endIds: Int32Array;
  #running: Generation | undefined;
  #disposed = false;

  /** @internal Made by `model.createSession()`. */
  constructor(native: NativeSession, tokenizer: Tokenizer, vocabulary: number) {
    this.#native = native;
    this.#tokenizer = tokenizer;
    this.#vocabulary = vocabulary;
    this.#endIds = Int32Array.from(tokenizer.endOfGeneration);
  }

  /** Tokens whose keys and values the session holds. The last token of a reply cut by `maxTokens` is not among them. */
  get length(): number {
    return addon.sessionInfo(this.#alive()).length;
  }

  /** Tokens of prompt and reply together that fit. */
  get contextSize(): number {
    return addon.sessionInfo(this.#alive()).capacity;
  }

  /** Where this session runs; becomes `'cpu'` when an `'auto'` device fails. */
  get device(): 'cpu' | `cuda:${number}` {
    const info = addon.sessionInfo(this.#alive());
    return deviceName({ kind: info.deviceKind, index: info.deviceIndex });
  }

  /**
   * Continues a prompt. The session afterwards holds prompt and reply, nothing of what it held before except a common
   * prefix: pass the whole conversation each time, its known part costs nothing.
   *
   * @param prompt text, encoded with special tokens recognised and added as the model wants them, or token ids.
   * @returns an async iterable of tokens; `text()` gives the whole reply.
   * @throws InvalidArgumentError at once: an option out of its range, an empty prompt, an id outside the vocabulary,
   *   a second call while one runs.
   * @throws LimitExceededError while iterating: the prompt leaves no room in the context.
   * @throws InvalidFormatError while iterating: the model's logits are not numbers.
   */
  generate(prompt: string | ArrayLike<number>, options: GenerateOptions = {}): Generation {
    const native = this.#idle();
    const checked = checkGenerateOptions(options, this.#endIds);
    const source =
      typeof prompt === 'string'
        ? this.#tokenizer.encode(prompt, { parseSpecial: true, addSpecialTokens: true })
        : prompt;
    const ids = tokenIds(source, 'prompt', this.#vocabulary);
    const generation = new Generation(native, ids, checked, new ReplyText(this.#tokenizer, checked.stop));
    this.#running = generation;
    return generation;
  }

  /** Forgets everything. Throws InvalidArgumentError while a generation runs. */
  reset(): void {
    addon.truncate(this.#idle(), 0);
  }

  /** Releases the memory, after a running generation has ended. Abort its signal first to end it early. */
  async dispose(): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    await this.#running?.settled();
    addon.disposeSession(this.#native);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  #alive(): NativeSession {
    if (this.#disposed) throw new InvalidArgumentError('this session was disposed of', { field: 'session' });
    return this.#native;
  }

  #idle(): NativeSession {
    const native = this.#alive();
    if (this.#running && !this.#running.ended)
      throw new InvalidArgumentError(
        'this session is still generating; finish or abort that reply first, or create one session for each ' +
          'conversation that runs at the same time',
        { field: 'session' },
      );
    return native;
  }
}
