// What goes into the router and what comes out of it.
import type { Membership } from './domains';
import type { Policy } from './policy';

/** A question: its text, or its text and an embedding of any length that the caller has. */
export type Query = string | { text: string; embedding?: ArrayLike<number> };

export interface ModelEstimate {
  model: string;
  /** Expected cost of this question: learnt where outcomes came with costs, else the model's. */
  cost: number;
  /** Expected quality of this model's answer, 0 to 1. */
  quality: number;
  /** Standard deviation of that expectation: what is not known yet, not how answers vary. */
  uncertainty: number;
  /** Holds the true rate with probability `intervalLevel`, as far as the model is right. */
  interval: [low: number, high: number];
}

export interface RouteDecision {
  /** Names this decision in a later `observe`, also after save and load. */
  id: string;
  /** Values of the features named in `QueryRouter.featureNames`. */
  features: Float64Array;
  /** Index of the nearest inferred domain, from 0; -1 for a question unlike any seen. */
  domain: number;
  /** The beginning of the domain's first question, as a template; undefined for domain -1. */
  domainLabel: string | undefined;
  /** The domains the question belongs to, up to three, nearest first; weights sum to 1. */
  domains: Membership[];
  /** 1 - the models' mean expected quality. */
  difficulty: number;
  /** In the order of `options.models`. */
  models: ModelEstimate[];
  /** The model to ask under the router's policy; the safe model for an outlier. */
  choice: string;
  /** Part of known questions that are at least as strange, (0, 1]: a conformal p-value. 1 while too few are known. */
  familiarity: number;
  /** The question is unlike what is known: `familiarity` is at most `outlierLevel`. */
  outlier: boolean;
  /** In words: the domain, what was seen there, what speaks for and against the best model, and why the choice fell so. */
  explanation: string;
}

export interface Outcome {
  /** A decision of this router's `route`. */
  decision?: RouteDecision;
  /** Or the id of one, however long ago, as long as it is among the latest `pendingLimit`. */
  id?: string;
  /** Or the question itself. */
  query?: Query;
  /** The model that answered. */
  model: string;
  /** How good its answer was, 0 to 1. */
  quality: number;
  /** What the call cost, more than 0, in the unit of the models' costs. */
  cost?: number;
}

/** A question with the outcomes that are known of it. */
export interface TrainingRow {
  query: Query;
  /** By model name, 0 to 1. Not every model need be there. */
  quality: Readonly<Record<string, number>>;
  /** By model name, more than 0. */
  cost?: Readonly<Record<string, number>>;
}

export interface FitOptions {
  /** Replaces the router's policy; levels and shares are tuned on these rows, each judged by a fit that had not seen it. */
  policy?: Policy;
  signal?: AbortSignal;
  /** Pieces of work done, and how many there are about in all. */
  onProgress?: (done: number, total: number) => void;
}
