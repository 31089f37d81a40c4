import { numberIn, objectIn, SEED_MAX, signalIn, textIn } from '@x/cuda-core/addon';
import type { NativeGenerateOptions } from './native';

export interface GenerateOptions {
  /** Most tokens of the reply, from 1. Default 256. The context may end it earlier. */
  maxTokens?: number;
  /**
   * Divides the logits before they become probabilities; 0 (the default) always takes the most probable token, the
   * lowest id on ties.
   */
  temperature?: number;
  /** Draw only from the `topK` most probable tokens; 0 (the default) is off. */
  topK?: number;
  /**
   * Draw only from the shortest list of most probable tokens whose probability reaches `topP`, above 0 to 1; 1 (the
   * default) is off. Nucleus sampling, Holtzman et al., ICLR 2020. Applied after `temperature` and `topK`.
   */
  topP?: number;
  /**
   * Decides the draws: the same model, prompt, options and seed give the same tokens on any number of threads.
   * A safe integer from 0. Default 0.
   */
  seed?: number;
  /** The reply ends before the first of these strings; none of their text is yielded. */
  stop?: string | readonly string[];
  /** Ends the generation; the iteration then throws `signal.reason`, after the native side has stopped. */
  signal?: AbortSignal;
}

export interface CheckedOptions {
  native: NativeGenerateOptions;
  stop: string[];
  signal: AbortSignal | undefined;
}

const INT32_MAX = 2 ** 31 - 1;

/** Defaults and ranges. Throws InvalidArgumentError that names the option. */
export function checkGenerateOptions(options: GenerateOptions, endIds: Int32Array): CheckedOptions {
  objectIn(options, 'options');
  const seed = numberIn(options.seed ?? 0, 'seed', { min: 0, max: SEED_MAX, integer: true });
  const { stop = [] } = options;
  const signal = signalIn(options.signal);
  const stops = Array.isArray(stop) ? (stop as readonly string[]) : [stop as string];
  return {
    native: {
      maxTokens: numberIn(options.maxTokens ?? 256, 'maxTokens', { min: 1, max: INT32_MAX, integer: true }),
      temperature: numberIn(options.temperature ?? 0, 'temperature', { min: 0 }),
      topK: numberIn(options.topK ?? 0, 'topK', { min: 0, max: INT32_MAX, integer: true }),
      topP: numberIn(options.topP ?? 1, 'topP', { min: 0, above: true, max: 1 }),
      seedLow: seed % 2 ** 32,
      seedHigh: Math.floor(seed / 2 ** 32),
      endIds,
    },
    stop: stops.map((s) => textIn(s, 'stop')),
    signal,
  };
}
