// Which models to ask together, and how to weigh what they answer.
import { numberIn, objectIn, refuse, shown } from '@x/cuda-core/addon';

/** A model that may be asked: its expected quality (probability of a right answer) and the energy of its cost and latency. */
export interface Candidate {
  model: string;
  quality: number;
  /** What asking it costs, in units of quality: the sum of the energy's cost and latency terms. */
  cost: number;
}

export interface EnsembleMember {
  model: string;
  quality: number;
  /** Log-odds of being right, not below 0: the weight of its vote. */
  weight: number;
}

/** One answer that was voted for. */
export interface Tally {
  answer: string;
  models: string[];
  /** Probability that this answer is right. */
  probability: number;
}

/** Beyond this many candidates subsets are grown one by one, not enumerated. */
const ENUMERATED = 12;
/** Members beyond which the majority's quality is no longer enumerated over who is right. */
const MEMBERS_MAX = 15;
const CERTAIN = 1e-6;

/** Log-odds, for a probability kept away from 0 and 1. */
const logOdds = (p: number): number => {
  const q = Math.min(1 - CERTAIN, Math.max(CERTAIN, p));
  return Math.log(q / (1 - q));
};
/** Who is right less often than not says nothing against its own answer when answers are many, so it weighs 0. */
const voteWeight = (p: number): number => Math.max(0, logOdds(p));

/**
 * Probability that the weighted majority is right, when models err independently and, at worst, all with the same wrong answer:
 * the models that are right must outweigh the others. Ties count half. Weights are log-odds, which is optimal there (S. Nitzan,
 * J. Paroush, "Optimal decision rules in uncertain dichotomous choice situations", 1982).
 */
export function majorityQuality(qualities: readonly number[]): number {
  if (qualities.length > MEMBERS_MAX)
    refuse('qualities', `a majority of ${qualities.length} models is not computed; at most ${MEMBERS_MAX} are.`);
  const weights = qualities.map(voteWeight);
  const total = weights.reduce((sum, w) => sum + w, 0);
  // Without any weight one of them is taken at random.
  if (total === 0) return qualities.reduce((sum, q) => sum + q, 0) / qualities.length;
  let right = 0;
  for (let set = 0; set < 1 << qualities.length; set++) {
    let probability = 1;
    let weight = 0;
    for (let i = 0; i < qualities.length; i++) {
      const isRight = (set >> i) & 1;
      probability *= isRight ? qualities[i]! : 1 - qualities[i]!;
      if (isRight) weight += weights[i]!;
    }
    const lead = 2 * weight - total;
    right += probability * (lead > 1e-12 * total ? 1 : lead < -1e-12 * total ? 0 : 0.5);
  }
  return right;
}

/**
 * The set of at most `maxModels` candidates of least `sum of costs - value * majorityQuality`. All sets are tried for up to 12
 * candidates; beyond, the best single one grows by the best further one, or two, for as long as that pays.
 */
export function bestSubset(candidates: readonly Candidate[], maxModels: number, value: number): Candidate[] {
  const energy = (set: readonly Candidate[]) =>
    set.reduce((sum, c) => sum + c.cost, 0) - value * majorityQuality(set.map((c) => c.quality));
  let best: Candidate[] = [];
  let least = Number.POSITIVE_INFINITY;
  const consider = (set: Candidate[]) => {
    const e = energy(set);
    if (e < least) {
      least = e;
      best = set;
    }
  };
  if (candidates.length <= ENUMERATED) {
    const grow = (from: number, set: Candidate[]) => {
      if (set.length > 0) consider(set);
      if (set.length === maxModels) return;
      for (let i = from; i < candidates.length; i++) grow(i + 1, [...set, candidates[i]!]);
    };
    grow(0, []);
    return best;
  }
  for (const c of candidates) consider([c]);
  // A second opinion alone rarely changes a majority; two together do.
  for (let before = -1; best.length !== before; ) {
    before = best.length;
    const start = best;
    const rest = candidates.filter((c) => !start.includes(c));
    if (start.length + 1 <= maxModels) for (const c of rest) consider([...start, c]);
    if (start.length + 2 <= maxModels)
      for (const [i, c] of rest.entries()) for (const d of rest.slice(i + 1)) consider([...start, c, d]);
  }
  return best;
}

/** Models to ask together. Made by `Consensus.chooseEnsemble`. */
export class Ensemble {
  readonly members: readonly EnsembleMember[];
  /** Probability that the weighted majority is right; see {@link majorityQuality} for what it assumes. */
  readonly quality: number;
  /** Sum of the members' costs, in units of quality. */
  readonly cost: number;
  readonly domain: string | undefined;

  constructor(candidates: readonly Candidate[], domain?: string) {
    this.members = candidates.map(({ model, quality }) => ({ model, quality, weight: voteWeight(quality) }));
    this.quality = majorityQuality(candidates.map((c) => c.quality));
    this.cost = candidates.reduce((sum, c) => sum + c.cost, 0);
    this.domain = domain;
  }

  get models(): string[] {
    return this.members.map((m) => m.model);
  }

  /**
   * Weighs the answers of the members, or of those that have answered. Equal texts are one answer: normalise before. The
   * probabilities are Bayes' for one right answer among `alternatives` equally likely ones and independent errors; what they lack
   * to 1 is the probability that no given answer is right.
   *
   * @param answers by model. @param options.alternatives possible answers, 2 or more; default one more than were given.
   * @throws InvalidArgumentError for a model that is no member, and without any answer.
   */
  vote(
    answers: Readonly<Record<string, string>>,
    options: { alternatives?: number } = {},
  ): { answer: string; confidence: number; tally: Tally[] } {
    const given = Object.entries(objectIn(answers, 'answers') as Record<string, string>);
    if (given.length === 0) refuse('answers', 'answers holds no answer; at least one is needed.');
    const byText = new Map<string, EnsembleMember[]>();
    for (const [model, answer] of given) {
      const member = this.members.find((m) => m.model === model);
      if (!member) refuse('answers', `${shown(model)} is no member of this ensemble.`);
      if (typeof answer !== 'string')
        refuse('answers', `the answer of ${shown(model)} is ${shown(answer)}; it must be a string.`);
      byText.set(answer, [...(byText.get(answer) ?? []), member!]);
    }
    const alternatives = numberIn(options.alternatives ?? byText.size + 1, 'alternatives', {
      min: Math.max(2, byText.size),
      integer: true,
    });
    const spread = Math.log(alternatives - 1);
    const scores = [...byText].map(([answer, members]) => ({
      answer,
      models: members.map((m) => m.model),
      score: members.reduce((sum, m) => sum + logOdds(m.quality) + spread, 0),
    }));
    const top = Math.max(...scores.map((s) => s.score));
    const unseen = (alternatives - byText.size) * Math.exp(-top);
    const total = scores.reduce((sum, s) => sum + Math.exp(s.score - top), unseen);
    const tally = scores
      .map(({ answer, models, score }) => ({ answer, models, probability: Math.exp(score - top) / total }))
      .sort((a, b) => b.probability - a.probability);
    return { answer: tally[0]!.answer, confidence: tally[0]!.probability, tally };
  }
}
