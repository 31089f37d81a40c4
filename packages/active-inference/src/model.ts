import { InvalidArgumentError, LimitExceededError } from '@x/cuda-core';
import type { NativeModelSpec } from './native';
import { concatenate, type DenseTensor, type Tensor, toTensor } from './tensor';

/**
 * The arrays of a discrete generative model. Each of A, B, C, D is a list, one entry a modality (A, C) or factor (B, D);
 * with one modality or factor the entry alone will do.
 */
export interface ModelArrays {
  /** P(outcome | states): `A[m]` has the shape (outcomes, states of each factor it depends on); columns sum to 1. */
  A: Tensor | readonly Tensor[];
  /** P(next state | states, action): `B[f]` has the shape (states, states of each factor it depends on, actions). */
  B: Tensor | readonly Tensor[];
  /**
   * Log preferences (any constant may be added): `C[m]` has the shape (outcomes), or (outcomes, steps) for preferences
   * that change along a policy; the last step holds from there on. Default: none.
   */
  C?: Tensor | readonly Tensor[] | undefined;
  /** P(initial state): `D[f]` sums to 1. Default: uniform. */
  D?: Tensor | readonly Tensor[] | undefined;
  /** Factors that `A[m]` depends on, in the order of its dimensions. Default: all. */
  aDependencies?: readonly (readonly number[])[] | undefined;
  /** Factors that `B[f]` depends on, in the order of its dimensions. Default: `[f]`. */
  bDependencies?: readonly (readonly number[])[] | undefined;
}

/** A model's shape and its arrays as the core takes them. */
export interface ParsedModel {
  states: number[];
  controls: number[];
  outcomes: number[];
  spec: NativeModelSpec;
  preferenceSteps: number;
}

function depth(value: unknown): number {
  let levels = 0;
  for (let at = value; Array.isArray(at) || ArrayBuffer.isView(at); at = (at as unknown as ArrayLike<unknown>)[0]) {
    if (++levels > 40) break;
    if ((at as unknown as ArrayLike<unknown>).length === 0) break;
  }
  return levels;
}

/** The entries of `value`: itself alone when it is one tensor of `single` dimensions or `{ shape, data }`. */
function list(value: Tensor | readonly Tensor[], single: number, field: string): DenseTensor[] {
  if (value === undefined || value === null) throw new InvalidArgumentError(`${field} is missing`, { field });
  const holdsTensors = Array.isArray(value) && typeof value[0] === 'object' && value[0] !== null && 'shape' in value[0];
  const isOne = !Array.isArray(value) || (!holdsTensors && depth(value) <= single);
  const parts = (isOne ? [value] : value) as readonly Tensor[];
  return parts.map((part, i) => toTensor(part, `${field}[${i}]`));
}

function shapeError(field: string, found: readonly number[], expected: readonly number[], meaning: string): never {
  throw new InvalidArgumentError(
    `${field} has the shape [${found.join(', ')}], expected [${expected.join(', ')}] (${meaning})`,
    { field },
  );
}

function sameShape(tensor: DenseTensor, expected: readonly number[], field: string, meaning: string): void {
  if (tensor.shape.length !== expected.length || tensor.shape.some((n, i) => n !== expected[i]))
    shapeError(field, tensor.shape, expected, meaning);
}

function checkDependencies(given: readonly number[], factors: number, field: string): readonly number[] {
  if (!Array.isArray(given) || given.length === 0 || !given.every((f) => Number.isInteger(f) && f >= 0 && f < factors))
    throw new InvalidArgumentError(`${field} must list factors from 0 to ${factors - 1}`, { field });
  return given;
}

/** The arrays as numbers, with shapes that fit each other. Values are checked by the core. */
export function parseModel(arrays: ModelArrays): ParsedModel {
  const B = list(arrays.B, 3, 'B');
  const states = B.map((b) => b.shape[0]!);
  const controls = B.map((b) => b.shape[b.shape.length - 1]!);
  const A = list(arrays.A, 2, 'A');
  const outcomes = A.map((a) => a.shape[0]!);

  const counted = (given: readonly unknown[] | undefined, count: number, field: string) => {
    if (given && given.length !== count)
      throw new InvalidArgumentError(`${field} has ${given.length} entries, expected ${count}`, { field });
  };
  counted(arrays.bDependencies, B.length, 'bDependencies');
  counted(arrays.aDependencies, A.length, 'aDependencies');
  const bDependencies = B.map((b, f) => {
    const of = checkDependencies(arrays.bDependencies?.[f] ?? [f], B.length, `bDependencies[${f}]`);
    const expected = [states[f]!, ...of.map((g) => states[g]!), controls[f]!];
    sameShape(b, expected, `B[${f}]`, 'next states, states it depends on, actions');
    return of;
  });
  const allFactors = states.map((_, f) => f);
  const aDependencies = A.map((a, m) => {
    const of = checkDependencies(arrays.aDependencies?.[m] ?? allFactors, B.length, `aDependencies[${m}]`);
    sameShape(a, [outcomes[m]!, ...of.map((f) => states[f]!)], `A[${m}]`, 'outcomes, states it depends on');
    return of;
  });

  const preferences = preferenceData(arrays.C, outcomes);
  return {
    states,
    controls,
    outcomes,
    preferenceSteps: preferences.steps,
    spec: {
      states: Int32Array.from(states),
      controls: Int32Array.from(controls),
      outcomes: Int32Array.from(outcomes),
      aCounts: Int32Array.from(aDependencies, (of) => of.length),
      aDependencies: Int32Array.from(aDependencies.flat()),
      bCounts: Int32Array.from(bDependencies, (of) => of.length),
      bDependencies: Int32Array.from(bDependencies.flat()),
      a: concatenate(A.map((a) => a.data)),
      b: concatenate(B.map((b) => b.data)),
      c: preferences.data,
      d: priorData(arrays.D, states),
      preferenceSteps: preferences.steps,
    },
  };
}

