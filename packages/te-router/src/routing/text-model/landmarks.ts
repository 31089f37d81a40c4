// A smooth function of many features by its values near some typical questions: kernel features at landmarks, whitened
// (C. K. I. Williams, M. Seeger, "Using the Nystroem method to speed up kernel machines", NIPS 2000). When every training
// row is a landmark, ridge regression on them is kernel ridge regression itself.
//
// Two kernels at the same landmarks: structure, exp(-gamma d^2) of the structure features alone; and topic, exp(-gamma d)
// of the subspace's coordinates with some structure, which follows abrupt changes better.
import { DotProducts } from './dot-products';

const TOPIC_GAMMA = 0.7;
/** For standardised features, by their number. */
const STRUCTURE_GAMMA = 0.5;
/** How much a squared distance of structure counts in the distance between topics. */
const STRUCTURE_IN_TOPIC = 0.01;

export interface LandmarksState {
  topicWidth: number;
  structureWidth: number;
  /** landmarks x topicWidth, landmarks x structureWidth. */
  topic: Float32Array;
  structure: Float32Array;
}

export class Landmarks {
  readonly count: number;
  private readonly topicDots: DotProducts;
  private readonly structureDots: DotProducts;
  private readonly topicSquares: Float64Array;
  private readonly structureSquares: Float64Array;
  /** Lower Cholesky factors of the kernels' matrices, row by row; only fits need them. */
  private factors: [topic: Float64Array, structure: Float64Array] | undefined;

  constructor(private readonly state: LandmarksState) {
    const { topic, structure, topicWidth, structureWidth } = state;
    this.count = structure.length / structureWidth;
    this.topicDots = new DotProducts(topic, this.count, topicWidth);
    this.structureDots = new DotProducts(structure, this.count, structureWidth);
    this.topicSquares = squares(topic, this.count, topicWidth);
    this.structureSquares = squares(structure, this.count, structureWidth);
  }

  /** Where the question is to be written before `similarities`. */
  get topicAt(): Float32Array {
    return this.topicDots.x;
  }
  get structureAt(): Float32Array {
    return this.structureDots.x;
  }

  /** Both kernels between the question and every landmark, 0 to 1. Gives the nearest by topic. */
  similarities(byTopic: Float32Array, byStructure: Float32Array): number {
    const n = this.count;
    const { topicSquares, structureSquares } = this;
    const { topicWidth, structureWidth } = this.state;
    this.topicDots.compute();
    this.structureDots.compute();
    const u = this.topicDots.out;
    const z = this.structureDots.out;
    let topicOwn = 0;
    for (let j = 0; j < topicWidth; j++) topicOwn += this.topicAt[j]! ** 2;
    let structureOwn = 0;
    for (let j = 0; j < structureWidth; j++) structureOwn += this.structureAt[j]! ** 2;
    const gamma = STRUCTURE_GAMMA / structureWidth;
    let nearest = 0;
    let largest = -1;
    for (let l = 0; l < n; l++) {
      const structure = Math.max(0, structureOwn + structureSquares[l]! - 2 * z[l]!);
      const topic = Math.max(0, topicOwn + topicSquares[l]! - 2 * u[l]!) + STRUCTURE_IN_TOPIC * structure;
      const near = decay(TOPIC_GAMMA * Math.sqrt(topic));
      byTopic[l] = near;
      byStructure[l] = decay(gamma * structure);
      if (near > largest) {
        largest = near;
        nearest = l;
      }
    }
    return nearest;
  }

  /** Prepares `whiten` and `unwhiten`. */
  *factorise(): Generator<void> {
    const n = this.count;
    const factors: [Float64Array, Float64Array] = [new Float64Array(n * n), new Float64Array(n * n)];
    const row = new Float32Array(2 * n);
    const { topic, structure, topicWidth, structureWidth } = this.state;
    for (let l = 0; l < n; l++) {
      this.topicAt.set(topic.subarray(l * topicWidth, (l + 1) * topicWidth));
      this.structureAt.set(structure.subarray(l * structureWidth, (l + 1) * structureWidth));
      this.similarities(row.subarray(0, n), row.subarray(n));
      for (const [k, factor] of factors.entries()) {
        for (let m = 0; m < l; m++) factor[l * n + m] = row[k * n + m]!;
        factor[l * n + l] = 1 + 1e-4; // equal rows may both be landmarks
      }
    }
    for (const factor of factors) {
      for (let i = 0; i < n; i++) {
        for (let j = 0; j <= i; j++) {
          let sum = factor[i * n + j]!;
          for (let k = 0; k < j; k++) sum -= factor[i * n + k]! * factor[j * n + k]!;
          factor[i * n + j] = i === j ? Math.sqrt(Math.max(sum, 1e-6)) : sum / factor[j * n + j]!;
        }
        if (i % 16 === 15) yield;
      }
    }
    this.factors = factors;
  }

  /** Similarities as features whose dot products are the kernels' approximations, in place: solves factor z = k. */
  whiten(similar: Float32Array): void {
    const n = this.count;
    for (const [k, factor] of this.factors!.entries()) {
      const z = similar.subarray(k * n, (k + 1) * n);
      for (let i = 0; i < n; i++) {
        let sum = z[i]!;
        const row = i * n;
        for (let j = 0; j < i; j++) sum -= factor[row + j]! * z[j]!;
        z[i] = sum / factor[row + i]!;
      }
    }
  }

  /** Weights on whitened features, 2 count x outputs, as weights on similarities: solves factor' b = w. */
  unwhiten(weights: Float64Array, outputs: number): Float32Array {
    const n = this.count;
    const out = Float64Array.from(weights);
    for (const [k, factor] of this.factors!.entries())
      for (let i = n - 1; i >= 0; i--)
        for (let o = 0; o < outputs; o++) {
          let sum = out[(k * n + i) * outputs + o]!;
          for (let j = i + 1; j < n; j++) sum -= factor[j * n + i]! * out[(k * n + j) * outputs + o]!;
          out[(k * n + i) * outputs + o] = sum / factor[i * n + i]!;
        }
    return Float32Array.from(out);
  }

  toJSON(): LandmarksState {
    return this.state;
  }
}

function squares(rows: Float32Array, count: number, width: number): Float64Array {
  const out = new Float64Array(count);
  for (let l = 0; l < count; l++) for (let j = 0; j < width; j++) out[l]! += rows[l * width + j]! ** 2;
  return out;
}

// exp(-x) from a table by linear interpolation, to 2e-6: fits and predictions use the same.
const PER_UNIT = 256;
const TABLE = Float64Array.from({ length: 16 * PER_UNIT + 2 }, (_, i) => Math.exp(-i / PER_UNIT));
function decay(x: number): number {
  const at = x * PER_UNIT;
  if (!(at < 16 * PER_UNIT)) return 0;
  const i = at | 0;
  return TABLE[i]! + (at - i) * (TABLE[i + 1]! - TABLE[i]!);
}
