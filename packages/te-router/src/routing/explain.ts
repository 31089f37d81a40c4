// A decision in words. What they rest on is noted when the decision is made; the words are made when somebody reads them.

import type { ModelEstimate } from './decision';
import { FEATURE_NAMES, PLAIN } from './feature-names';
import type { Sparse } from './quality';
import { PARTS } from './text-model/text-model';

interface Circumstances {
  domain: number;
  label: string | undefined;
  similarity: number;
  /** The model of the best expected quality. */
  best: ModelEstimate;
  /** Its outcomes in the nearest domain. */
  tally: { count: number; sum: number } | undefined;
  /** What each part of the text model adds to its quality; undefined without a text model. */
  parts: Float64Array | undefined;
  /** The nearest question that the text model keeps. */
  landmark: string | undefined;
  choice: string;
  outlier: boolean;
  outlierLevel: number;
  lambda: number;
}

export interface Reasons {
  now: Circumstances;
  count: number;
  mean: number;
  /** Features that speak most for and most against the best model; -1: none. */
  forIt: number;
  against: number;
}

/** Notes what will have changed by the time the words are wanted. */
export function reasonsOf(now: Circumstances, weights: Float64Array, x: Sparse): Reasons {
  let most = 0;
  let least = 0;
  let forIt = -1;
  let against = -1;
  for (let a = 0; a < x.length; a++) {
    const i = x.indices[a]!;
    if (i === 0 || i > PLAIN) continue; // neither the constant nor a domain
    const c = weights[i]! * x.values[a]!;
    if (c > most) {
      most = c;
      forIt = i - 1;
    }
    if (c < least) {
      least = c;
      against = i - 1;
    }
  }
  const { tally } = now;
  const count = tally ? tally.count : 0;
  return { now, count, mean: count > 0 ? tally!.sum / count : 0, forIt, against };
}

export function explain({ now: r, count, mean, forIt, against }: Reasons): string {
  const { best } = r;
  const seen = count > 0 ? `${count} answers, mean quality ${mean.toFixed(2)}` : 'not asked yet';
  const where =
    r.domain < 0
      ? 'unlike any domain seen so far'
      : `domain ${r.domain} ("${r.label}", ${Math.round(100 * r.similarity)} % alike; ${best.model} there: ${seen})`;
  const text = r.parts
    ? `its text says ${PARTS.map((name, b) => `${name} ${signed(r.parts![b]!)}`).join(', ')}, most like "${r.landmark}"; `
    : '';
  const why = `${text}most for it: ${FEATURE_NAMES[forIt] ?? 'nothing yet'}, most against: ${FEATURE_NAMES[against] ?? 'nothing yet'}`;
  const choice = r.outlier
    ? `stranger than ${(100 * (1 - r.outlierLevel)).toFixed(1)} % of the known questions, so the safe model: ${r.choice}`
    : `choice: ${r.choice}, the largest quality - ${r.lambda.toFixed(3)} x relative cost`;
  return `${where}; best expected: ${best.model} ${best.quality.toFixed(2)} +- ${best.uncertainty.toFixed(2)}; ${why}; ${choice}`;
}

const signed = (value: number) => `${value < 0 ? '-' : '+'}${Math.abs(value).toFixed(2)}`;
