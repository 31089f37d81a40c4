// A random forest with several outputs (L. Breiman, Machine Learning 45, 2001; several outputs: M. Segal, Y. Xiao, WIREs Data
// Mining and Knowledge Discovery 1, 2011). It finds what a linear function cannot: kinds of questions with sharp borders,
// and within each what the regression's own estimates mean there. So those estimates are among its features, as stacking
// has it (D. H. Wolpert, Neural Networks 5, 1992).
//
// Every tree sees a part of the rows; what the others say of a row is an estimate that has not seen it ("out of bag").
import { uniforms } from './random';

export interface ForestState {
  /** Outputs of a leaf. */
  outputs: number;
  /** First node of each tree. */
  roots: Int32Array;
  /** Feature that a node asks about; -1 for a leaf. */
  feature: Int16Array;
  /** The left child takes values up to this. */
  threshold: Float32Array;
  /** Left child, the right one is the next; of a leaf, its row in `values`. */
  next: Int32Array;
  /** leaves x outputs. */
  values: Float32Array;
}

export interface ForestTargets {
  /** rows x count. */
  values: Float64Array;
  count: number;
  /** Only so many come first in the leaves; the others, which help to choose the splits, are not kept. */
  kept: number;
  /** How much each counts in the choice of splits. */
  weight: Float64Array;
}

export interface ForestOptions {
  trees: number;
  /** Rows in the smallest leaf. */
  leaf: number;
  seed: number;
}

/** Part of the rows that a tree sees, as many different ones as a bootstrap sample has. */
const SAMPLE = 0.63;
/** Part of the features that a split may choose from. */
const TRIED = 1 / 3;
const DEPTH = 20;
/** Values that a feature's thresholds are taken from: its quantiles. */
const BINS = 32;
/** Added to a leaf's rows, with the mean of all as their outcome. */
const SHRINKAGE = 1;
/** Additions between two pauses of a fit. */
const SLICE = 1 << 20;

export class Forest {
  constructor(readonly state: ForestState) {}

  /** Mean of the trees' leaves for a question; writes `outputs` values. */
  predict(x: Float32Array, out: Float64Array): void {
    const { outputs, roots, feature, threshold, next, values } = this.state;
    out.fill(0);
    for (let t = 0; t < roots.length; t++) {
      let node = roots[t]!;
      for (let f = feature[node]!; f >= 0; f = feature[node]!)
        node = x[f]! <= threshold[node]! ? next[node]! : next[node]! + 1;
      const from = next[node]! * outputs;
      for (let o = 0; o < outputs; o++) out[o]! += values[from + o]!;
    }
    const share = 1 / roots.length;
    for (let o = 0; o < outputs; o++) out[o]! *= share;
  }

  /**
   * @param x rows x features.
   * @returns the forest, and what its trees say of the rows that they have not seen: rows x kept outputs.
   */
  static *fit(
    x: Float32Array,
    features: number,
    targets: ForestTargets,
    options: ForestOptions,
  ): Generator<void, { forest: Forest; unseen: Float64Array }> {
    const { count: R, kept } = targets;
    const n = targets.values.length / R;
    const mean = new Float64Array(R);
    for (let i = 0; i < n * R; i++) mean[i % R]! += targets.values[i]! / n;
    const centred = targets.values.map((v, i) => v - mean[i % R]!);
    const binned = yield* bin(x, n, features);
    const grower = new Grower(binned, { ...targets, values: centred }, n, features, options);
    const roots: number[] = [];
    const unseen = new Float64Array(n * kept);
    const said = new Float64Array(n);
    const draw = uniforms(options.seed);
    const order = Int32Array.from({ length: n }, (_, i) => i);
    const sample = Math.max(1, Math.round(SAMPLE * n));
    for (let t = 0; t < options.trees; t++) {
      for (let i = 0; i < sample; i++) {
        const j = i + Math.floor(draw() * (n - i));
        const swap = order[i]!;
        order[i] = order[j]!;
        order[j] = swap;
      }
      roots.push(grower.nodes);
      yield* grower.grow(order.slice(0, sample), draw);
      for (let a = sample; a < n; a++) {
        const i = order[a]!;
        const leaf = grower.leafOf(roots[t]!, i);
        said[i]!++;
        for (let r = 0; r < kept; r++) unseen[i * kept + r]! += grower.values[leaf * kept + r]!;
      }
      yield;
    }
    for (let i = 0; i < n; i++)
      for (let r = 0; r < kept; r++)
        unseen[i * kept + r] = mean[r]! + (said[i]! > 0 ? unseen[i * kept + r]! / said[i]! : 0);
    const values = Float32Array.from(grower.values, (v, i) => v + mean[i % kept]!);
    const forest = new Forest({
      outputs: kept,
      roots: Int32Array.from(roots),
      feature: Int16Array.from(grower.feature),
      threshold: Float32Array.from(grower.threshold),
      next: Int32Array.from(grower.next),
      values,
    });
    return { forest, unseen };
  }
}

interface Binned {
  /** features x rows: index of the first threshold that is not below the value. */
  bins: Uint8Array;
  thresholds: Float32Array[];
}

function* bin(x: Float32Array, n: number, features: number): Generator<void, Binned> {
  const bins = new Uint8Array(features * n);
  const thresholds: Float32Array[] = [];
  const column = new Float32Array(n);
  for (let f = 0; f < features; f++) {
    for (let i = 0; i < n; i++) column[i] = x[i * features + f]!;
    const sorted = column.slice().sort();
    const cuts = new Set<number>();
    for (let b = 1; b < BINS; b++) cuts.add(sorted[Math.min(n - 1, Math.floor((b * n) / BINS))]!);
    const own = Float32Array.from(cuts);
    thresholds.push(own);
    for (let i = 0; i < n; i++) {
      let low = 0;
      let high = own.length;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (own[middle]! < column[i]!) low = middle + 1;
        else high = middle;
      }
      bins[f * n + i] = low;
    }
    if (f % 8 === 7) yield;
  }
  return { bins, thresholds };
}

