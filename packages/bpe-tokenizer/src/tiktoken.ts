// npm tiktoken's call shape on this tokenizer: `import { get_encoding } from '@x/bpe-tokenizer/tiktoken'` in place of
// `from 'tiktoken'`, and nothing else changes. Names and defaults are tiktoken's, whence the snake_case.
import { InvalidArgumentError } from '@x/cuda-core';
import { objectIn, shown } from '@x/cuda-core/addon';
import { type EncodingName, encodingRanks, Tokenizer } from './index';

export type TiktokenEncoding = 'gpt2' | 'r50k_base' | 'p50k_base' | 'p50k_edit' | 'cl100k_base' | 'o200k_base';

/** Encodings that are another's ranks with other special tokens. */
const DERIVED: Record<string, { ranks: EncodingName; special?: Record<string, number> }> = {
  r50k_base: { ranks: 'gpt2' },
  p50k_edit: {
    ranks: 'p50k_base',
    special: { '<|fim_prefix|>': 50281, '<|fim_middle|>': 50282, '<|fim_suffix|>': 50283 },
  },
};
const ENCODINGS: readonly string[] = ['gpt2', 'p50k_base', 'cl100k_base', 'o200k_base', ...Object.keys(DERIVED)];

/** Model names by how they begin; the first that fits counts. */
const MODELS: readonly [RegExp, TiktokenEncoding][] = [
  [/^(gpt-5|gpt-4\.[15]|gpt-4o|chatgpt-4o|o[134](-|$)|gpt-oss)/, 'o200k_base'],
  [/^(gpt-4|gpt-3\.5|gpt-35|text-embedding-(3|ada-002)|(babbage|davinci)-002$)/, 'cl100k_base'],
  [/^(text|code)-davinci-edit-/, 'p50k_edit'],
  [/^(text-davinci-00[23]|code-(davinci|cushman)-|(davinci|cushman)-codex)/, 'p50k_base'],
  [
    /^(text-(davinci|curie|babbage|ada)-001|(davinci|curie|babbage|ada)$|text-(similarity|search)-|code-search-)/,
    'r50k_base',
  ],
  [/^gpt2$/, 'gpt2'],
];

/** The encoding of an OpenAI model. @throws InvalidArgumentError for a name that no rule knows. */
export function get_encoding_name_for_model(model: string): TiktokenEncoding {
  const rule = MODELS.find(([begins]) => begins.test(model));
  if (!rule) throw new InvalidArgumentError(`there is no model ${shown(model)}; use get_encoding`, { field: 'model' });
  return rule[1];
}

/** The encoding of a name. @throws InvalidArgumentError for an unknown name, NotFoundError when its ranks are not installed. */
export function get_encoding(encoding: TiktokenEncoding, extend_special_tokens?: Record<string, number>): Tiktoken {
  if (!ENCODINGS.includes(encoding))
    throw new InvalidArgumentError(`there is no encoding ${shown(encoding)}; there are ${ENCODINGS.join(', ')}`, {
      field: 'encoding',
    });
  const derived = DERIVED[encoding];
  const { ranks, pattern, specialTokens } = encodingRanks(derived?.ranks ?? (encoding as EncodingName));
  const special = { ...specialTokens, ...derived?.special, ...extend_special_tokens };
  return new Tiktoken(ranks, special, pattern, encoding);
}

/** The encoding of an OpenAI model, by name. Throws as `get_encoding_name_for_model` and `get_encoding` do. */
export function encoding_for_model(model: string, extend_special_tokens?: Record<string, number>): Tiktoken {
  return get_encoding(get_encoding_name_for_model(model), extend_special_tokens);
}

type Special = 'all' | string[];

export class Tiktoken {
  readonly name: string | undefined;
  readonly #tokenizer: Tokenizer;
  #byBytes: Map<string, number> | undefined;

  /**
   * @param bpe_ranks a rank file: lines of base64 and rank, or npm tiktoken's packed form.
   * @throws InvalidFormatError for damaged ranks, UnsupportedError for a pattern that cannot be run.
   */
  constructor(bpe_ranks: string | Uint8Array, special_tokens: Record<string, number>, pat_str: string, name?: string) {
    this.#tokenizer = Tokenizer.fromRanks({
      ranks: bpe_ranks,
      pattern: pat_str,
      specialTokens: objectIn(special_tokens, 'special_tokens') as Record<string, number>,
    });
    this.name = name;
  }

  /** Special tokens in the text are errors unless allowed, as in tiktoken. */
  encode(text: string, allowed_special: Special = [], disallowed_special: Special = 'all'): Uint32Array {
    return this.#tokenizer.encode(text, { allowedSpecial: allowed_special, disallowedSpecial: disallowed_special });
  }

  /** Special tokens in the text are text. */
  encode_ordinary(text: string): Uint32Array {
    return this.#tokenizer.encode(text, ORDINARY);
  }

  /** The id of exactly these bytes. @throws InvalidArgumentError when no token is. */
  encode_single_token(bytes: Uint8Array): number {
    this.#byBytes ??= new Map(
      this.#tokens().map(({ id, bytes: own }) => [Buffer.from(own).toString('latin1'), id] as const),
    );
    const id = this.#byBytes.get(Buffer.from(bytes).toString('latin1'));
    if (id === undefined) throw new InvalidArgumentError('no token has exactly these bytes', { field: 'bytes' });
    return id;
  }

  /** The bytes of the ids, which need not be UTF-8. @throws InvalidArgumentError for an id that is no token. */
  decode(tokens: Uint32Array | readonly number[]): Uint8Array {
    return this.#tokenizer.decodeBytes(tokens);
  }

  decode_single_token_bytes(token: number): Uint8Array {
    return this.#tokenizer.decodeBytes([token]);
  }

  /** The bytes of every token that is not special, in lexicographic order. */
  token_byte_values(): number[][] {
    const special = new Set(this.#tokenizer.specialTokens.map(({ id }) => id));
    return this.#tokens()
      .filter(({ id }) => !special.has(id))
      .map(({ bytes }) => Buffer.from(bytes))
      .sort(Buffer.compare)
      .map((bytes) => Array.from(bytes));
  }

  /** Frees the native memory at once. */
  free(): void {
    this.#tokenizer.dispose();
  }

  #tokens(): { id: number; bytes: Uint8Array }[] {
    const tokens = [];
    for (let id = 0; id < this.#tokenizer.vocabularySize; id++) {
      if (this.#tokenizer.tokenOf(id) !== undefined) tokens.push({ id, bytes: this.#tokenizer.decodeBytes([id]) });
    }
    return tokens;
  }
}

const ORDINARY: { allowedSpecial: string[]; disallowedSpecial: string[] } = {
  allowedSpecial: [],
  disallowedSpecial: [],
};
