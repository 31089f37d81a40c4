import { InvalidArgumentError } from '@x/cuda-core';
import { describe, expect, it } from 'vitest';
import { type ChooseContext, Consensus, type ConsensusOptions, type Outcome, schedules } from '../index';

const POOL = [
  { name: 'small', cost: 1 },
  { name: 'medium', cost: 4 },
  { name: 'large', cost: 10 },
];
const make = (options: Partial<ConsensusOptions> = {}) => new Consensus({ models: POOL, ...options });

/** A reproducible stream of numbers in [0, 1), independent of what is tested. */
function uniform(seed: number): () => number {
  let s = seed >>> 0;
  return () => {
    s = (Math.imul(s, 1664525) + 1013904223) >>> 0;
    return s / 2 ** 32;
  };
}

/** Plays a bandit: `success(model, step)` is the chance of success. Returns the models chosen. */
function play(consensus: Consensus, steps: number, success: (model: string, step: number) => number, world = 1) {
  const next = uniform(world);
  const chosen: string[] = [];
  for (let step = 0; step < steps; step++) {
    const decision = consensus.choose();
    chosen.push(decision.model);
    consensus.observe({ decision, success: next() < success(decision.model, step) });
  }
  return chosen;
}
const share = (chosen: string[], model: string) => chosen.filter((m) => m === model).length / chosen.length;

