// A smooth function of many features by its values near some typical questions: kernel features at landmarks, whitened
// (C. K. I. Williams, M. Seeger, "Using the Nystroem method to speed up kernel machines", NIPS 2000). When every training
// row is a landmark, ridge regression on them is kernel ridge regression itself.

/** `'smooth'`: exp(-gamma d^2). `'rough'`: exp(-gamma d), which follows abrupt changes better. d is Euclidean. */
export type KernelShape = 'smooth' | 'rough';

export interface LandmarksState {
  shape: KernelShape;
  gamma: number;
  width: number;
  /** landmarks x width. */
  points: Float32Array;
  /** Lower Cholesky factor of the landmarks' kernel matrix, row by row; not needed to predict. */
  factor: Float64Array;
}

export class Landmarks {
  readonly count: number;
  private readonly squares: Float64Array;

  constructor(private readonly state: LandmarksState) {
    const { points, width } = state;
    this.count = width > 0 ? points.length / width : 0;
    this.squares = new Float64Array(this.count);
    for (let l = 0; l < this.count; l++)
      for (let j = 0; j < width; j++) this.squares[l]! += points[l * width + j]! ** 2;
  }

  get width(): number {
    return this.state.width;
  }

  /** Landmarks at the given rows of a rows x width matrix. */
  static at(rows: Float32Array, width: number, chosen: readonly number[], shape: KernelShape, gamma: number): Landmarks {
    const points = new Float32Array(chosen.length * width);
    chosen.forEach((r, l) => {
      points.set(rows.subarray(r * width, (r + 1) * width), l * width);
    });
    const bare = new Landmarks({ shape, gamma, width, points, factor: new Float64Array(0) });
    const m = bare.count;
    const factor = new Float64Array(m * m);
    const kernel = new Float32Array(m);
    for (let l = 0; l < m; l++) {
      bare.similarities(points.subarray(l * width, (l + 1) * width), kernel);
      for (let k = 0; k <= l; k++) factor[l * m + k] = kernel[k]!;
      factor[l * m + l] = 1 + 1e-4; // equal rows may both be landmarks
    }
    for (let i = 0; i < m; i++)
      for (let j = 0; j <= i; j++) {
        let sum = factor[i * m + j]!;
        for (let k = 0; k < j; k++) sum -= factor[i * m + k]! * factor[j * m + k]!;
        factor[i * m + j] = i === j ? Math.sqrt(Math.max(sum, 1e-6)) : sum / factor[j * m + j]!;
      }
    return new Landmarks({ shape, gamma, width, points, factor });
  }

  /** The kernel between x and every landmark, 0 to 1; gives the largest. */
  similarities(x: Float32Array, out: Float32Array): number {
    const { points, width, gamma, shape } = this.state;
    const { squares, count } = this;
    let own = 0;
    for (let j = 0; j < width; j++) own += x[j]! * x[j]!;
    let largest = 0;
    const even = width & ~3;
    for (let l = 0; l < count; l++) {
      const at = l * width;
      let a = 0;
      let b = 0;
      let c = 0;
      let d = 0;
      for (let j = 0; j < even; j += 4) {
        a += x[j]! * points[at + j]!;
        b += x[j + 1]! * points[at + j + 1]!;
        c += x[j + 2]! * points[at + j + 2]!;
        d += x[j + 3]! * points[at + j + 3]!;
      }
      for (let j = even; j < width; j++) a += x[j]! * points[at + j]!;
      const distance = own + squares[l]! - 2 * (a + b + c + d);
      const k = distance <= 0 ? 1 : Math.exp(-gamma * (shape === 'smooth' ? distance : Math.sqrt(distance)));
      out[l] = k;
      if (k > largest) largest = k;
    }
    return largest;
  }

  /** Solves factor z = k in place: features whose dot products are the kernel's approximation. */
  whiten(k: Float32Array): void {
    const { factor } = this.state;
    const m = this.count;
    for (let i = 0; i < m; i++) {
      let sum = k[i]!;
      const row = i * m;
      for (let j = 0; j < i; j++) sum -= factor[row + j]! * k[j]!;
      k[i] = sum / factor[row + i]!;
    }
  }

  /** Weights on whitened features as weights on similarities (solves factor' b = w), `outputs` columns. */
  unwhiten(weights: Float64Array, outputs: number): Float32Array {
    const { factor } = this.state;
    const m = this.count;
    const out = Float64Array.from(weights);
    for (let i = m - 1; i >= 0; i--)
      for (let o = 0; o < outputs; o++) {
        let sum = out[i * outputs + o]!;
        for (let j = i + 1; j < m; j++) sum -= factor[j * m + i]! * out[j * outputs + o]!;
        out[i * outputs + o] = sum / factor[i * m + i]!;
      }
    return Float32Array.from(out);
  }

  toJSON(): LandmarksState {
    return { ...this.state, factor: new Float64Array(0) };
  }
}
