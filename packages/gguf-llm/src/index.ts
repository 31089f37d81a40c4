export type { FinishReason, GenerationStats } from './generation';
export type { Generation } from './generation';
export type { Metadata, MetadataValue } from './metadata';
export type { LoadOptions, Logits, ModelInfo } from './model';
export { loadModel } from './model';
export type { Model } from './model';
export type { GenerateOptions } from './options';
export type { GeneratedToken } from './reply-text';
export type { Session } from './session';
