import { InvalidArgumentError, NotFoundError } from '@x/cuda-core';
import { type JobOptions, numberIn, objectIn, parseDevice, runJob } from '@x/cuda-core/addon';
import {
  type ChatMessage,
  ChatTemplate,
  type ChatTemplateOptions,
  chatTemplateBeside,
  chatTemplateIn,
  propertiesOf,
} from './chat-template';
import { DecodeStream } from './decode-stream';
import { EncodeStream } from './encode-stream';
import { encodeText } from './encode-text';
import { checkPadding, checkTruncation, type Encoding, encodeSequences, pad, TEMPLATE_FIRST } from './encoding';
import { type EncodingName, encodingRanks, type RankFile } from './encodings';
import { ADD_SPECIAL, addon, CONTINUE, type NativeTokenizer, NO_TOKEN, PARSE_SPECIAL, TOKEN_SPECIAL } from './native';
import {
  asIds,
  type DecodeOptions,
  decodeFlags,
  type EncodeBatchOptions,
  type EncodeFullOptions,
  type EncodeOptions,
  encodeFlags,
  isFull,
  lengthsIn,
  type OffsetUnit,
  text,
  unitIndex,
} from './options';
import { SpecialPolicy } from './special-policy';

export interface SpecialToken {
  content: string;
  id: number;
}

const HANDLE = Symbol('handle');

/**
 * A byte-pair encoding tokenizer. Loads Hugging Face `tokenizer.json` files (byte-level BPE) and the vocabularies inside
 * GGUF files (byte-level and SentencePiece BPE), and gives the same ids as Hugging Face's tokenizers and llama.cpp.
 *
 * Byte-pair merging: Sennrich, Haddow, Birch, "Neural machine translation of rare words with subword units", ACL 2016;
 * on bytes: Radford et al., "Language models are unsupervised multitask learners", 2019.
 *
 * Memory is native: `dispose()` (or `using`) frees it at once, otherwise the garbage collector does.
 */
export class Tokenizer {
  readonly #native: NativeTokenizer;
  readonly #info: ReturnType<typeof addon.info>;
  readonly #utf8 = new TextDecoder('utf-8', { ignoreBOM: true });
  /** Rank files follow tiktoken's rules for special tokens. */
  readonly #tiktoken: boolean;
  /** Where the file lies, for what lies beside it. */
  readonly #path: string | undefined;
  readonly #properties: Readonly<Record<string, string>>;
  /** Truncation and padding that the file asks for. */
  readonly #lengths: Pick<EncodeOptions, 'truncation' | 'padding'> | undefined;
  #template: ChatTemplate | undefined;
  #vocabulary: Map<string, number> | undefined;
  #policy: SpecialPolicy | undefined;
  #special: readonly SpecialToken[] | undefined;
  #templates: [Uint32Array, Uint32Array] | undefined;
  #end: ReadonlySet<number> | undefined;

  private constructor(native: NativeTokenizer, key: typeof HANDLE, path?: string) {
    if (key !== HANDLE) throw new InvalidArgumentError('use Tokenizer.fromFile or Tokenizer.fromBytes');
    this.#native = native;
    this.#path = path;
    this.#info = addon.info(native);
    this.#properties = addon.properties(native);
    this.#tiktoken = this.#properties.special_tokens === 'tiktoken';
    this.#lengths = lengthsIn(this.#properties);
  }

  /**
   * Loads a `tokenizer.json`, GGUF or SentencePiece file, or what {@link Tokenizer.save} wrote, told apart by content, off the
   * event loop. Aborting `options.signal` rejects with its reason.
   *
   * @throws NotFoundError, IoError; InvalidFormatError (with `offset` and the JSON path or metadata key as `field`) for
   * a damaged file; UnsupportedError for a component that this version cannot reproduce exactly.
   */
  static async fromFile(path: string, options: JobOptions = {}): Promise<Tokenizer> {
    const name = text(path, 'path');
    return new Tokenizer(await runJob(options, (control) => addon.openFile(name, control)), HANDLE, name);
  }