/** C for all modalities with one number of steps; constant preferences are repeated. */
export function preferenceData(
  value: ModelArrays['C'],
  outcomes: readonly number[],
): { data: Float64Array; steps: number } {
  if (value === undefined) return { data: new Float64Array(outcomes.reduce((sum, n) => sum + n, 0)), steps: 1 };
  const C = list(value, 1, 'C');
  if (C.length !== outcomes.length)
    throw new InvalidArgumentError(`C has ${C.length} entries, expected ${outcomes.length}, one a modality`, {
      field: 'C',
    });
  const steps = Math.max(...C.map((c) => c.shape[1] ?? 1));
  const parts = C.map((c, m) => {
    if (c.shape.length === 1) sameShape(c, [outcomes[m]!], `C[${m}]`, 'outcomes');
    else sameShape(c, [outcomes[m]!, steps], `C[${m}]`, 'outcomes, steps');
    if (c.shape.length === 2) return c.data;
    return Float64Array.from({ length: c.data.length * steps }, (_, i) => c.data[Math.floor(i / steps)]!);
  });
  return { data: concatenate(parts), steps };
}

/** D, or any list of one distribution a factor, concatenated; uniform when absent. */
export function priorData(value: ModelArrays['D'], states: readonly number[], field = 'D'): Float64Array {
  if (value === undefined) return concatenate(states.map((n) => new Array<number>(n).fill(1 / n)));
  const D = list(value, 1, field);
  if (D.length !== states.length)
    throw new InvalidArgumentError(`${field} has ${D.length} entries, expected ${states.length}, one a factor`, {
      field,
    });
  D.forEach((d, f) => {
    sameShape(d, [states[f]!], `${field}[${f}]`, 'states');
  });
  return concatenate(D.map((d) => d.data));
}

/** An array shaped as the model's A or B (Dirichlet counts, new values), concatenated. */
export function arrayData(value: Tensor | readonly Tensor[], which: 'A' | 'B', model: ParsedModel, field: string) {
  const { spec } = model;
  const rows = which === 'A' ? model.outcomes : model.states;
  const tensors = list(value, which === 'A' ? 2 : 3, field);
  if (tensors.length !== rows.length)
    throw new InvalidArgumentError(`${field} has ${tensors.length} entries, expected ${rows.length}`, { field });
  let at = 0;
  tensors.forEach((tensor, i) => {
    const count = (which === 'A' ? spec.aCounts : spec.bCounts)[i]!;
    const of = (which === 'A' ? spec.aDependencies : spec.bDependencies).subarray(at, at + count);
    at += count;
    const expected = [rows[i]!, ...Array.from(of, (f) => model.states[f]!)];
    if (which === 'B') expected.push(model.controls[i]!);
    sameShape(tensor, expected, `${field}[${i}]`, `the shape of ${which}[${i}]`);
  });
  return concatenate(tensors.map((t) => t.data));
}

export interface PolicySet {
  /** [count][steps][factors] */
  actions: Int32Array;
  count: number;
  steps: number;
}

const MAX_POLICIES = 1 << 24;

/** Every sequence of `length` joint actions; the last factor of the last step changes fastest. */
export function enumeratePolicies(controls: readonly number[], length: number): PolicySet {
  if (!Number.isInteger(length) || length < 1)
    throw new InvalidArgumentError(`policyLength must be an integer from 1, not ${length}`, { field: 'policyLength' });
  const each = controls.reduce((product, n) => product * n, 1);
  const count = each ** length;
  const width = length * controls.length;
  if (count * width > MAX_POLICIES) {
    throw new LimitExceededError(
      `${each} actions over ${length} steps are ${count} policies; pass a selection as \`policies\``,
      { field: 'policyLength' },
    );
  }
  const actions = new Int32Array(count * width);
  for (let p = 0; p < count; p++) {
    for (let i = width - 1, rest = p; i >= 0; i--) {
      const n = controls[i % controls.length]!;
      actions[p * width + i] = rest % n;
      rest = Math.floor(rest / n);
    }
  }
  return { actions, count, steps: length };
}

/** Policies given as [policy][step][factor]. Action numbers are checked by the core, their being integers here. */
export function parsePolicies(value: Tensor, factors: number): PolicySet {
  const { shape, data } = toTensor(value, 'policies');
  if (shape.length !== 3 || shape[2] !== factors)
    throw new InvalidArgumentError(
      `policies have the shape [${shape.join(', ')}], expected [policies, steps, ${factors}]`,
      { field: 'policies' },
    );
  const bad = data.findIndex((u) => !Number.isInteger(u) || u < 0 || u > 1 << 20);
  if (bad >= 0)
    throw new InvalidArgumentError(`policies hold ${data[bad]} at flat index ${bad}; actions are integers from 0`, {
      field: 'policies',
    });
  return { actions: Int32Array.from(data), count: shape[0]!, steps: shape[1]! };
}
