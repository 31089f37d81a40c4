// The forest on top of the regression: its features, what it is taught, and how much it is believed.
import { FEATURE_NAMES } from '../feature-names';
import { Forest, type ForestState } from './forest';
import { gaussians } from './random';

export interface StackState {
  forest: ForestState;
  /** Share of the forest in what models have in common, and in how they differ, 0 to 1. */
  common: number;
  difference: number;
}

export interface StackRows {
  /** One a question: its features of structure; those that may not be used are 0 in `allowed`. */
  structure: readonly Float64Array[];
  allowed: Uint8Array | undefined;
  /** rows x topicWidth. */
  topic: Float32Array;
  topicWidth: number;
  /** rows x models: what a regression that has not seen the row expects. */
  expected: Float64Array;
  /** One a question, a number a model; NaN where not known. */
  quality: readonly Float64Array[];
  models: number;
}

const TREES = { full: 64, light: 24 };
/** Rows in the smallest leaf; with few rows, fewer. */
const LEAF = 10;
/**
 * Splits should also tell topics apart, so that a leaf holds questions of one kind and not a coincidence of outcomes: this
 * many random directions of the topic are targets too, with this weight (clustering trees; H. Blockeel et al., ICML 1998).
 */
const DIRECTIONS = 8;
const TOPIC_WEIGHT = 0.2;
/** Before any row is seen, the forest's share is a half where rows are many, with this standard deviation. */
const SHARE_DEVIATION = 0.3;
const MANY = 200;

const S = FEATURE_NAMES.length;
const widthOf = (topicWidth: number, models: number) => S + topicWidth + 1 + models;

/** Structure, topic, and the regression's estimates as their mean and the differences from it. */
function write(
  structure: Float64Array,
  topic: ArrayLike<number>,
  expected: Float64Array,
  from: number,
  models: number,
  out: Float32Array,
): number {
  out.set(structure);
  out.set(topic, S);
  let mean = 0;
  for (let m = 0; m < models; m++) mean += expected[from + m]! / models;
  const at = S + topic.length;
  out[at] = mean;
  for (let m = 0; m < models; m++) out[at + 1 + m] = expected[from + m]! - mean;
  return mean;
}

export class Stack {
  private readonly forest: Forest;
  private readonly x: Float32Array;
  private readonly said: Float64Array;

  constructor(
    readonly state: StackState,
    topicWidth: number,
    private readonly models: number,
  ) {
    this.forest = new Forest(state.forest);
    this.x = new Float32Array(widthOf(topicWidth, models));
    this.said = new Float64Array(models + 1);
  }

  /** What the forest adds to the regression's estimates: one a model. */
  corrections(structure: Float64Array, topic: Float32Array, expected: Float64Array, out: Float64Array): void {
    const mean = write(structure, topic, expected, 0, this.models, this.x);
    this.forest.predict(this.x, this.said);
    correct(this.said, 0, expected, 0, mean, this.state, this.models, out);
  }

