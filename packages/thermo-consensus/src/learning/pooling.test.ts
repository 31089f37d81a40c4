import { expect, test } from 'vitest';
import { betaOf, Populations } from './pooling';

const domain = (s: number, f: number) => ({ successes: Float64Array.of(s), failures: Float64Array.of(f) });
const PRIOR = { alpha: 1, beta: 1 };

function learnt(...domains: [number, number][]): Populations {
  const populations = new Populations(1, PRIOR);
  const counts = domains.map(([s, f]) => domain(s, f));
  const outcomes = domains.reduce((sum, [s, f]) => sum + s + f, 0);
  populations.learn(counts, 0, outcomes);
  return populations;
}
function posterior(populations: Populations, successes: number, failures: number) {
  const out = { mean: 0, variance: 0 };
  populations.posterior(0, successes, failures, out);
  return out;
}

test('a new domain is expected to be like the others, the surer the more alike they are', () => {
  const alike = posterior(learnt(...Array.from({ length: 10 }, (): [number, number] => [70, 30])), 0, 0);
  expect(alike.mean).toBeCloseTo(0.7, 2);
  expect(Math.sqrt(alike.variance)).toBeLessThan(0.05);
  const apart = posterior(
    learnt(...Array.from({ length: 10 }, (_, i): [number, number] => (i % 2 ? [100, 0] : [0, 100]))),
    0,
    0,
  );
  expect(apart.mean).toBeCloseTo(0.5, 2);
  expect(Math.sqrt(apart.variance)).toBeGreaterThan(0.35);
});

test('domains that differ wholly lend nothing to one with outcomes of its own, domains that are alike do', () => {
  const apart = learnt(...Array.from({ length: 10 }, (_, i): [number, number] => (i % 2 ? [100, 0] : [0, 100])));
  expect(posterior(apart, 8, 2).mean).toBeCloseTo(0.79, 1);
  const alike = learnt(...Array.from({ length: 10 }, (): [number, number] => [30, 70]));
  expect(posterior(alike, 8, 2).mean).toBeLessThan(0.45);
});

test('the posterior is that of the exact integral over populations', () => {
  // Brute force over mean and 1 / (1 + strength), both uniform, for three domains.
  const domains: [number, number][] = [
    [7, 3],
    [18, 2],
    [5, 5],
  ];
  const rising = (x: number, n: number) => {
    let product = 1;
    for (let i = 0; i < n; i++) product *= x + i;
    return product;
  };
  let total = 0;
  let first = 0;
  let second = 0;
  const steps = 400;
  for (let i = 0; i < steps; i++)
    for (let j = 0; j < steps; j++) {
      const m = (i + 0.5) / steps;
      const strength = steps / (j + 0.5) - 1;
      const a = m * strength;
      const b = strength - a;
      let weight = 1;
      for (const [s, f] of domains) weight *= (rising(a, s) * rising(b, f)) / rising(strength, s + f);
      const p = (a + 5) / (strength + 10);
      total += weight;
      first += weight * p;
      second += weight * (p * p + (p * (1 - p)) / (strength + 11));
    }
  const mean = first / total;
  const { mean: ours, variance } = posterior(learnt(...domains), 5, 5);
  expect(ours).toBeCloseTo(mean, 1.7);
  expect(Math.sqrt(variance)).toBeCloseTo(Math.sqrt(second / total - mean * mean), 1.7);
});

test('what was learnt is the same after toJSON and restore, and nonsense is refused', () => {
  const populations = learnt([7, 3], [2, 8]);
  const saved = JSON.parse(JSON.stringify(populations));
  const again = new Populations(1, PRIOR);
  again.restore(saved);
  expect(posterior(again, 3, 1)).toEqual(posterior(populations, 3, 1));
  expect(() => new Populations(2, PRIOR).restore(saved)).toThrow(/populations\.outcomes/);
  expect(() => again.restore({ ...saved, means: saved.means.fill(2) })).toThrow(/populations\.means/);
});

test('moments become the Beta distribution that has them', () => {
  expect(betaOf({ mean: 0.75, variance: (0.75 * 0.25) / 9 })).toEqual([6, 2]);
});
