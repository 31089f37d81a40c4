export type { FinishReason, Generation, GenerationStats } from './generation';
export type { Metadata, MetadataValue } from './metadata';
export type { LoadOptions, Logits, Model, ModelInfo } from './model';
export { loadModel } from './model';
export type { GenerateOptions } from './options';
export type { GeneratedToken } from './reply-text';
export type { Session } from './session';
