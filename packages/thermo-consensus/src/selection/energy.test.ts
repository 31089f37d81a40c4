import { expect, test } from 'vitest';
import { Consensus, type ConsensusOptions, schedules } from '../index';
import { normalTail } from '../learning/normal';

const terms = (consensus: Consensus, context: Parameters<Consensus['choose']>[0], model: string) =>
  consensus.choose(context).explanation.find((m) => m.model === model)!;

test('a price list charges tokens in, cached and out, and a volume discount from its border on', () => {
  const consensus = new Consensus({
    models: [
      { name: 'a', cost: { input: 2, output: 10, cachedInput: 0.5, tiers: [{ above: 1000, factor: 0.5 }] } },
      { name: 'b', cost: 5000 },
    ],
  });
  const tokens = { input: 100, cached: 40, output: 20 };
  const full = 60 * 2 + 40 * 0.5 + 20 * 10;
  expect(terms(consensus, { tokens }, 'a').cost).toBe(full);
  expect(terms(consensus, { tokens, costScale: 2 }, 'a').cost).toBe(2 * full);
  // 940 tokens billed: half of this request's 120 lie beyond the border.
  consensus.observe({ model: 'a', tokens: { input: 900, output: 40 } });
  expect(terms(consensus, { tokens }, 'a').cost).toBeCloseTo(full * 0.75, 12);
  consensus.observe({ model: 'a', tokens: { input: 500 } });
  expect(terms(consensus, { tokens }, 'a').cost).toBeCloseTo(full * 0.5, 12);
  consensus.resetBilling();
  expect(terms(consensus, { tokens }, 'a').cost).toBe(full);
  // Without tokens: those of energy.tokens, 500 in and 200 out.
  expect(terms(consensus, {}, 'a').cost).toBe(500 * 2 + 200 * 10);
});

test('a model whose context is too short is not chosen, or pays for what is over when the weight is finite', () => {
  const models = [
    { name: 'short', cost: 0, contextLength: 1000 },
    { name: 'long', cost: 1 },
  ];
  const strict = new Consensus({ models, selection: 'greedy' });
  expect(strict.choose({ tokens: { input: 900, output: 100 } }).model).toBe('short');
  const decision = strict.choose({ tokens: { input: 900, output: 600 } });
  expect(decision.model).toBe('long');
  expect(decision.energies.short).toBe(Number.POSITIVE_INFINITY);
  expect(strict.explain(decision)).toContain('context too short');
  const lenient = new Consensus({ models, energy: { context: 0.4 } });
  expect(terms(lenient, { tokens: { input: 1500, output: 0 } }, 'short').terms.context).toBeCloseTo(0.2, 14);
  const none = new Consensus({ models: [models[0]!] });
  expect(() => none.choose({ tokens: { input: 5000 } })).toThrow(expect.objectContaining({ field: 'tokens' }));
});

test('uncertainty that evidence removes and uncertainty that nothing removes are kept apart', () => {
  const consensus = new Consensus({ models: [{ name: 'a', cost: 0 }], energy: { uncertainty: 0.5, risk: 2 } });
  for (let i = 0; i < 1000; i++) consensus.observe({ model: 'a', success: i % 2 === 0 });
  const { uncertainty, terms: t } = terms(consensus, {}, 'a');
  expect(uncertainty.aleatoric).toBeCloseTo(0.5, 3);
  expect(uncertainty.epistemic).toBeCloseTo(0.5 / Math.sqrt(1003), 5);
  expect(t.uncertainty).toBe(-0.5 * uncertainty.epistemic);
  expect(t.risk).toBe(2 * uncertainty.aleatoric);
});