  /** @returns the stack, and rows x models: its estimates by trees that have not seen the row. */
  static *fit(
    rows: StackRows,
    effort: 'full' | 'light',
    seed: number,
  ): Generator<void, { state: StackState; heldOut: Float64Array }> {
    const { structure, allowed, topic, topicWidth: T, expected, quality, models: M } = rows;
    const n = structure.length;
    const width = widthOf(T, M);
    const x = new Float32Array(n * width);
    const directions = gaussians(T * DIRECTIONS, seed + 2);
    const count = 1 + M + DIRECTIONS;
    const values = new Float64Array(n * count);
    const means = new Float64Array(n);
    for (let i = 0; i < n; i++) {
      const own = x.subarray(i * width, (i + 1) * width);
      means[i] = write(structure[i]!, topic.subarray(i * T, (i + 1) * T), expected, i * M, M, own);
      if (allowed) for (let f = 0; f < S; f++) if (allowed[f] === 0) own[f] = 0;
      // An outcome that is not known teaches nothing: the estimate stands for it.
      const y = (m: number) => (Number.isNaN(quality[i]![m]!) ? expected[i * M + m]! : quality[i]![m]!);
      let mean = 0;
      for (let m = 0; m < M; m++) mean += y(m) / M;
      values[i * count] = mean;
      for (let m = 0; m < M; m++) values[i * count + 1 + m] = y(m) - mean;
      for (let d = 0; d < DIRECTIONS; d++) {
        let sum = 0;
        for (let j = 0; j < T; j++) sum += topic[i * T + j]! * directions[d * T + j]!;
        values[i * count + 1 + M + d] = sum / Math.sqrt(DIRECTIONS);
      }
      if (i % 256 === 255) yield;
    }
    const weight = new Float64Array(count).fill(1).fill(TOPIC_WEIGHT, 1 + M);
    const leaf = Math.max(1, Math.min(LEAF, Math.floor(n / 12)));
    const { forest, unseen } = yield* Forest.fit(
      x,
      width,
      { values, count, kept: 1 + M, weight },
      { trees: TREES[effort], leaf, seed: seed + 3 },
    );
    const shares = sharesOf(unseen, expected, means, quality, M);
    const state = { forest: forest.state, ...shares };
    const heldOut = new Float64Array(n * M);
    const added = new Float64Array(M);
    for (let i = 0; i < n; i++) {
      correct(unseen, i * (M + 1), expected, i * M, means[i]!, shares, M, added);
      for (let m = 0; m < M; m++) heldOut[i * M + m] = expected[i * M + m]! + added[m]!;
    }
    return { state, heldOut };
  }
}

/** share x (what the forest says - what the regression says), of the common part and of the differences. */
function correct(
  said: Float64Array,
  at: number,
  expected: Float64Array,
  from: number,
  mean: number,
  { common, difference }: Pick<StackState, 'common' | 'difference'>,
  models: number,
  out: Float64Array,
): void {
  const shift = common * (said[at]! - mean);
  for (let m = 0; m < models; m++) out[m] = shift + difference * (said[at + 1 + m]! - (expected[from + m]! - mean));
}

/** Least squares on rows that neither has seen, drawn towards one half; where rows know few models, one share for both. */
function sharesOf(
  unseen: Float64Array,
  expected: Float64Array,
  means: Float64Array,
  quality: readonly Float64Array[],
  M: number,
): Pick<StackState, 'common' | 'difference'> {
  const common = new Share();
  const difference = new Share();
  const both = new Share();
  let full = 0;
  for (const [i, y] of quality.entries()) {
    const mean = means[i]!;
    const forest = unseen[i * (M + 1)]!;
    for (let m = 0; m < M; m++) {
      const e = expected[i * M + m]!;
      if (!Number.isNaN(y[m]!)) both.add(e, forest + unseen[i * (M + 1) + 1 + m]!, y[m]!);
    }
    if (y.some(Number.isNaN)) continue;
    full++;
    const own = y.reduce((a, b) => a + b, 0) / M;
    common.add(mean, forest, own);
    for (let m = 0; m < M; m++) difference.add(expected[i * M + m]! - mean, unseen[i * (M + 1) + 1 + m]!, y[m]! - own);
  }
  const n = quality.length;
  const prior = (0.5 * n) / (n + MANY);
  if (full < n / 2) return { common: both.value(prior, M), difference: both.value(prior, M) };
  return { common: common.value(prior, 1), difference: difference.value(prior, M) };
}

class Share {
  private xx = 0;
  private xy = 0;
  private yy = 0;
  private count = 0;
  add(regression: number, forest: number, outcome: number): void {
    this.xx += (forest - regression) ** 2;
    this.xy += (forest - regression) * (outcome - regression);
    this.yy += (outcome - regression) ** 2;
    this.count++;
  }
  /** @param alike how many outcomes of one row err together, and count as one. */
  value(prior: number, alike: number): number {
    if (this.count === 0) return prior;
    const pull = ((this.yy / this.count) * alike) / SHARE_DEVIATION ** 2;
    return Math.max(0, Math.min(1, (this.xy + pull * prior) / (this.xx + pull)));
  }
}
