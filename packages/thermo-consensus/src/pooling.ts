// How much one domain of a model says about another.
import type { Counts } from './beliefs';

/** With fewer domains or outcomes the spread between domains is a guess; this many outcomes are lent then. */
const DEFAULT_STRENGTH = 4;
const DOMAINS_MIN = 3;
const OUTCOMES_MIN = 30;
const STRENGTH_MAX = 1000;

/**
 * Strength `alpha + beta` of the Beta distribution that a model's success rates in its domains come from: the Beta-binomial model,
 * by the moments of J. C. Kleinman, "Proportions with extraneous variance: single and independent samples", JASA 68 (1973).
 * Domains that differ no more than chance would have it give the largest strength, 1000; domains that are all or nothing one near 0.
 */
export function poolingStrength(domains: Iterable<Counts>, model: number): number {
  let count = 0;
  let total = 0;
  let successes = 0;
  let squares = 0;
  let spread = 0; // sum of n p^2
  for (const { successes: s, failures: f } of domains) {
    const n = s[model]! + f[model]!;
    if (n < 1) continue;
    count++;
    total += n;
    successes += s[model]!;
    squares += n * n;
    spread += (s[model]! * s[model]!) / n;
  }
  if (count < DOMAINS_MIN || total < OUTCOMES_MIN) return DEFAULT_STRENGTH;
  const mean = successes / total;
  const variance = mean * (1 - mean);
  // All right or all wrong everywhere: the domains agree.
  if (variance === 0) return STRENGTH_MAX;
  const observed = (spread - total * mean * mean) / variance; // its expectation is count - 1 when the domains are one
  const correlation = (observed - (count - 1)) / (total - squares / total - (count - 1));
  if (!(correlation > 1 / (1 + STRENGTH_MAX))) return STRENGTH_MAX;
  return correlation >= 1 ? 0 : 1 / correlation - 1;
}
