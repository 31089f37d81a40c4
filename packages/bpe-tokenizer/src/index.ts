export type { DecodeStream } from './decode-stream';
export type { DecodeOptions, EncodeBatchOptions, EncodeOptions, SpecialToken } from './tokenizer';
export { Tokenizer } from './tokenizer';