  /** {@link Tokenizer.fromFile}, at once. */
  static fromFileSync(path: string): Tokenizer {
    const name = text(path, 'path');
    return new Tokenizer(addon.openFileSync(name), HANDLE, name);
  }

  /** Loads the bytes of a file as {@link Tokenizer.fromFile} does. The bytes are not kept. Throws as `fromFile` does. */
  static fromBytes(bytes: Uint8Array): Tokenizer {
    if (!(bytes instanceof Uint8Array))
      throw new InvalidArgumentError('bytes must be a Uint8Array', { field: 'bytes' });
    return new Tokenizer(addon.openBytes(bytes), HANDLE);
  }

  /**
   * A tokenizer of a tiktoken rank file.
   *
   * @throws InvalidFormatError (with `offset`) for damaged ranks and patterns; UnsupportedError for a pattern that names what no
   * engine here can do; InvalidArgumentError for special tokens that clash with the ranks.
   */
  static fromRanks({ ranks, pattern, specialTokens = {} }: RankFile): Tokenizer {
    if (typeof ranks !== 'string' && !(ranks instanceof Uint8Array))
      throw new InvalidArgumentError('ranks must be a string or a Uint8Array', { field: 'ranks' });
    const special = Object.entries(objectIn(specialTokens, 'specialTokens'));
    const ids = special.map(([content, id]) =>
      numberIn(id, `specialTokens[${JSON.stringify(content)}]`, { min: 0, max: 2 ** 28 - 1, integer: true }),
    );
    const bytes = typeof ranks === 'string' ? Buffer.from(ranks) : ranks;
    const contents = special.map(([content]) => content);
    return new Tokenizer(addon.openRanks(bytes, text(pattern, 'pattern'), contents, Uint32Array.from(ids)), HANDLE);
  }

  /** One of OpenAI's encodings; see {@link encodingRanks} for where its ranks are found. Throws as that and `fromRanks` do. */
  static fromEncoding(name: EncodingName): Tokenizer {
    return Tokenizer.fromRanks(encodingRanks(name));
  }

  /**
   * Writes the tokenizer with all its tables into one file, which `fromFile` loads in milliseconds: special and added tokens, chat
   * template, decoders, truncation and padding included. The file is for this version of the package on machines of the same byte
   * order (elsewhere loading it is an UnsupportedError), appears whole or not at all, and carries checksums.
   *
   * @throws NotFoundError, IoError when the file cannot be written.
   */
  async save(path: string, options: JobOptions = {}): Promise<void> {
    const name = text(path, 'path');
    const template = this.#ownTemplate();
    const properties = template ? propertiesOf(template) : {};
    await runJob(options, (control) =>
      addon.save(this.#native, name, Object.keys(properties), Object.values(properties), control),
    );
  }

  /**
   * The ids of a text. Lone surrogates count as U+FFFD. Linear time in practice, O(n log n) at worst. Arrays of short texts may
   * share a buffer, as those of Node's `Buffer.from(string)` do: `ids.slice()` has one of its own.
   *
   * @throws LimitExceededError for 2 GiB of UTF-8 or more.
   */
  encode(input: string, options?: EncodeOptions): Uint32Array {
    if (this.#lengths) options = { ...this.#lengths, ...options };
    if (options !== undefined && isFull(options)) return this.encodeFull(input, options).ids;
    if (this.#byPolicy(options)) return this.#encodePolicy(input, options);
    return encodeText(this.#native, text(input, 'text'), encodeFlags(options));
  }

  /** Whether special tokens follow tiktoken's rules. */
  #byPolicy(options: EncodeOptions | undefined): boolean {
    return this.#tiktoken || options?.allowedSpecial !== undefined || options?.disallowedSpecial !== undefined;
  }

  #encodePolicy(input: string, options: EncodeOptions | undefined): Uint32Array {
    if (this.#isPlain(input, options)) return encodeText(this.#native, input, 0);
    const parts = this.#stretches(input, options).flatMap(({ text: plain, id }) => {
      const ids = encodeText(this.#native, plain, 0);
      return id === undefined ? [ids] : [ids, Uint32Array.of(id)];
    });
    return parts.length === 1 ? parts[0]! : joined(parts);
  }

  #isPlain(input: string, options: EncodeOptions | undefined): boolean {
    this.#policy ??= new SpecialPolicy(this.specialTokens);
    return this.#policy.isPlain(text(input, 'text'), options?.allowedSpecial, options?.disallowedSpecial);
  }

  #stretches(input: string, options: EncodeOptions | undefined) {
    this.#policy ??= new SpecialPolicy(this.specialTokens);
    return this.#policy.split(text(input, 'text'), options?.allowedSpecial, options?.disallowedSpecial);
  }