test('the nearer the deadline, the more a slow model pays; observed latencies replace stated ones', () => {
  const models = [
    { name: 'fast', cost: 1, latency: 1 },
    { name: 'slow', cost: 1, latency: 8 },
  ];
  const consensus = new Consensus({ models, energy: { deadline: 2 } });
  const late = (deadline: number, model: string) => terms(consensus, { deadline }, model).terms.deadline;
  // One stated latency: the logarithm is off by sqrt(0.25 * 2 / 0.5) = 1 deviations of 1 around it.
  expect(late(8, 'slow')).toBeCloseTo(2 * 0.5, 12);
  expect(late(1000, 'slow')).toBeLessThan(1e-4);
  expect(late(2, 'slow')).toBeGreaterThan(late(2, 'fast'));
  expect(late(0, 'fast')).toBe(2);
  expect(terms(consensus, {}, 'slow').terms.deadline).toBe(0);
  for (let i = 0; i < 200; i++) consensus.observe({ model: 'slow', latency: i % 2 ? 1.9 : 2.1 });
  expect(late(4, 'slow')).toBeLessThan(0.01);
});

test('a latency that is only observed counts too', () => {
  const consensus = new Consensus({ models: [{ name: 'a', cost: 0 }], energy: { latency: 1 } });
  expect(terms(consensus, { deadline: 1 }, 'a').terms.deadline).toBe(0);
  for (let i = 0; i < 50; i++) consensus.observe({ model: 'a', latency: 3 });
  expect(terms(consensus, { deadline: 1 }, 'a').terms.deadline).toBeGreaterThan(0.9);
  expect(terms(consensus, {}, 'a').terms.latency).toBeCloseTo(3, 10);
  expect(normalTail(0)).toBe(0.5);
});

test('weights learn from utility: where cost is what hurts, its weight grows', () => {
  const run = (hurt: number) => {
    const options: ConsensusOptions = {
      models: [
        { name: 'cheap', cost: 0.1 },
        { name: 'dear', cost: 1 },
      ],
      schedule: schedules.constant(0.3),
      energy: { cost: 0.5, quality: 1 },
      learning: { weights: { rate: 0.05 } },
      seed: 3,
    };
    const consensus = new Consensus(options);
    for (let i = 0; i < 3000; i++) {
      const decision = consensus.choose();
      const dear = decision.model === 'dear';
      const success = (i * 7919) % 100 < (dear ? 90 : 60);
      consensus.observe({ decision, success, utility: Number(success) - hurt * (dear ? 1 : 0.1) });
    }
    return consensus.weights;
  };
  const cheapWorld = run(0);
  const dearWorld = run(2);
  expect(dearWorld.cost).toBeGreaterThan(0.5);
  expect(cheapWorld.cost).toBeLessThan(0.5);
  expect(dearWorld.cost).toBeGreaterThan(2 * cheapWorld.cost);
  for (const w of [cheapWorld, dearWorld]) {
    expect(w.cost).toBeGreaterThan(0);
    expect(w.latency).toBe(0); // weights of 0 stay
  }
});

test('entropy is produced when the distribution changes, and never when it stays', () => {
  const models = [
    { name: 'a', cost: 1 },
    { name: 'b', cost: 2 },
    { name: 'c', cost: 3 },
  ];
  const still = new Consensus({ models, schedule: schedules.constant(1) });
  for (let i = 0; i < 5; i++) expect(still.choose().entropyProduction).toBeCloseTo(0, 14);
  const cooling = new Consensus({ models, schedule: (step) => 1 / (1 + step) });
  const first = cooling.choose();
  const second = cooling.choose();
  const expected = models.reduce((sum, { name }) => {
    const p = first.probabilities[name]!;
    return sum + p * Math.log(p / second.probabilities[name]!);
  }, 0);
  expect(second.entropyProduction).toBeCloseTo(expected, 12);
  expect(cooling.entropyProduction).toBeCloseTo(expected, 12);
  // An excluded model is no channel: the rest of the old distribution, made whole, relaxes to the new one.
  const third = cooling.choose({ exclude: ['c'] });
  expect(third.entropyProduction).toBeGreaterThanOrEqual(0);
  expect(third.entropyProduction).toBeLessThan(10);
});

