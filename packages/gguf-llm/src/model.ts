import { Tokenizer } from '@x/bpe-tokenizer';
import { type Device, InvalidArgumentError, LimitExceededError, OutOfMemoryError } from '@x/cuda-core';
import { deviceName, numberIn, objectIn, parseDevice, runJob, textIn } from '@x/cuda-core/addon';
import { Metadata } from './metadata';
import { addon, type NativeModel } from './native';
import { Session } from './session';
import { tokenIds } from './token-ids';

export interface LoadOptions {
  /**
   * Default `'auto'`: a GPU when there is one and the weights are 256 MiB or more, else the CPU; if the GPU fails
   * later, replies are finished on the CPU and a `fallback` event of `@x/cuda-core` says so.
   */
  device?: Device;
  /** Default capacity of sessions, in tokens. Default: the model's context length, at most 4096. */
  contextSize?: number;
  /** Bytes of the file that are ready, and its size. */
  onProgress?: (done: number, total: number) => void;
  /** Ends loading; the promise then rejects with `signal.reason`. */
  signal?: AbortSignal;
}

export interface ModelInfo {
  /** `'llama'`. */
  readonly architecture: string;
  /** `general.name`, or `''`. */
  readonly name: string;
  /** Number of token ids. */
  readonly vocabulary: number;
  /** Width of the residual stream. */
  readonly width: number;
  readonly layers: number;
  /** Query heads. */
  readonly heads: number;
  /** Key-value heads: fewer than `heads` is grouped-query attention. */
  readonly kvHeads: number;
  /** Positions the model was made for. */
  readonly contextLength: number;
  /** Elements of all tensors. */
  readonly parameters: number;
  /** Bytes of weights read for each decoded token. */
  readonly weightBytes: number;
  readonly fileBytes: number;
}

/** Logits after each of the tokens passed, row-major. */
export interface Logits {
  /** `rows * columns` numbers: row i holds the logits of the token that follows token i. */
  readonly data: Float32Array;
  /** Tokens passed. */
  readonly rows: number;
  /** The vocabulary. */
  readonly columns: number;
  /** A view of one row. */
  row(index: number): Float32Array;
}

function allocate(count: number): Float32Array {
  try {
    return new Float32Array(count);
  } catch (cause) {
    throw new OutOfMemoryError(`there is no memory for ${count} logits; pass fewer tokens at a time`, { cause });
  }
}

/** A loaded model. It may be used by any number of sessions at once. */
export class Model implements AsyncDisposable {
  /** The tokenizer of the same file. */
  readonly tokenizer: Tokenizer;
  readonly info: ModelInfo;
  /** All key-value pairs of the file's header. */
  readonly metadata: Metadata;
  readonly #native: NativeModel;
  readonly #calls = new Set<Promise<unknown>>();
  // Weak, so that a forgotten session can be collected.
  #sessions: WeakRef<Session>[] = [];
  #disposed = false;

  /** @internal Made by `loadModel()`. */
  constructor(native: NativeModel, tokenizer: Tokenizer) {
    this.#native = native;
    this.tokenizer = tokenizer;
    const { deviceKind: _kind, deviceIndex: _index, defaultContext: _context, ...info } = addon.info(native);
    this.info = Object.freeze(info);
    this.metadata = new Metadata((key) => addon.metadata(this.#alive(), key));
  }

  /** Where new sessions run: `'cpu'` or `'cuda:N'`. Becomes `'cpu'` when an `'auto'` device fails. */
  get device(): 'cpu' | `cuda:${number}` {
    const info = addon.info(this.#alive());
    return deviceName({ kind: info.deviceKind, index: info.deviceIndex });
  }

  /**
   * A new conversation. Its memory for keys and values is taken here.
   * @param options.contextSize tokens of prompt and reply together, 1 to `info.contextLength`; default: as loaded.
   * @throws OutOfMemoryError when the memory cannot be had.
   */
  createSession(options: { contextSize?: number } = {}): Session {
    const native = this.#alive();
    const { contextSize } = objectIn(options, 'options');
    const range = { min: 1, max: this.info.contextLength, integer: true };
    const capacity = contextSize === undefined ? 0 : numberIn(contextSize, 'contextSize', range);
    const session = new Session(addon.createSession(native, capacity), this.tokenizer, this.info.vocabulary);
    this.#sessions = this.#sessions.filter((known) => known.deref());
    this.#sessions.push(new WeakRef(session));
    return session;
  }

  /**
   * The raw logits after each of `ids`, from an empty context.
   * @param ids 1 to `info.contextLength` token ids.
   * @throws LimitExceededError when there are more tokens than the context holds.
   * @throws OutOfMemoryError when the logits, 4 bytes * tokens * vocabulary, do not fit.
   */
  async logits(ids: ArrayLike<number>, options: { signal?: AbortSignal } = {}): Promise<Logits> {
    objectIn(options, 'options');
    const native = this.#alive();
    const tokens = tokenIds(ids, 'ids', this.info.vocabulary);
    const rows = tokens.length;
    const columns = this.info.vocabulary;
    if (rows > this.info.contextLength)
      throw new LimitExceededError(
        `${rows} tokens were passed; this model's context holds ${this.info.contextLength}`,
        {
          field: 'ids',
        },
      );
    const data = allocate(rows * columns);
    const call = runJob({ signal: options.signal }, (control) => addon.logits(native, tokens, data, control));
    this.#calls.add(call);
    try {
      await call;
    } finally {
      this.#calls.delete(call);
    }
    const row = (index: number) => {
      numberIn(index, 'index', { min: 0, max: rows - 1, integer: true });
      return data.subarray(index * columns, (index + 1) * columns);
    };
    return { data, rows, columns, row };
  }

  /** Releases the model and its sessions, after all running calls have ended. */
  async dispose(): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    await Promise.allSettled([...this.#calls, ...this.#sessions.map((known) => known.deref()?.dispose())]);
    addon.disposeModel(this.#native);
    this.tokenizer.dispose();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  #alive(): NativeModel {
    if (this.#disposed) throw new InvalidArgumentError('this model was disposed of', { field: 'model' });
    return this.#native;
  }
}

/**
 * Opens a GGUF file: weights stay in the file and are mapped, so this takes milliseconds on the CPU.
 *
 * @throws NotFoundError, IoError: the file cannot be read.
 * @throws InvalidFormatError: it is truncated or damaged; `offset` and `field` say where.
 * @throws UnsupportedError: another architecture, tensor type or tokenizer than this version can run.
 * @throws DeviceUnavailableError: `device` names a GPU that cannot be used.
 */
export async function loadModel(path: string, options: LoadOptions = {}): Promise<Model> {
  const file = textIn(path, 'path');
  objectIn(options, 'options');
  const device = parseDevice(options.device);
  const context =
    options.contextSize === undefined
      ? 0
      : numberIn(options.contextSize, 'contextSize', { min: 1, max: 2 ** 31 - 1, integer: true });
  const native = await runJob(options, (control) => addon.open(file, device, context, control));
  try {
    const tokenizer = await Tokenizer.fromFile(file);
    options.signal?.throwIfAborted();
    return new Model(native, tokenizer);
  } catch (error) {
    addon.disposeModel(native);
    throw error;
  }
}