describe('the energy and its distribution', () => {
  it('probabilities equal exp(-E / T) / Z of the energies, and the readings agree with them', () => {
    const consensus = make({ schedule: schedules.constant(0.3) });
    for (let i = 0; i < 10; i++) consensus.observe({ model: 'medium', success: i < 8 });
    const d = consensus.choose();
    const weights = POOL.map((m) => Math.exp(-d.energies[m.name]! / 0.3));
    const z = weights.reduce((a, b) => a + b);
    let mean = 0;
    let entropy = 0;
    POOL.forEach((m, i) => {
      const p = d.probabilities[m.name]!;
      expect(p).toBeCloseTo(weights[i]! / z, 13);
      mean += p * d.energies[m.name]!;
      entropy -= p * Math.log(p);
    });
    expect(d.temperature).toBe(0.3);
    expect(d.logPartition).toBeCloseTo(Math.log(z), 13);
    expect(d.freeEnergy).toBeCloseTo(-0.3 * Math.log(z), 13);
    expect(d.meanEnergy).toBeCloseTo(mean, 13);
    expect(d.entropy).toBeCloseTo(entropy, 13);
    expect(d.freeEnergy).toBeCloseTo(mean - 0.3 * entropy, 13);
  });

  it('the energy is the documented sum, and every term is in the explanation', () => {
    const consensus = new Consensus({
      models: [
        { name: 'a', cost: 2, latency: 5 },
        { name: 'b', cost: 8, latency: 10 },
      ],
      energy: { cost: 0.5, quality: 2, uncertainty: 0.25, latency: 0.1 },
    });
    consensus.observe({ model: 'a', domain: 'x', success: true });
    const d = consensus.choose({ domain: 'x', costScale: 3 });
    const [a, b] = d.explanation;
    const deviation = Math.sqrt((2 * 1) / (9 * 4)); // Beta(2, 1)
    expect(a).toMatchObject({ model: 'a', excluded: false, cost: 6, quality: 2 / 3 });
    expect(a!.posterior).toMatchObject({ alpha: 2, beta: 1 });
    expect(a!.evidence.own).toEqual({ successes: 1, failures: 0 });
    expect(a!.terms.cost).toBeCloseTo(0.5 * (6 / 8), 14);
    expect(a!.terms.quality).toBeCloseTo((-2 * 2) / 3, 14);
    expect(a!.terms.uncertainty).toBeCloseTo(-0.25 * deviation, 14);
    expect(a!.terms.latency).toBeCloseTo(0.1 * 0.5, 14);
    for (const m of [a!, b!]) {
      const { cost, quality, uncertainty, latency } = m.terms;
      expect(m.energy).toBeCloseTo(cost + quality + uncertainty + latency, 14);
      expect(m.energy).toBe(d.energies[m.model]);
      expect(m.probability).toBe(d.probabilities[m.model]);
    }
    const text = consensus.explain(d);
    expect(text).toContain(`Choice 0 for domain "x": ${d.model}`);
    for (const word of ['energy', 'cost', 'quality', 'uncertainty', 'latency', 'posterior'])
      expect(text).toContain(word);
    expect(JSON.parse(JSON.stringify(d)).explanation[0].terms.latency).toBeCloseTo(0.05, 14);
  });

  it('draws follow the probabilities', () => {
    const consensus = make({ schedule: schedules.constant(0.5), seed: 77 });
    const n = 20_000;
    const counts: Record<string, number> = {};
    for (let i = 0; i < n; i++) {
      const { model } = consensus.choose();
      counts[model] = (counts[model] ?? 0) + 1;
    }
    const { probabilities } = consensus.choose();
    let chiSquare = 0;
    for (const { name } of POOL)
      chiSquare += (counts[name]! - n * probabilities[name]!) ** 2 / (n * probabilities[name]!);
    expect(chiSquare).toBeLessThan(18.4); // 2 degrees of freedom, probability 1e-4 of more
  });

  it('temperature 0 takes the lowest energy, breaks ties evenly, and infinite temperature is uniform', () => {
    const tied = new Consensus({
      models: ['a', 'b', 'c'].map((name) => ({ name, cost: name === 'c' ? 2 : 1 })),
      schedule: schedules.constant(0),
    });
    const chosen = Array.from({ length: 400 }, () => tied.choose().model);
    expect(share(chosen, 'c')).toBe(0);
    expect(share(chosen, 'a')).toBeGreaterThan(0.4);
    expect(share(chosen, 'b')).toBeGreaterThan(0.4);
    const hot = make({ schedule: () => Number.POSITIVE_INFINITY }).choose();
    expect(hot.probabilities.small).toBeCloseTo(1 / 3, 14);
    expect(hot.freeEnergy).toBe(Number.NEGATIVE_INFINITY);
  });

  it('excluded models have infinite energy and are never chosen', () => {
    const consensus = make({ schedule: schedules.constant(5) });
    for (let i = 0; i < 50; i++) {
      const d = consensus.choose({ exclude: ['small', 'large'] });
      expect(d.model).toBe('medium');
      expect(d.probabilities.small).toBe(0);
      expect(d.energies.large).toBe(Number.POSITIVE_INFINITY);
    }
    expect(consensus.explain(consensus.choose({ exclude: ['small'] }))).toContain('excluded');
  });

  it('costScale by model moves only that model', () => {
    const d = make().choose({ costScale: { large: 0.1 } });
    expect(d.explanation.map((m) => m.cost)).toEqual([1, 4, 1]);
  });

  it('an adaptive schedule brings the acceptance to its target', () => {
    const consensus = make({ schedule: schedules.adaptive({ start: 10 }) });
    let last = consensus.choose();
    for (let i = 0; i < 1500; i++) last = consensus.choose();
    expect(1 - Math.max(...Object.values(last.probabilities))).toBeCloseTo(0.234, 3);
  });

  it('a model may have any name', () => {
    const consensus = new Consensus({ models: [{ name: '__proto__', cost: 1 }] });
    consensus.observe({ decision: consensus.choose({ domain: '__proto__' }), success: true });
    const d = consensus.choose({ domain: '__proto__', quality: JSON.parse('{"__proto__": 0.5}') });
    expect(Object.entries(d.probabilities)).toEqual([['__proto__', 1]]);
    expect(consensus.posterior('__proto__', '__proto__').alpha).toBe(2);
  });
});