test('a changed model is noticed, its past forgotten, and it is dropped', () => {
  const consensus = new Consensus({
    models: [
      { name: 'first', cost: 1 },
      { name: 'second', cost: 1 },
    ],
    learning: { changeDetection: true, pooling: 0 },
    selection: 'greedy',
  });
  for (let i = 0; i < 1000; i++) {
    consensus.observe({ model: 'first', domain: 'x', success: i % 10 > 0 });
    consensus.observe({ model: 'second', domain: 'x', success: i % 10 > 2 });
  }
  expect(consensus.choose({ domain: 'x' }).model).toBe('first');
  let delay = 0;
  while (consensus.choose({ domain: 'x' }).model === 'first') {
    consensus.observe({ model: 'first', domain: 'x', success: delay % 10 > 6 });
    delay++;
  }
  expect(delay).toBeLessThanOrEqual(50);
  expect(consensus.posterior('first', 'x').mean).toBeLessThan(0.6);
});

test('an ensemble is asked when together its members are worth more than they cost', () => {
  const models = ['a', 'b', 'c', 'dear'].map((name) => ({ name, cost: name === 'dear' ? 1 : 0.02 }));
  const consensus = new Consensus({ models, energy: { cost: 0.3 } });
  for (const { name } of models)
    for (let i = 0; i < 500; i++) consensus.observe({ model: name, success: i % 100 < (name === 'dear' ? 88 : 80) });
  const before = consensus.step;
  const ensemble = consensus.chooseEnsemble({}, { maxModels: 3 });
  expect(ensemble.models).toEqual(['a', 'b', 'c']);
  expect(ensemble.quality).toBeGreaterThan(0.88);
  expect(consensus.chooseEnsemble({ exclude: ['b'] }).models).not.toContain('b');
  expect(consensus.step).toBe(before);
});

test('top-two tries the second best far more than Thompson once the best is known', () => {
  const count = (selection: 'thompson' | 'top-two') => {
    const consensus = new Consensus({
      models: [
        { name: 'best', cost: 0 },
        { name: 'next', cost: 0 },
        { name: 'worst', cost: 0 },
      ],
      selection,
      learning: { pooling: 0 },
    });
    const rate = { best: 0.9, next: 0.8, worst: 0.1 };
    let next = 0;
    for (let i = 0; i < 600; i++) {
      const decision = consensus.choose();
      if (i >= 300 && decision.model === 'next') next++;
      consensus.observe({ decision, success: (i * 7919) % 100 < 100 * rate[decision.model as 'best'] });
    }
    return next;
  };
  expect(count('top-two')).toBeGreaterThan(2 * count('thompson'));
});

test('outcomes that say nothing or cannot be are refused, and teach nothing', () => {
  const consensus = new Consensus({ models: [{ name: 'a', cost: 1 }] });
  const decision = consensus.choose();
  for (const [outcome, field] of [
    [{ model: 'a' }, 'success'],
    [{ model: 'a', success: true, latency: 0 }, 'latency'],
    [{ model: 'a', success: true, latency: Number.NaN }, 'latency'],
    [{ model: 'a', success: true, tokens: { input: -1 } }, 'tokens.input'],
    [{ model: 'a', success: true, utility: 1 }, 'decision'],
    [{ decision, success: true, utility: Number.POSITIVE_INFINITY }, 'utility'],
  ] as const)
    expect(() => consensus.observe(outcome)).toThrow(expect.objectContaining({ code: 'X_INVALID_ARGUMENT', field }));
  expect(consensus.posterior('a').mean).toBe(0.5);
  for (const cost of [
    { input: -1, output: 0 },
    { input: 1 },
    { input: 1, output: 1, tiers: [{ above: 1, factor: -1 }] },
  ])
    expect(() => new Consensus({ models: [{ name: 'a', cost: cost as never }] })).toThrow(
      expect.objectContaining({ code: 'X_INVALID_ARGUMENT' }),
    );
});
