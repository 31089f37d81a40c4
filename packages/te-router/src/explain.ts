// A decision in words. What they rest on is noted when the decision is made; the words are made when somebody reads them.
import { FEATURE_NAMES } from './features';
import type { Sparse } from './quality';
import type { ModelEstimate } from './router';
import { BLOCKS } from './text-model/text-model';

interface Circumstances {
  domain: number;
  label: string | undefined;
  similarity: number;
  /** The model of the best expected quality. */
  best: ModelEstimate;
  /** Its outcomes in the nearest domain. */
  tally: { count: number; sum: number } | undefined;
  /** What each block of the text model adds to its quality; undefined without a text model. */
  parts: Float64Array | undefined;
  /** The nearest question that the text model keeps. */
  landmark: string | undefined;
  choice: string;
  outlier: boolean;
  outlierLevel: number;
  lambda: number;
}

export interface Reasons extends Circumstances {
  count: number;
  mean: number;
  /** Features that speak most for and most against the best model. */
  forIt: string | undefined;
  against: string | undefined;
}

/** Notes what will have changed by the time the words are wanted. */
export function reasonsOf({ weights, x, ...rest }: Circumstances & { weights: Float64Array; x: Sparse }): Reasons {
  let most = 0;
  let least = 0;
  let forIt: string | undefined;
  let against: string | undefined;
  for (let a = 0; a < x.indices.length; a++) {
    const name = FEATURE_NAMES[x.indices[a]! - 1];
    if (name === undefined) continue;
    const c = weights[x.indices[a]!]! * x.values[a]!;
    if (c > most) [most, forIt] = [c, name];
    if (c < least) [least, against] = [c, name];
  }
  const { tally } = rest;
  return { ...rest, count: tally?.count ?? 0, mean: tally ? tally.sum / tally.count : 0, forIt, against };
}

export function explain(r: Reasons): string {
  const { best } = r;
  const seen = r.count > 0 ? `${r.count} answers, mean quality ${r.mean.toFixed(2)}` : 'not asked yet';
  const where =
    r.domain < 0
      ? 'unlike any domain seen so far'
      : `domain ${r.domain} ("${r.label}", ${Math.round(100 * r.similarity)} % alike; ${best.model} there: ${seen})`;
  const text = r.parts
    ? `its text says ${BLOCKS.map((name, b) => `${name} ${signed(r.parts![b]!)}`).join(', ')}, most like "${r.landmark}"; `
    : '';
  const why = `${text}most for it: ${r.forIt ?? 'nothing yet'}, most against: ${r.against ?? 'nothing yet'}`;
  const choice = r.outlier
    ? `stranger than ${(100 * (1 - r.outlierLevel)).toFixed(1)} % of the known questions, so the safe model: ${r.choice}`
    : `choice: ${r.choice}, the largest quality - ${r.lambda.toFixed(3)} x relative cost`;
  return `${where}; best expected: ${best.model} ${best.quality.toFixed(2)} +- ${best.uncertainty.toFixed(2)}; ${why}; ${choice}`;
}

const signed = (value: number) => `${value < 0 ? '-' : '+'}${Math.abs(value).toFixed(2)}`;
