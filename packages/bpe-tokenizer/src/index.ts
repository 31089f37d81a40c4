export {
  type ChatMessage,
  ChatTemplate,
  type ChatTemplateOptions,
  type ChatTemplateSource,
  type RenderOptions,
} from './chat-template';
export type { DecodeStream } from './decode-stream';
export type { EncodeStream } from './encode-stream';
export type { Encoding, PaddingOptions, TruncationOptions } from './encoding';
export { type EncodingName, encodingRanks, type RankFile } from './encodings';
export type { DecodeOptions, EncodeBatchOptions, EncodeFullOptions, EncodeOptions, OffsetUnit } from './options';
export type { SpecialSelection } from './special-policy';
export { type SpecialToken, Tokenizer } from './tokenizer';
