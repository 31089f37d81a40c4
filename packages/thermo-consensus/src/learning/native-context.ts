// What the addon does with requests' features and the belief about their weights; see native/context.cpp.
type Doubles = Float64Array;
/** A belief: the own weights' prior precision, regressors, models seen, and the block of xcore/thermo_context.h. */
type Context = [own: number, size: number, seen: Uint8Array, block: Doubles];

export interface ContextAddon {
  textFeatures(text: string, length: number, last: number, features: Doubles): void;
  textRegressors(
    text: string,
    length: number,
    last: number,
    frequencies: Doubles,
    phases: Doubles,
    regressors: Doubles,
  ): void;
  contextRegressors(features: Doubles, frequencies: Doubles, phases: Doubles, regressors: Doubles): void;
  contextPredict(...args: [...Context, regressors: Doubles, shifts: Doubles, variances: Doubles]): void;
  contextObserve(...args: [...Context, model: number, regressors: Doubles, difference: number]): number;
  contextDraw(...args: [...Context, deviation: number, normals: Doubles, weights: Doubles]): void;
  contextVariance(...args: [...Context, directions: Doubles]): number;
  contextSettle(...args: Context): void;
  /** Index of the first element at a multiple of 64 bytes, where rows do not straddle cache lines. */
  contextAlignment(memory: Doubles): number;
}
