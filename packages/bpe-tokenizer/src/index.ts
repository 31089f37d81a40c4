export type { DecodeStream } from './decode-stream';
export type { EncodeStream } from './encode-stream';
export type { Encoding, PaddingOptions, TruncationOptions } from './encoding';
export type {
  DecodeOptions,
  EncodeBatchOptions,
  EncodeFullOptions,
  EncodeOptions,
  OffsetUnit,
  SpecialToken,
} from './tokenizer';
export { Tokenizer } from './tokenizer';
