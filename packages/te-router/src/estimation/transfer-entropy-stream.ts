import { InvalidArgumentError } from '@x/cuda-core';
import { numberIn, objectIn } from '@x/cuda-core/addon';
import { addon } from '../native';
import { checkOptions, type EstimationOptions } from './estimation-options';
import type { NativeStream } from './native-estimation';
import { flatten, type Series } from './series';
import { type Embedding, embeddingOf } from './transfer-entropy';

export interface TransferEntropyStreamOptions
  extends Pick<
    EstimationOptions,
    'estimator' | 'theiler' | 'normalise' | 'kernelWidth' | 'bins' | 'binning' | 'biasCorrection' | 'unit' | 'precision'
  > {
  /** Samples that a value looks back on, the embedding's included. Default 1000. */
  window?: number;
  /** Variables of the source. Default 1. */
  sources?: number;
  /** Variables of the target. Default 1. */
  targets?: number;
  k?: number;
  targetHistory?: number;
  targetTau?: number;
  sourceHistory?: number;
  sourceTau?: number;
  delay?: number;
  /**
   * KSG with `normalise`: after how many new samples the columns' means and deviations are taken anew. 1: always, and
   * `value` is that of `transferEntropy` over the window to the last bit, at the cost of a whole estimate each time it is
   * asked for. More: in between, a new sample costs one pass over the window, and the value is that of the window scaled
   * as it was. Without `normalise` every value is exact and every sample costs one pass. Default 1.
   */
  scaleEvery?: number;
}

export interface StreamValue {
  /** Transfer entropy over the newest `window` samples, in nats (or bits). */
  te: number;
  embedding: Embedding;
  k: number;
  /** Tuples of the window. */
  samples: number;
}

/**
 * Transfer entropy over a sliding window of live series. New samples cost work in proportion to their own number, not a
 * new estimate: KSG counts again only the tuples of which a sample is a near neighbour, Gaussian sums and bin counts are
 * updated.
 *
 * @throws InvalidArgumentError for options out of range and a window too short for the embedding; UnsupportedError for
 *   options that an estimator does not have.
 *
 * @example
 * const stream = new TransferEntropyStream({ window: 500, estimator: 'gaussian' });
 * stream.push(windNow, powerNow);
 * const value = stream.value(); // undefined until the window is full
 */
export class TransferEntropyStream {
  readonly #stream: NativeStream;
  readonly #sources: number;
  readonly #targets: number;
  readonly #unit: number;
  readonly window: number;
  #seen = 0;

  constructor(options: TransferEntropyStreamOptions = {}) {
    objectIn(options, 'options');
    const checked = checkOptions({ ...options, surrogates: 0, interval: false, device: 'cpu' }, 'transfer');
    this.window = numberIn(options.window ?? 1000, 'window', { min: 1, max: 10_000_000, integer: true });
    this.#sources = numberIn(options.sources ?? 1, 'sources', { min: 1, max: 1000, integer: true });
    this.#targets = numberIn(options.targets ?? 1, 'targets', { min: 1, max: 1000, integer: true });
    const scaleEvery = numberIn(options.scaleEvery ?? 1, 'scaleEvery', { min: 1, max: 2 ** 31 - 1, integer: true });
    this.#unit = checked.unit;
    this.#stream = addon().streamOpen(this.#sources, this.#targets, this.window, scaleEvery, checked.native);
  }

  /**
   * Takes new samples, oldest first: a number each, or series of one length (an array of them for several variables).
   * Nothing is taken when a value is not finite.
   */
  push(source: number | Series, target: number | Series): void {
    const y = flatten('target', typeof target === 'number' ? Float64Array.of(target) : target);
    const x = flatten('source', typeof source === 'number' ? Float64Array.of(source) : source, y.samples);
    if (x.variables !== this.#sources || y.variables !== this.#targets)
      throw new InvalidArgumentError(
        `this stream has ${this.#sources} source and ${this.#targets} target variables; ${x.variables} and ${y.variables} were pushed`,
        { field: x.variables !== this.#sources ? 'source' : 'target' },
      );
    addon().streamPush(this.#stream, x.values, y.values, y.samples, this.#sources, this.#targets);
    this.#seen += y.samples;
  }

  /** Over the newest `window` samples; `undefined` while there are fewer. */
  value(): StreamValue | undefined {
    const r = addon().streamValue(this.#stream);
    if (r.tuples === 0) return undefined;
    return { te: r.te / this.#unit, embedding: embeddingOf(r), k: r.k, samples: r.tuples };
  }

  /** Samples pushed so far. */
  get seen(): number {
    return this.#seen;
  }

  /** Frees the native window now rather than when the object is collected; later calls throw. */
  dispose(): void {
    addon().streamRelease(this.#stream);
  }
}
