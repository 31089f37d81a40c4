import { loadAddon, type NativeDevice } from '@x/cuda-core/addon';

export interface NativeModel {
  readonly model: unique symbol;
}

export interface NativeModelSpec {
  states: Int32Array;
  controls: Int32Array;
  outcomes: Int32Array;
  aCounts: Int32Array;
  aDependencies: Int32Array;
  bCounts: Int32Array;
  bDependencies: Int32Array;
  a: Float64Array;
  b: Float64Array;
  c: Float64Array;
  d: Float64Array;
  preferenceSteps: number;
}

export interface NativeInference {
  beliefs: Float64Array;
  freeEnergy: number;
  complexity: number;
  accuracy: number;
  sweeps: number;
  converged: boolean;
}

/** Which array `setModel` and `dirichletMean` mean. */
export const WHICH = { A: 0, B: 1, C: 2, D: 3 } as const;

interface Native {
  createModel(spec: NativeModelSpec): NativeModel;
  setModel(model: NativeModel, which: number, data: Float64Array): void;
  infer(
    model: NativeModel,
    observation: Float64Array,
    prior: Float64Array,
    maxSweeps: number,
    tolerance: number,
  ): NativeInference;
  predict(model: NativeModel, beliefs: Float64Array, action: Int32Array): Float64Array;
  expectedFreeEnergy(
    model: NativeModel,
    device: NativeDevice,
    beliefs: Float64Array,
    policies: Int32Array,
    steps: number,
  ): { utility: Float64Array; informationGain: Float64Array };
  policyPosterior(expectedFreeEnergy: Float64Array, habit: Float64Array | undefined, gamma: number): Float64Array;
  actionMarginals(model: NativeModel, policies: Int32Array, steps: number, probabilities: Float64Array): Float64Array;
  learnA(
    model: NativeModel,
    observation: Float64Array,
    beliefs: Float64Array,
    rate: number,
    retention: number,
    counts: Float64Array,
  ): void;
  learnB(
    model: NativeModel,
    action: Int32Array,
    beliefs: Float64Array,
    previous: Float64Array,
    rate: number,
    retention: number,
    counts: Float64Array,
  ): void;
  draw(probabilities: Float64Array, seed: number, stream: number, counter: number): number;
  dirichletMean(model: NativeModel, which: number, counts: Float64Array): Float64Array;
}

export const native = loadAddon<Native>({
  package: '@x/active-inference',
  from: import.meta.url,
  domain: 'agent',
  abi: 1,
});