describe('learning', () => {
  const truth: Record<string, number> = { small: 0.4, medium: 0.85, large: 0.9 };

  it.each(['boltzmann', 'thompson'] as const)('%s converges to the model of best quality less cost', (selection) => {
    // Energy: small 0.1 - 0.4, medium 0.2 - 0.85, large 0.5 - 0.9 (weights halve the cost): medium is best.
    for (const seed of [1, 2, 3]) {
      const consensus = make({ selection, seed, energy: { cost: 0.5 } });
      const chosen = play(consensus, 1500, (m) => truth[m]!, seed + 10);
      expect(share(chosen.slice(-500), 'medium')).toBeGreaterThan(0.8);
    }
  });

  it.each(['boltzmann', 'thompson'] as const)("%s has less than a third of random choice's regret", (selection) => {
    const value = (m: string) => truth[m]! - 0.5 * (POOL.find((p) => p.name === m)!.cost / 10);
    const best = Math.max(...POOL.map((p) => value(p.name)));
    const regret = (chosen: string[]) => chosen.reduce((sum, m) => sum + best - value(m), 0);
    let own = 0;
    let random = 0;
    for (const seed of [5, 6, 7, 8]) {
      own += regret(play(make({ selection, seed, energy: { cost: 0.5 } }), 1000, (m) => truth[m]!, seed));
      random += regret(
        play(make({ seed, schedule: schedules.constant(Number.POSITIVE_INFINITY) }), 1000, (m) => truth[m]!),
      );
    }
    expect(own).toBeLessThan(random / 3);
  });

  it('with forgetting it follows a switch, faster than without', () => {
    const models = [
      { name: 'a', cost: 1 },
      { name: 'b', cost: 1 },
    ];
    const success = (m: string, step: number) => (step < 600 === (m === 'a') ? 0.9 : 0.2);
    const late = (forgetting: number) => {
      const consensus = new Consensus({ models, selection: 'thompson', seed: 2, learning: { forgetting } });
      return share(play(consensus, 900, success).slice(650), 'b');
    };
    expect(late(0.97)).toBeGreaterThan(0.85);
    expect(late(0.97)).toBeGreaterThan(late(1) + 0.1);
  });

  it('keeps domains apart: each gets its own best model', () => {
    const consensus = make({ selection: 'thompson', energy: { cost: 0.3 }, seed: 4 });
    const next = uniform(9);
    const chosen: Record<string, string[]> = { easy: [], hard: [] };
    for (let i = 0; i < 1200; i++) {
      const domain = i % 2 ? 'easy' : 'hard';
      const decision = consensus.choose({ domain });
      const p = decision.model === 'large' ? 0.9 : domain === 'easy' ? 0.9 : 0.2;
      consensus.observe({ decision, success: next() < p });
      chosen[domain]!.push(decision.model);
    }
    expect(share(chosen.easy!.slice(-200), 'large')).toBeLessThan(0.2);
    expect(share(chosen.hard!.slice(-200), 'large')).toBeGreaterThan(0.9);
  });

  it('an unseen domain starts from the other domains, with limited weight', () => {
    const consensus = make({ learning: { pooling: 4 } });
    expect(consensus.posterior('small', 'new')).toMatchObject({ alpha: 1, beta: 1, mean: 0.5 });
    for (let i = 0; i < 100; i++)
      consensus.observe({ model: 'small', domain: i % 2 ? 'x' : 'y', success: i % 4 !== 0 });
    const p = consensus.posterior('small', 'new');
    expect(p.alpha + p.beta).toBeCloseTo(2 + 4, 12);
    expect(p.mean).toBeCloseTo((1 + 4 * 0.75) / 6, 12);
    // A domain does not lend to itself: x has 50 successes of 50, y 25 of 50.
    expect(consensus.posterior('small', 'x').alpha).toBeCloseTo(1 + 50 + 4 * 0.5, 12);
    expect(make({ learning: { pooling: false } }).posterior('small', 'new').alpha).toBe(1);
    const apart = make({ learning: { pooling: 0 } });
    apart.observe({ model: 'small', domain: 'x', success: true });
    expect(apart.posterior('small', 'new')).toMatchObject({ alpha: 1, beta: 1 });
  });

  it('counts outcomes in parts, and forgets towards the prior', () => {
    const consensus = make({ learning: { prior: { alpha: 2, beta: 3 }, forgetting: 0.5 } });
    consensus.observe({ model: 'small', domain: 1, success: true });
    consensus.observe({ model: 'large', domain: '1', success: 0.25 });
    expect(consensus.posterior('small', 1)).toMatchObject({ alpha: 2.5, beta: 3 });
    expect(consensus.posterior('large', 1)).toMatchObject({ alpha: 2.25, beta: 3.75 });
  });

  it('a posterior gives its credible interval', () => {
    const consensus = make();
    for (let i = 0; i < 3; i++) consensus.observe({ model: 'small', success: true });
    const p = consensus.posterior('small'); // Beta(4, 1): F = x^4
    expect(p.interval(0.9)[0]).toBeCloseTo(0.05 ** 0.25, 13);
    expect(p.interval(0.9)[1]).toBeCloseTo(0.95 ** 0.25, 13);
    expect(p.interval()[0]).toBeCloseTo(0.025 ** 0.25, 13);
    expect(() => p.interval(1)).toThrow(InvalidArgumentError);
  });

  it('credible intervals hold the truth as often as they say', () => {
    const next = uniform(31);
    let inside = 0;
    const runs = 1000;
    for (let r = 0; r < runs; r++) {
      const consensus = new Consensus({ models: [{ name: 'm', cost: 1 }] });
      const p = next(); // from the prior
      for (let i = 0; i < 20; i++) consensus.observe({ model: 'm', success: next() < p });
      const [lower, upper] = consensus.posterior('m').interval(0.8);
      if (lower <= p && p <= upper) inside++;
    }
    expect(Math.abs(inside / runs - 0.8)).toBeLessThan(0.04); // more than three standard errors
  });
});

