import { expect, test } from 'vitest';
import { bestSubset, Ensemble, majorityQuality } from './ensemble';

const candidate = (model: string, quality: number, cost: number) => ({ model, quality, cost });

test('three equal voters are right as the binomial says, and a second voter alone adds nothing', () => {
  for (const p of [0.6, 0.75, 0.9]) {
    expect(majorityQuality([p, p, p])).toBeCloseTo(p ** 3 + 3 * p ** 2 * (1 - p), 12);
    expect(majorityQuality([p, p])).toBeCloseTo(p, 12);
  }
});

test('a voter far better than the rest decides alone, and one worse than a coin weighs nothing', () => {
  expect(majorityQuality([0.99, 0.6, 0.6])).toBeCloseTo(0.99, 12);
  expect(majorityQuality([0.8, 0.3])).toBeCloseTo(0.8, 12);
  expect(majorityQuality([0.3, 0.2])).toBeCloseTo(0.25, 12);
});

test('three cheap models are asked in place of one dear one when that is better, and not when it is not', () => {
  const cheap = ['a', 'b', 'c'].map((m) => candidate(m, 0.8, 0.01));
  const dear = candidate('dear', 0.88, 0.3);
  expect(bestSubset([...cheap, dear], 3, 1).map((c) => c.model)).toEqual(['a', 'b', 'c']);
  expect(bestSubset([...cheap, { ...dear, quality: 0.99, cost: 0.05 }], 3, 1).map((c) => c.model)).toEqual(['dear']);
  expect(bestSubset([...cheap, dear], 1, 1).map((c) => c.model)).toEqual(['a']);
});

test('growing a set among many candidates finds what trying all sets finds', () => {
  const few = Array.from({ length: 12 }, (_, i) => candidate(`m${i}`, 0.55 + 0.03 * ((i * 7) % 12), 0.004 * i));
  const exact = bestSubset(few, 5, 1);
  const energy = (set: typeof few) => set.reduce((s, c) => s + c.cost, 0) - majorityQuality(set.map((c) => c.quality));
  const grown = bestSubset([...few, candidate('useless', 0.1, 1)], 5, 1);
  expect(energy(grown)).toBeLessThan(energy(exact) + 0.005);
});

test('votes are weighed by log-odds: one good model against two poor ones', () => {
  const ensemble = new Ensemble([candidate('good', 0.95, 0), candidate('p', 0.6, 0), candidate('q', 0.6, 0)]);
  const { answer, confidence, tally } = ensemble.vote({ good: '42', p: '41', q: '41' });
  expect(answer).toBe('42');
  expect(tally.map((t) => t.models)).toEqual([['good'], ['p', 'q']]);
  // 19 (K - 1) against (1.5 (K - 1))^2 with K = 3, and 1 for the answer that nobody gave.
  expect(confidence).toBeCloseTo(38 / (38 + 9 + 1), 12);
  expect(ensemble.vote({ good: '42', p: '42', q: '42' }).confidence).toBeGreaterThan(0.95);
});

test('probabilities of the answers are calibrated when the assumptions hold', () => {
  // 4 possible answers, three models, exact enumeration of who is right and which wrong answer the others give.
  const qualities = [0.7, 0.55, 0.4];
  const names = ['a', 'b', 'c'];
  const ensemble = new Ensemble(names.map((m, i) => candidate(m, qualities[i]!, 0)));
  let expected = 0;
  let right = 0;
  for (let code = 0; code < 64; code++) {
    const given = names.map((_, i) => (code >> (2 * i)) & 3); // answer 0 is right
    const probability = given.reduce((p, g, i) => p * (g === 0 ? qualities[i]! : (1 - qualities[i]!) / 3), 1);
    const { answer, confidence } = ensemble.vote(Object.fromEntries(names.map((m, i) => [m, String(given[i])])), {
      alternatives: 4,
    });
    expected += probability * confidence;
    right += probability * (answer === '0' ? 1 : 0);
  }
  expect(expected).toBeCloseTo(right, 10);
});

test('votes of strangers, and no votes, are refused', () => {
  const ensemble = new Ensemble([candidate('a', 0.7, 0)]);
  expect(() => ensemble.vote({})).toThrow(expect.objectContaining({ code: 'X_INVALID_ARGUMENT', field: 'answers' }));
  expect(() => ensemble.vote({ b: 'x' })).toThrow('"b" is no member');
});