  /**
   * The ids of a text and, for each, where its part of the text starts and ends (flat pairs), as Hugging Face's
   * `Encoding` says it: never inside a character, 0, 0 for tokens that the template adds. Slower than `encode`.
   */
  encodeWithOffsets(
    input: string,
    unit: OffsetUnit = 'utf16',
    options: EncodeOptions = {},
  ): { ids: Uint32Array; offsets: Uint32Array } {
    if (this.#lengths) options = { ...this.#lengths, ...objectIn(options, 'options') };
    if (isFull(objectIn(options, 'options'))) {
      const { ids, offsets } = this.encodeFull(input, { ...options, unit });
      return { ids, offsets };
    }
    return addon.encodeOffsets(this.#native, text(input, 'text'), this.#flags(input, options), unitIndex(unit));
  }

  /**
   * A text, or a pair of texts, with type ids, masks, offsets and what truncation cut off.
   *
   * @throws InvalidArgumentError where truncation leaves no room for the special tokens or the stride.
   */
  encodeFull(input: string, options: EncodeFullOptions = {}): Encoding {
    if (this.#lengths) options = { ...this.#lengths, ...options };
    return pad([this.#full(input, options)], checkPadding(options.padding))[0]!;
  }

  /** {@link Tokenizer.encodeFull} of many texts, each with its own second text where `pair` is given, padded to one length. */
  encodeFullBatch(
    inputs: readonly (string | readonly [string, string])[],
    options: EncodeFullOptions = {},
  ): Encoding[] {
    if (!Array.isArray(inputs)) throw new InvalidArgumentError('texts must be an array', { field: 'texts' });
    if (this.#lengths) options = { ...this.#lengths, ...options };
    const encodings = inputs.map((input, i) => {
      if (typeof input === 'string') return this.#full(input, options);
      if (!Array.isArray(input) || input.length !== 2)
        throw new InvalidArgumentError('a text is a string or a pair of strings', { field: `texts[${i}]` });
      return this.#full(input[0], { ...options, pair: input[1] });
    });
    return pad(encodings, checkPadding(options.padding));
  }

  /** Flags of calls that take a text as a whole: tiktoken's rules hold where no or all special tokens are allowed. */
  #flags(input: string, options: EncodeOptions): number {
    if (!this.#byPolicy(options)) return encodeFlags(options);
    const { allowedSpecial = [] } = options;
    const found = this.#stretches(input, options).some(({ id }) => id !== undefined);
    if (!found) return 0;
    if (allowedSpecial !== 'all' && allowedSpecial.length < this.specialTokens.length)
      throw new InvalidArgumentError(
        "offsets, pairs and truncation take all special tokens (allowedSpecial: 'all') or none",
        {
          field: 'allowedSpecial',
        },
      );
    return PARSE_SPECIAL;
  }

  #full(input: string, options: EncodeFullOptions): Encoding {
    const flags = this.#flags(input, options);
    const unit = unitIndex(options.unit ?? 'utf16');
    const sequence = (value: unknown, field: string) =>
      addon.encodeOffsets(this.#native, text(value, field), flags & ~ADD_SPECIAL, unit);
    const first = sequence(input, 'text');
    const second = options.pair === undefined ? undefined : sequence(options.pair, 'pair');
    this.#templates ??= [addon.templateOf(this.#native, 1), addon.templateOf(this.#native, 2)];
    const template = this.#templates[second ? 1 : 0];
    return encodeSequences(template, (flags & ADD_SPECIAL) !== 0, first, second, checkTruncation(options.truncation));
  }

  /**
   * An encoder for text that arrives in parts; its ids together are those that `encode` gives for the whole text with the same
   * options.
   *
   * @throws InvalidArgumentError for a pair, truncation or padding.
   */
  encodeStream(options: EncodeOptions = {}): EncodeStream {
    if (isFull(objectIn(options, 'options')))
      throw new InvalidArgumentError('a stream has no pair, truncation or padding', { field: 'options' });
    if (this.#byPolicy(options))
      return new EncodeStream((part) => this.#encodePolicy(part, options), this.#info.cutsBetweenLines);
    const flags = encodeFlags(options);
    const { length } = encodeText(this.#native, '', flags);
    const template = length > 0 ? addon.templateOf(this.#native, 1) : new Uint32Array(0);
    // Special tokens before and after the text.
    const middle = template.indexOf(TEMPLATE_FIRST) / 2;
    const around = Array.from({ length: template.length / 2 }, (_, i) => template[2 * i]!);
    return new EncodeStream((part, continues, last) => {
      const ids = encodeText(this.#native, part, (flags & ~ADD_SPECIAL) | (continues ? CONTINUE : 0));
      if (around.length === 0) return ids;
      const before = continues ? [] : around.slice(0, middle);
      const after = last ? around.slice(middle + 1) : [];
      return Uint32Array.from([...before, ...ids, ...after]);
    }, this.#info.cutsBetweenLines);
  }

  /**
   * Encodes many texts on all threads or a GPU, off the event loop; the ids are those of `encode`. Aborting `signal` rejects
   * with its reason.
   */
  async encodeBatch(inputs: readonly string[], options: EncodeBatchOptions = {}): Promise<Uint32Array[]> {
    if (!Array.isArray(inputs)) throw new InvalidArgumentError('texts must be an array of strings', { field: 'texts' });
    if (this.#lengths) options = { ...this.#lengths, ...options };
    if (isFull(options)) return this.encodeFullBatch(inputs, options).map((e) => e.ids);
    if (this.#byPolicy(options)) return this.#encodeStretches(inputs, options);
    const flags = encodeFlags(options);
    const device = parseDevice(options.device);
    const { ids, offsets } = await runJob(options, (control) =>
      addon.encodeBatch(this.#native, inputs, flags, device, control),
    );
    return inputs.map((_, i) => ids.subarray(offsets[i], offsets[i + 1]));
  }

  /** Texts cut at their allowed special tokens, encoded as one batch of plain stretches and put together again. */
  async #encodeStretches(inputs: readonly string[], options: EncodeBatchOptions): Promise<Uint32Array[]> {
    const cut = inputs.map((input) => this.#stretches(input, options));
    const plain = cut.flatMap((stretches) => stretches.map((s) => s.text));
    const { ids, offsets } = await runJob(options, (control) =>
      addon.encodeBatch(this.#native, plain, 0, parseDevice(options.device), control),
    );
    let next = 0;
    return cut.map((stretches) => {
      const parts = stretches.flatMap(({ id }) => {
        const own = ids.subarray(offsets[next], offsets[++next]);
        return id === undefined ? [own] : [own, Uint32Array.of(id)];
      });
      return parts.length === 1 ? parts[0]! : joined(parts);
    });
  }

  /** How many ids `encode` would give, without making them. */
  count(input: string, options?: EncodeOptions): number {
    if (this.#lengths) options = { ...this.#lengths, ...options };
    if (options !== undefined && isFull(options)) return this.encodeFull(input, options).ids.length;
    if (this.#byPolicy(options)) {
      if (this.#isPlain(input, options)) return addon.count(this.#native, input, 0);
      let count = 0;
      for (const { text: plain, id } of this.#stretches(input, options))
        count += addon.count(this.#native, plain, 0) + (id === undefined ? 0 : 1);
      return count;
    }
    return addon.count(this.#native, text(input, 'text'), encodeFlags(options));
  }

  /** Whether a text has at most `limit` ids; stops counting as soon as it has more. `limit` is 0 or more. */
  isWithinLimit(input: string, limit: number, options?: EncodeOptions): boolean {
    const most = numberIn(limit, 'limit', { min: 0, infinite: true });
    if (this.#lengths) options = { ...this.#lengths, ...options };
    if ((options !== undefined && isFull(options)) || most === Number.POSITIVE_INFINITY)
      return this.count(input, options) <= most;
    const byPolicy = this.#byPolicy(options);
    if (byPolicy && !this.#isPlain(input, options)) return this.count(input, options) <= most;
    const flags = byPolicy ? 0 : encodeFlags(options);
    return addon.count(this.#native, text(input, 'text'), flags, Math.floor(most)) <= most;
  }

  /**
   * The text of the ids. Bytes that are not UTF-8 (half a character at an end) become U+FFFD.
   *
   * @throws InvalidArgumentError (with `field` `ids[i]`) for an id that is no token.
   */
  decode(ids: Uint32Array | readonly number[], options: DecodeOptions = {}): string {
    const text = addon.decodeText(this.#native, asIds(ids), decodeFlags(options));
    return typeof text === 'string' ? text : this.#utf8.decode(text);
  }

  /** {@link Tokenizer.decode} of many lists of ids. */
  decodeBatch(lists: readonly (Uint32Array | readonly number[])[], options: DecodeOptions = {}): string[] {
    if (!Array.isArray(lists)) throw new InvalidArgumentError('lists must be an array of ids', { field: 'lists' });
    return lists.map((ids) => this.decode(ids, options));
  }

  /** The bytes of the ids, which need not be UTF-8. Throws as `decode` does. */
  decodeBytes(ids: Uint32Array | readonly number[], options: DecodeOptions = {}): Uint8Array {
    return addon.decode(this.#native, asIds(ids), decodeFlags(options));
  }

  /** A decoder for ids that arrive one by one; it never emits half a character. */
  decodeStream(options: DecodeOptions = {}): DecodeStream {
    const skip = decodeFlags(options) !== 0;
    if (this.#info.decodesTogether) {
      return new DecodeStream({ decode: (ids) => this.decode(ids, { skipSpecialTokens: skip }) });
    }
    const nothing = new Uint8Array(0);
    return new DecodeStream({
      bytesOf: (id) => {
        const token = addon.token(this.#native, id);
        return skip && token.flags & TOKEN_SPECIAL ? nothing : token.bytes;
      },
      dropFirstSpace: this.#info.dropsFirstSpace,
    });
  }

  /** One more than the largest id: the length of a model's logits. */
  get vocabularySize(): number {
    return this.#info.size;
  }

  /** The special (control) tokens, by ascending id. */
  get specialTokens(): readonly SpecialToken[] {
    this.#special ??= Array.from(this.#info.added, (id) => ({ id, ...addon.token(this.#native, id) }))
      .filter((token) => token.flags & TOKEN_SPECIAL)
      .map(({ content, id }) => ({ content, id }));
    return this.#special;
  }

  /** Begin-of-sequence, when the file names one. */
  get bosId(): number | undefined {
    return optional(this.#info.bos);
  }

  /** End-of-sequence, when the file names one. */
  get eosId(): number | undefined {
    return optional(this.#info.eos);
  }

  /** The ids after which a reply is over: EOS, EOT, and the usual names (`<|im_end|>`, `<|eot_id|>`, `</s>`, ...). */
  get endOfGeneration(): ReadonlySet<number> {
    this.#end ??= new Set(this.#info.endOfGeneration);
    return this.#end;
  }

  /** The id of a token as the file writes it (`'Ġthe'`, `'<|im_end|>'`), or `undefined`. */
  idOf(token: string): number | undefined {
    return optional(addon.idOf(this.#native, text(token, 'token')));
  }

  /** The token of an id as the file writes it, or `undefined` when the id has none. */
  tokenOf(id: number): string | undefined {
    if (!Number.isInteger(id) || id < 0 || id >= this.#info.size) return undefined;
    try {
      return addon.token(this.#native, id).content;
    } catch (error) {
      if (error instanceof InvalidArgumentError && error.field === 'id') return undefined; // a gap in the ids
      throw error;
    }
  }

  /** Every token as the file writes it, with its id. Made at the first call; treat it as read-only. */
  get vocabulary(): ReadonlyMap<string, number> {
    if (!this.#vocabulary) {
      this.#vocabulary = new Map();
      for (let id = 0; id < this.#info.size; id++) {
        const token = this.tokenOf(id);
        if (token !== undefined) this.#vocabulary.set(token, id);
      }
    }
    return this.#vocabulary;
  }

  /**
   * A conversation as the model was trained to see it, by the model's own Jinja template: `options.chatTemplate`, or the
   * `chat_template.jinja` or `tokenizer_config.json` beside the file that was loaded, or the template in a GGUF or saved file.
   *
   * @returns ids, or the text with `tokenize: false`. Special tokens come from the template alone.
   * @throws NotFoundError without a template; else as {@link ChatTemplate.render}.
   */
  applyChatTemplate(messages: readonly ChatMessage[], options: ChatTemplateOptions & { tokenize: false }): string;
  applyChatTemplate(messages: readonly ChatMessage[], options?: ChatTemplateOptions): Uint32Array;
  applyChatTemplate(messages: readonly ChatMessage[], options: ChatTemplateOptions = {}): string | Uint32Array {
    const { chatTemplate, tokenize = true, ...render } = objectIn(options, 'options') as ChatTemplateOptions;
    const template =
      chatTemplate === undefined ? this.#chatTemplate() : new ChatTemplate(chatTemplate, this.#tokenNames());
    const rendered = template.render(messages, render);
    if (!tokenize) return rendered;
    return encodeText(this.#native, rendered, PARSE_SPECIAL);
  }

  #chatTemplate(): ChatTemplate {
    const template = this.#ownTemplate();
    if (!template)
      throw new NotFoundError(
        'no chat template is in the tokenizer or lies beside it (chat_template.jinja, or chat_template in tokenizer_config.json); pass chatTemplate',
        { field: 'chatTemplate' },
      );
    return template;
  }

  /** The template beside the file, which people edit, else the one inside. */
  #ownTemplate(): ChatTemplate | undefined {
    this.#template ??=
      (this.#path === undefined ? undefined : chatTemplateBeside(this.#path, this.#tokenNames())) ??
      chatTemplateIn(this.#properties, this.#tokenNames());
    return this.#template;
  }

  #tokenNames(): Record<string, string> {
    const names: Record<string, string> = {};
    for (const [name, id] of [
      ['bos_token', this.bosId],
      ['eos_token', this.eosId],
    ] as const)
      if (id !== undefined) names[name] = this.tokenOf(id) ?? '';
    return names;
  }

  /**
   * The memory of pieces that were encoded before, which makes encoding them again fast and changes no result: lookups and misses
   * since it was opened or cleared, entries, bytes, and the limit of its bytes.
   */
  cacheStats(): { lookups: number; misses: number; entries: number; bytes: number; limit: number } {
    return addon.cacheStats(this.#native);
  }

  /** Forgets the pieces encoded before and frees their memory. */
  clearCache(): void {
    addon.clearCache(this.#native);
  }

  /** Most bytes for all threads together, about 0.2 MiB at least; default 64 MiB. Clears the cache. */
  setCacheLimit(bytes: number): void {
    addon.setCacheLimit(this.#native, numberIn(bytes, 'bytes', { min: 0, max: 2 ** 40 }));
  }

  /** Frees the native memory. Calls that run finish first; later ones throw InvalidArgumentError. */
  dispose(): void {
    addon.dispose(this.#native);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

function optional(id: number): number | undefined {
  return id === NO_TOKEN ? undefined : id;
}

function joined(parts: readonly Uint32Array[]): Uint32Array {
  const out = new Uint32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
