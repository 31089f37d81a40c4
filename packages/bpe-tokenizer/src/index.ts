export type { DecodeStream } from './decode-stream';
export { type EncodingName, encodingRanks, type RankFile } from './encodings';
export type { SpecialSelection } from './special-policy';
export type { DecodeOptions, EncodeBatchOptions, EncodeOptions, SpecialToken } from './tokenizer';
export { Tokenizer } from './tokenizer';
