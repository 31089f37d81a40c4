import { type AddonLocation, loadAddon, type NativeControl, type NativeDevice } from '@x/cuda-core/addon';

/** A native tokenizer; opaque. */
export type NativeTokenizer = object;

export const NO_TOKEN = 0xffffffff;
export const ADD_SPECIAL = 1;
export const PARSE_SPECIAL = 2;
export const CONTINUE = 16;
export const SKIP_SPECIAL = 1;
export const TOKEN_SPECIAL = 2;

interface Addon {
  openBytes(bytes: Uint8Array): NativeTokenizer;
  openRanks(ranks: Uint8Array, pattern: string, contents: readonly string[], ids: Uint32Array): NativeTokenizer;
  openFileSync(path: string): NativeTokenizer;
  openFile(path: string, control: NativeControl): Promise<NativeTokenizer>;
  save(
    tokenizer: NativeTokenizer,
    path: string,
    names: readonly string[],
    values: readonly string[],
    control: NativeControl,
  ): Promise<void>;
  /** What the file says beyond tokens: see xc_tokenizer_table.properties. */
  properties(tokenizer: NativeTokenizer): Record<string, string>;
  dispose(tokenizer: NativeTokenizer): void;
  info(tokenizer: NativeTokenizer): {
    size: number;
    bos: number;
    eos: number;
    dropsFirstSpace: boolean;
    decodesTogether: boolean;
    cutsBetweenLines: boolean;
    added: Uint32Array;
    endOfGeneration: Uint32Array;
  };
  token(tokenizer: NativeTokenizer, id: number): { content: string; bytes: Uint8Array; flags: number };
  idOf(tokenizer: NativeTokenizer, token: string): number;
  encode(tokenizer: NativeTokenizer, text: string, flags: number): Uint32Array;
  /** The number of ids, of which as many as fit are in `ids` from `at` on. */
  encodeInto(tokenizer: NativeTokenizer, text: string, flags: number, ids: Uint32Array, at: number): number;
  count(tokenizer: NativeTokenizer, text: string, flags: number, limit?: number): number;
  cacheStats(tokenizer: NativeTokenizer): {
    lookups: number;
    misses: number;
    entries: number;
    bytes: number;
    limit: number;
  };
  clearCache(tokenizer: NativeTokenizer): void;
  setCacheLimit(tokenizer: NativeTokenizer, bytes: number): void;
  encodeBatch(
    tokenizer: NativeTokenizer,
    texts: readonly string[],
    flags: number,
    device: NativeDevice,
    control: NativeControl,
  ): Promise<{ ids: Uint32Array; offsets: Float64Array }>;
  decode(tokenizer: NativeTokenizer, ids: Uint32Array, flags: number): Uint8Array;
  /** The string, or the bytes of `decode` where they are not UTF-8. */
  decodeText(tokenizer: NativeTokenizer, ids: Uint32Array, flags: number): string | Uint8Array;
  encodeOffsets(
    tokenizer: NativeTokenizer,
    text: string,
    flags: number,
    unit: number,
  ): { ids: Uint32Array; offsets: Uint32Array };
  templateOf(tokenizer: NativeTokenizer, texts: number): Uint32Array;
}

const location: AddonLocation = { package: '@x/bpe-tokenizer', from: import.meta.url, domain: 'tokenizer', abi: 1 };

export const addon = loadAddon<Addon>(location);
