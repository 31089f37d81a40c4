// The layer that learns with every outcome: its regressors and priors, one probit regression a model.
import type { Assignment } from './domains';
import { EMBEDDING_SLOTS } from './embedding';
import { PLAIN } from './feature-names';
import type { Reading } from './journal';
import type { CheckedOptions } from './options';
import { normalCdf, normalQuantile, Probit, type Sparse } from './quality';
import type { TextPrediction } from './text-model/text-model';

const DENSE = 1 + PLAIN;

export class SecondLayer {
  private readonly row: Sparse = {
    indices: new Int32Array(DENSE + EMBEDDING_SLOTS + 6),
    values: new Float64Array(DENSE + EMBEDDING_SLOTS + 6),
    length: 0,
  };

  constructor(private readonly options: CheckedOptions) {}

  /**
   * The regressions before they have learnt: wide where there is no text model, narrow on top of one.
   * @param fitted outcomes of each model that the text model rests on; undefined without one.
   */
  fresh(fitted: Float64Array | undefined): Probit[] {
    const { models, forgetting } = this.options;
    return models.map((m, i) => new Probit(this.prior(fitted?.[i]), forgetting, fitted ? 0 : probitOf(m.priorQuality)));
  }

  /** Prior variances; a text model that rests on many outcomes leaves little to correct. */
  prior(fitted: number | undefined): Float64Array {
    const { maxDomains, priorStrength } = this.options;
    const prior = new Float64Array(DENSE + EMBEDDING_SLOTS + 2 * maxDomains);
    const shrink = fitted === undefined ? 1 : 1 / (1 + fitted / 10);
    // Features carry most: what they teach holds for domains not seen yet. Domains correct them.
    prior[0] = fitted === undefined ? 0.4 : 0.4 / (1 + fitted / 100) + 0.002;
    prior.fill(3 * shrink, 1, DENSE + EMBEDDING_SLOTS);
    prior.fill(0.3 * shrink, DENSE + EMBEDDING_SLOTS, DENSE + EMBEDDING_SLOTS + maxDomains);
    prior.fill(0.03 * shrink, DENSE + EMBEDDING_SLOTS + maxDomains);
    for (let i = 0; i < prior.length; i++) prior[i]! /= priorStrength;
    return prior;
  }

  /** Bias, features, embedding, the domains' effects and slopes; what is 0 is left out. Written over by the next call. */
  regressors({ text, embedding }: Reading, { memberships, relativeSize }: Assignment): Sparse {
    const { row } = this;
    const { indices, values } = row;
    let n = 0;
    indices[n] = 0;
    values[n++] = 1;
    const features = text.values;
    for (let f = 0; f < PLAIN; f++) {
      const value = features[f]!;
      if (value === 0) continue;
      indices[n] = 1 + f;
      values[n++] = value;
    }
    if (embedding)
      for (let s = 0; s < EMBEDDING_SLOTS; s++) {
        const value = embedding[s]!;
        if (value === 0) continue;
        indices[n] = DENSE + s;
        values[n++] = value;
      }
    for (const { domain, weight } of memberships) {
      indices[n] = DENSE + EMBEDDING_SLOTS + domain;
      values[n++] = weight;
      if (relativeSize === 0) continue;
      indices[n] = DENSE + EMBEDDING_SLOTS + this.options.maxDomains + domain;
      values[n++] = weight * relativeSize;
    }
    row.length = n;
    return row;
  }
}

/** The latent mean of a prior quality: an inverse normal distribution function in its logistic approximation. */
function probitOf(p: number): number {
  // The prior's variance v flattens the expectation by sqrt(1 + v); 3 stands for a typical question's.
  return (3 * Math.log(p / (1 - p))) / 1.702;
}

export const offsetOf = (said: TextPrediction | undefined, model: number): number =>
  said ? normalQuantile(said.quality[model]!) : 0;

/** Normal on the probit scale, so that it stays within 0 and 1. */
export function interval(mean: number, deviation: number, tail: number): [number, number] {
  const z = normalQuantile(Math.max(1e-9, Math.min(1 - 1e-9, mean)));
  const slope = Math.max(1e-3, Math.exp(-0.5 * z * z) * 0.3989422804014327);
  const width = (tail * deviation) / slope;
  return [normalCdf(z - width), normalCdf(z + width)];
}