describe('estimates from outside', () => {
  it('count as pseudo-outcomes of their own strength', () => {
    const d = make({ learning: { external: { strength: 6, limit: 30 } } }).choose({
      quality: { small: 0.5, medium: { mean: 0.6, uncertainty: 0.2 }, large: { mean: 0.9, uncertainty: 0.01 } },
    });
    const [small, medium, large] = d.explanation.map((m) => m.evidence.external);
    expect(small).toEqual({ successes: 3, failures: 3 });
    // 0.24 / 0.04 - 1 = 5 outcomes
    expect(medium!.successes).toBeCloseTo(3, 12);
    expect(medium!.failures).toBeCloseTo(2, 12);
    expect(large!.successes + large!.failures).toBeCloseTo(30, 12);
  });

  it('an estimate that knows nothing adds nothing, one that is certain counts at the limit', () => {
    const d = make().choose({
      quality: {
        small: { mean: 0.7, uncertainty: 0.6 },
        medium: { mean: 1, uncertainty: 0 },
        large: { mean: 1, uncertainty: 0.1 },
      },
    });
    const [small, medium, large] = d.explanation.map((m) => m.evidence.external);
    expect(small).toEqual({ successes: 0, failures: 0 });
    expect(medium).toEqual({ successes: 50, failures: 0 });
    expect(large!.successes).toBeCloseTo(8, 9); // 0.09 / 0.01 - 1
  });

  it('are not remembered', () => {
    const consensus = make();
    consensus.choose({ quality: { small: 1 } });
    expect(consensus.choose().explanation[0]!.posterior).toMatchObject({ alpha: 1, beta: 1 });
  });
});

describe('determinism', () => {
  it.each(['boltzmann', 'thompson', 'greedy'] as const)(
    '%s: the same seed and calls give the same choices',
    (selection) => {
      const run = (seed: number) => play(make({ selection, seed }), 200, (m) => (m === 'small' ? 0.5 : 0.6));
      expect(run(3)).toEqual(run(3));
      if (selection !== 'greedy') expect(run(3)).not.toEqual(run(4));
    },
  );
});

