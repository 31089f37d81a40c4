// A decision in words.
import { FEATURE_NAMES } from './features';
import type { Sparse } from './quality';
import type { ModelEstimate, RouteDecision } from './router';
import { BLOCKS, type TextPrediction } from './text-model/text-model';

export interface Reasons {
  decision: RouteDecision;
  best: ModelEstimate;
  bestIndex: number;
  /** Of the best model's regression, and what it was applied to. */
  weights: Float64Array;
  x: Sparse;
  similarity: number;
  /** Outcomes of the best model in the nearest domain. */
  tally: { count: number; sum: number } | undefined;
  said: TextPrediction | undefined;
  /** The nearest question that the text model keeps. */
  landmark: string | undefined;
  lambda: number;
  outlierLevel: number;
}

export function explain(reasons: Reasons): string {
  const { decision, best, tally, said, landmark } = reasons;
  const { domain } = decision;
  const where =
    domain < 0
      ? 'unlike any domain seen so far'
      : `domain ${domain} ("${decision.domainLabel}", ${Math.round(100 * reasons.similarity)} % alike; ${best.model} there: ${
          tally ? `${tally.count} answers, mean quality ${(tally.sum / tally.count).toFixed(2)}` : 'not asked yet'
        })`;
  const why = said
    ? `by ${partsOf(said, reasons.bestIndex)}; most like "${landmark}"`
    : `most for it: ${reasons.weights.length > 0 ? extremes(reasons) : 'nothing yet'}`;
  const choice = decision.outlier
    ? `stranger than ${(100 * (1 - reasons.outlierLevel)).toFixed(1)} % of the known questions, so the safe model: ${decision.choice}`
    : `choice: ${decision.choice}, the largest quality - ${reasons.lambda.toFixed(3)} x relative cost`;
  return (
    `${where}; best expected: ${best.model} ${best.quality.toFixed(2)} +- ${best.uncertainty.toFixed(2)}; ${why}; ${choice}`
  );
}

function partsOf(said: TextPrediction, model: number): string {
  return BLOCKS.map((name, b) => {
    const part = said.parts[model * BLOCKS.length + b]!;
    return `${name} ${part < 0 ? '-' : '+'}${Math.abs(part).toFixed(2)}`;
  }).join(', ');
}

function extremes({ weights, x }: Reasons): string {
  let most = 0;
  let least = 0;
  let forIt = 'nothing yet';
  let against = 'nothing yet';
  for (let a = 0; a < x.indices.length; a++) {
    const name = FEATURE_NAMES[x.indices[a]! - 1];
    if (name === undefined) continue;
    const c = weights[x.indices[a]!]! * x.values[a]!;
    if (c > most) [most, forIt] = [c, name];
    if (c < least) [least, against] = [c, name];
  }
  return `${forIt}, most against: ${against}`;
}