/** Grows one tree after the other into common arrays. */
class Grower {
  readonly feature: number[] = [];
  readonly threshold: number[] = [];
  readonly next: number[] = [];
  readonly values: number[] = [];
  private readonly cut: number[] = [];
  private readonly sums: Float64Array;
  private readonly left: Float64Array;
  private readonly total: Float64Array;
  private readonly candidates: Int32Array;
  private work = 0;

  constructor(
    private readonly binned: Binned,
    private readonly targets: ForestTargets,
    private readonly rows: number,
    features: number,
    private readonly options: ForestOptions,
  ) {
    const { count } = targets;
    this.sums = new Float64Array((BINS + 1) * (count + 1));
    this.left = new Float64Array(count);
    this.total = new Float64Array(count);
    this.candidates = Int32Array.from({ length: features }, (_, f) => f);
  }

  get nodes(): number {
    return this.feature.length;
  }

  leafOf(root: number, row: number): number {
    const { bins } = this.binned;
    let node = root;
    while (this.feature[node]! >= 0)
      node = bins[this.feature[node]! * this.rows + row]! <= this.cut[node]! ? this.next[node]! : this.next[node]! + 1;
    return this.next[node]!;
  }

  *grow(rows: Int32Array, draw: () => number): Generator<void> {
    const { bins, thresholds } = this.binned;
    const spare = new Int32Array(rows.length);
    const jobs = [{ node: this.add(), from: 0, to: rows.length, depth: 0 }];
    for (let job = jobs.pop(); job; job = jobs.pop()) {
      const { node, from, to, depth } = job;
      const found = this.split(rows, from, to, depth, draw);
      if (this.work > SLICE) {
        this.work = 0;
        yield;
      }
      if (!found) {
        this.next[node] = this.values.length / this.targets.kept;
        for (let r = 0; r < this.targets.kept; r++) this.values.push(this.total[r]! / (to - from + SHRINKAGE));
        continue;
      }
      // Rows to the left keep their place, the others go behind them in their order.
      const column = found.feature * this.rows;
      let middle = from;
      let others = 0;
      for (let a = from; a < to; a++) {
        const i = rows[a]!;
        if (bins[column + i]! <= found.bin) rows[middle++] = i;
        else spare[others++] = i;
      }
      rows.set(spare.subarray(0, others), middle);
      this.feature[node] = found.feature;
      this.threshold[node] = thresholds[found.feature]![found.bin]!;
      this.cut[node] = found.bin;
      const left = this.add();
      this.next[node] = left;
      this.add();
      jobs.push({ node: left, from, to: middle, depth: depth + 1 });
      jobs.push({ node: left + 1, from: middle, to, depth: depth + 1 });
    }
  }

  private add(): number {
    this.threshold.push(0);
    this.next.push(0);
    this.cut.push(0);
    return this.feature.push(-1) - 1;
  }

  /** The split that takes most of the weighted variance away; leaves the rows' sums in `total`. */
  private split(rows: Int32Array, from: number, to: number, depth: number, draw: () => number) {
    const { targets, total, left, sums, candidates } = this;
    const { values, count: R, weight } = targets;
    const n = to - from;
    total.fill(0);
    for (let a = from; a < to; a++) {
      const at = rows[a]! * R;
      for (let r = 0; r < R; r++) total[r]! += values[at + r]!;
    }
    const { leaf } = this.options;
    if (depth >= DEPTH || n < 2 * leaf) return undefined;
    let best = 1e-9;
    for (let r = 0; r < R; r++) best += (weight[r]! * total[r]! ** 2) / (n + SHRINKAGE);
    let feature = -1;
    let bin = 0;
    const tried = Math.max(1, Math.floor(candidates.length * TRIED));
    const width = R + 1;
    for (let t = 0; t < tried; t++) {
      const p = t + Math.floor(draw() * (candidates.length - t));
      const f = candidates[p]!;
      candidates[p] = candidates[t]!;
      candidates[t] = f;
      const cuts = this.binned.thresholds[f]!.length;
      if (cuts < 2) continue;
      sums.fill(0, 0, (cuts + 1) * width);
      const { bins } = this.binned;
      const column = f * this.rows;
      for (let a = from; a < to; a++) {
        const i = rows[a]!;
        const at = bins[column + i]! * width;
        const own = i * R;
        for (let r = 0; r < R; r++) sums[at + r]! += values[own + r]!;
        sums[at + R]!++;
      }
      left.fill(0);
      let nLeft = 0;
      for (let b = 0; b < cuts; b++) {
        const at = b * width;
        const own = sums[at + R]!;
        if (own === 0) continue;
        nLeft += own;
        if (n - nLeft < leaf) break;
        const perLeft = 1 / (nLeft + SHRINKAGE);
        const perRight = 1 / (n - nLeft + SHRINKAGE);
        let gain = 0;
        for (let r = 0; r < R; r++) {
          const l = left[r]! + sums[at + r]!;
          left[r] = l;
          const rest = total[r]! - l;
          gain += weight[r]! * (l * l * perLeft + rest * rest * perRight);
        }
        if (nLeft >= leaf && gain > best) {
          best = gain;
          feature = f;
          bin = b;
        }
      }
      this.work += (n + cuts) * R;
    }
    return feature < 0 ? undefined : { feature, bin };
  }
}