describe('bad input', () => {
  const nan = Number.NaN;
  it.each<[string, Partial<ConsensusOptions>]>([
    ['models', { models: [] }],
    ['models', { models: 'small' as never }],
    ['models[0]', { models: [null as never] }],
    ['models[0].name', { models: [{ name: '', cost: 1 }] }],
    ['models[1].name', { models: [POOL[0]!, { name: 'small', cost: 2 }] }],
    ['models[0].cost', { models: [{ name: 'a', cost: -1 }] }],
    ['models[0].cost', { models: [{ name: 'a', cost: nan }] }],
    ['models[0].cost', { models: [{ name: 'a' } as never] }],
    ['models[0].latency', { models: [{ name: 'a', cost: 1, latency: Number.POSITIVE_INFINITY }] }],
    ['energy.quality', { energy: { quality: -1 } }],
    ['energy.uncertainty', { energy: { uncertainty: nan } }],
    ['energy.costNormaliser', { energy: { costNormaliser: 0 } }],
    ['learning.prior.alpha', { learning: { prior: { alpha: 0, beta: 1 } } }],
    ['learning.forgetting', { learning: { forgetting: 0 } }],
    ['learning.forgetting', { learning: { forgetting: 1.1 } }],
    ['learning.pooling', { learning: { pooling: -1 } }],
    ['learning.external.limit', { learning: { external: { limit: nan } } }],
    ['selection', { selection: 'best' as never }],
    ['schedule', { schedule: 0.5 as never }],
    ['seed', { seed: -1 }],
    ['seed', { seed: 0.5 }],
    ['device', { device: 'tpu' as never }],
  ])('the constructor refuses a wrong %s', (field, options) => {
    expect(() => make(options)).toThrow(InvalidArgumentError);
    expect(() => make(options)).toThrow(expect.objectContaining({ field }));
  });

  it.each<[string, ChooseContext]>([
    ['context', null as never],
    ['domain', { domain: '' }],
    ['domain', { domain: nan }],
    ['quality', { quality: { unknown: 0.5 } }],
    ['quality', { quality: { small: 'good' as never } }],
    ['quality.small', { quality: { small: nan } }],
    ['quality.small', { quality: { small: 1.01 } }],
    ['quality.small.mean', { quality: { small: { mean: -0.1, uncertainty: 0.1 } } }],
    ['quality.small.uncertainty', { quality: { small: { mean: 0.1, uncertainty: nan } } }],
    ['quality.small.uncertainty', { quality: { small: { mean: 0.1 } as never } }],
    ['exclude', { exclude: ['unknown'] }],
    ['exclude', { exclude: ['small', 'medium', 'large'] }],
    ['exclude', { exclude: 'small' as never }],
    ['costScale', { costScale: -1 }],
    ['costScale.small', { costScale: { small: nan } }],
    ['costScale', { costScale: { unknown: 1 } }],
    ['energy', { costScale: 1e305 }],
  ])('choose refuses a wrong %s, and goes on as if it had not been called', (field, context) => {
    const consensus = make({ seed: 8 });
    expect(() => consensus.choose(context)).toThrow(InvalidArgumentError);
    expect(() => consensus.choose(context)).toThrow(expect.objectContaining({ field }));
    expect(consensus.step).toBe(0);
    expect(consensus.choose().toJSON()).toEqual(make({ seed: 8 }).choose().toJSON());
  });

  it.each<[string, Outcome]>([
    ['model', { model: 'unknown', success: true }],
    ['model', { success: true }],
    ['decision', { decision: 5 as never, success: true }],
    ['model', { decision: {} as never, success: true }],
    ['success', { model: 'small', success: 1.5 }],
    ['success', { model: 'small', success: nan }],
    ['success', { model: 'small', success: 'yes' as never }],
    ['success', { model: 'small' } as never],
    ['outcome', undefined as never],
  ])('observe refuses a wrong %s and learns nothing', (field, outcome) => {
    const consensus = make();
    expect(() => consensus.observe(outcome)).toThrow(InvalidArgumentError);
    expect(() => consensus.observe(outcome)).toThrow(expect.objectContaining({ field }));
    expect(consensus.posterior('small')).toMatchObject({ alpha: 1, beta: 1 });
  });

  it('a user-defined schedule must give a temperature', () => {
    for (const bad of [-1, nan, 'warm' as never]) {
      const consensus = make({ schedule: () => bad });
      expect(() => consensus.choose()).toThrow(
        expect.objectContaining({ code: 'X_INVALID_ARGUMENT', field: 'schedule' }),
      );
    }
  });

  it('posterior and explain refuse what they do not know', () => {
    expect(() => make().posterior('unknown')).toThrow(InvalidArgumentError);
    expect(() => make().explain({} as never)).toThrow(InvalidArgumentError);
  });
});
