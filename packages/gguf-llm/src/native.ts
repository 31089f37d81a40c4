// The addon as TypeScript sees it. Everything was checked before it gets here; the addon checks again what it indexes.
import { loadAddon, type NativeControl, type NativeDevice } from '@x/cuda-core/addon';

export type NativeModel = object & { readonly __brand: 'model' };
export type NativeSession = object & { readonly __brand: 'session' };

export interface NativeInfo {
  architecture: string;
  name: string;
  vocabulary: number;
  width: number;
  layers: number;
  heads: number;
  kvHeads: number;
  contextLength: number;
  defaultContext: number;
  parameters: number;
  weightBytes: number;
  fileBytes: number;
  deviceKind: number;
  deviceIndex: number;
}

export interface NativeSessionInfo {
  capacity: number;
  length: number;
  deviceKind: number;
  deviceIndex: number;
}

export interface NativeGenerateOptions {
  maxTokens: number;
  temperature: number;
  topK: number;
  topP: number;
  seedLow: number;
  seedHigh: number;
  endIds: Int32Array;
}

export interface TokenBatch {
  ids: Int32Array;
  logprobs: Float32Array;
}

/** XC_LLM_FINISH_* of xcore/llm.h. */
export const FINISH = { length: 0, end: 1, stopped: 2, cancelled: 3 } as const;

export interface NativeGenerateResult {
  finish: number;
  promptTokens: number;
  cachedTokens: number;
  generatedTokens: number;
  prefillMs: number;
  decodeMs: number;
  /** Tokens that `onTokens` has not seen. */
  rest: TokenBatch | undefined;
}

interface Addon {
  open(path: string, device: NativeDevice, contextSize: number, control: NativeControl): Promise<NativeModel>;
  info(model: NativeModel): NativeInfo;
  metadata(model: NativeModel, key?: string): string;
  logits(model: NativeModel, ids: Int32Array, out: Float32Array, control: NativeControl): Promise<void>;
  createSession(model: NativeModel, contextSize: number): NativeSession;
  sessionInfo(session: NativeSession): NativeSessionInfo;
  truncate(session: NativeSession, length: number): void;
  generate(
    session: NativeSession,
    prompt: Int32Array,
    options: NativeGenerateOptions,
    onTokens: (batch: TokenBatch) => void,
    control: NativeControl,
  ): Promise<NativeGenerateResult>;
  disposeModel(model: NativeModel): void;
  disposeSession(session: NativeSession): void;
}

export const addon: Addon = loadAddon<Addon>({
  package: '@x/gguf-llm',
  from: import.meta.url,
  domain: 'llm',
  abi: 1,
});
