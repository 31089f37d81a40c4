import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InvalidArgumentError, InvalidFormatError, NotFoundError, UnsupportedError } from '@x/cuda-core';
import { describe, expect, it } from 'vitest';
import { normalCdf, Probit } from './quality';
import { QueryRouter } from './router';

const MODELS = [
  { name: 'figures', cost: 1 },
  { name: 'letters', cost: 1 },
  { name: 'large', cost: 10 },
];

function generator(seed: number) {
  let s = seed >>> 0;
  return () => {
    s = (Math.imul(s, 1664525) + 1013904223) >>> 0;
    return s / 4294967296;
  };
}

/** Sums and reversals, in two wordings each; what a model can do depends on the kind and, for sums, on the size. */
function question(random: () => number): { text: string; kind: 'sum' | 'reverse'; digits: number } {
  const digits = 1 + Math.floor(random() * 4);
  const number = () => String(Math.floor(10 ** (digits - 1) * (1 + 9 * random())));
  const word = () => Array.from({ length: 5 }, () => String.fromCharCode(97 + Math.floor(26 * random()))).join('');
  if (random() < 0.5) {
    const text = random() < 0.5 ? `What is ${number()} + ${number()}?` : `Add ${number()} to ${number()}.`;
    return { text, kind: 'sum', digits };
  }
  return {
    text: random() < 0.5 ? `Reverse the word "${word()}".` : `Spell ${word()} backwards.`,
    kind: 'reverse',
    digits,
  };
}
function quality(model: string, q: ReturnType<typeof question>): number {
  if (model === 'large') return q.kind === 'sum' && q.digits === 4 ? 0 : 1;
  return (model === 'figures') === (q.kind === 'sum') ? 1 : 0;
}

function train(router: QueryRouter, count: number, seed = 1): number[] {
  const random = generator(seed);
  const outcomes: number[] = [];
  for (let i = 0; i < count; i++) {
    const q = question(random);
    const decision = router.route(q.text);
    // Cost-aware, with some of the uncertainty as optimism.
    const best = decision.models
      .map((m) => ({ m, value: m.quality + 0.3 * m.uncertainty - 0.015 * m.cost }))
      .reduce((a, b) => (b.value > a.value ? b : a)).m;
    outcomes.push(quality(best.model, q));
    router.observe({ decision, model: best.model, quality: outcomes.at(-1)! });
  }
  return outcomes;
}
const mean = (v: readonly number[]) => v.reduce((a, b) => a + b, 0) / v.length;

describe('QueryRouter', () => {
  it('learns from the chosen model alone to send each kind of question to who can answer it', () => {
    const router = new QueryRouter({ models: MODELS });
    const outcomes = train(router, 400);
    expect(mean(outcomes.slice(200))).toBeGreaterThan(0.95);
    const q = (text: string) => router.route(text).models;
    expect(q('What is 12 + 45?')[0]!.quality).toBeGreaterThan(0.8);
    expect(Math.max(...q('Reverse the word "apple".').map((m) => m.quality))).toBeGreaterThan(0.8);
    expect(q('What is 5512 + 4585?')[2]!.quality).toBeLessThan(q('Reverse the word "apple".')[2]!.quality);
  });

  it('leaves what it expects of the other models unchanged by one model outcome', () => {
    const router = new QueryRouter({ models: MODELS });
    const before = router.route('What is 1 + 2?').models;
    router.observe({ query: 'Spell abc backwards.', model: 'figures', quality: 0 });
    const after = router.route('What is 1 + 2?').models;
    expect(after[0]!.quality).toBeLessThan(before[0]!.quality);
    expect(after.slice(1)).toEqual(before.slice(1));
  });

  it('grows surer with evidence, and its expectations are calibrated', () => {
    const router = new QueryRouter({ models: [{ name: 'one', cost: 1 }] });
    const random = generator(5);
    const first = router.route('What is 10 + 20?').models[0]!;
    let off = 0;
    for (let i = 0; i < 600; i++) {
      const q = question(random);
      const decision = router.route(q.text);
      const outcome = random() < (q.kind === 'sum' ? 0.3 : 0.8) ? 1 : 0;
      if (i >= 200) off += Math.abs(decision.models[0]!.quality - (q.kind === 'sum' ? 0.3 : 0.8)) / 400;
      router.observe({ decision, model: 'one', quality: outcome });
    }
    expect(off).toBeLessThan(0.12);
    expect(router.route('What is 10 + 20?').models[0]!.uncertainty).toBeLessThan(first.uncertainty / 2);
  });

  it('tells domains apart that it was never told of', () => {
    const router = new QueryRouter({ models: MODELS });
    train(router, 300);
    const sum = router.route('What is 77 + 8?');
    const reverse = router.route('Reverse the word "melon".');
    expect(sum.domain).toBeGreaterThanOrEqual(0);
    expect(reverse.domain).toBeGreaterThanOrEqual(0);
    expect(sum.domain).not.toBe(reverse.domain);
    expect(router.route('What is 5 + 900?').domain).toBe(sum.domain);
    expect(sum.explanation).toContain(sum.domainLabel!);
  });

  it('finds large numbers harder once they have proved so', () => {
    const router = new QueryRouter({ models: [{ name: 'one', cost: 1 }] });
    const random = generator(9);
    for (let i = 0; i < 400; i++) {
      const q = question(random);
      if (q.kind === 'sum') router.observe({ query: q.text, model: 'one', quality: q.digits <= 2 ? 1 : 0 });
    }
    expect(router.route('What is 4711 + 8005?').difficulty).toBeGreaterThan(0.6);
    expect(router.route('What is 4 + 8?').difficulty).toBeLessThan(0.4);
  });

  it('follows a model whose quality changes, when it may forget', () => {
    const after = (forgetting: number) => {
      const router = new QueryRouter({ models: [{ name: 'one', cost: 1 }], forgetting, drift: false });
      const random = generator(3);
      for (let i = 0; i < 400; i++)
        router.observe({ query: question(random).text, model: 'one', quality: i < 300 ? 1 : 0 });
      return router.route('What is 10 + 20?').models[0]!.quality;
    };
    expect(after(0.98)).toBeLessThan(0.2);
    expect(after(0.98)).toBeLessThan(after(1));
  });

  it('uses an embedding where the text says nothing', () => {
    const router = new QueryRouter({ models: [{ name: 'one', cost: 1 }] });
    const vector = (sign: number) => Float32Array.from({ length: 50 }, (_, i) => sign * Math.cos(i));
    for (let i = 0; i < 60; i++) {
      const sign = i % 2 ? 1 : -1;
      router.observe({ query: { text: 'same', embedding: vector(sign) }, model: 'one', quality: sign > 0 ? 1 : 0 });
    }
    const expected = (sign: number) => router.route({ text: 'same', embedding: vector(sign) }).models[0]!.quality;
    expect(expected(1)).toBeGreaterThan(0.8);
    expect(expected(-1)).toBeLessThan(0.2);
  });

  it('gives the same numbers for the same calls and seed, others for another seed', () => {
    const build = (seed: number) => {
      const router = new QueryRouter({ models: MODELS, seed });
      train(router, 120);
      return router.route('Add 5 to 17.');
    };
    expect(build(4)).toEqual(build(4));
    expect(build(5).features).not.toEqual(build(4).features);
  });

  it.each([
    ['empty', ''],
    ['blank', ' \n\t '],
    ['one megabyte', 'word 12 '.repeat(131072)],
    ['a megabyte of one character', '('.repeat(1 << 20)],
    ['unpaired surrogates', '\ud800 \udfff what \ud83d'],
    ['zero characters', '\0\0\0'],
    ['other scripts', 'Сколько будет 2 + 3? 二加三是多少'],
    ['names of object properties', '__proto__ constructor toString'],
  ])('stays finite on a hostile question: %s', (_name, text) => {
    const router = new QueryRouter({ models: MODELS, maxDomains: 2 });
    for (let i = 0; i < 3; i++) {
      const decision = router.route(text);
      expect([...decision.features].every((v) => Number.isFinite(v) && Math.abs(v) <= 2)).toBe(true);
      for (const m of decision.models) {
        expect(m.quality).toBeGreaterThan(0);
        expect(m.quality).toBeLessThan(1);
        expect(m.uncertainty).toBeGreaterThanOrEqual(0);
      }
      router.observe({ decision, model: 'large', quality: 0.5 });
    }
  });

  it('stays finite when one answer is repeated for ever', () => {
    const router = new QueryRouter({ models: MODELS });
    for (let i = 0; i < 3000; i++) router.observe({ query: 'again', model: 'large', quality: 1 });
    const estimate = router.route('again').models[2]!;
    expect(estimate.quality).toBeGreaterThan(0.99);
    router.observe({ query: 'again', model: 'large', quality: 0 });
    expect(router.route('again').models[2]!.quality).toBeGreaterThan(0.9);
  });

  it.each([
    ['models', () => new QueryRouter({ models: [] })],
    ['models[1].name', () => new QueryRouter({ models: [MODELS[0]!, MODELS[0]!] })],
    ['models[0]', () => new QueryRouter({ models: [null as never] })],
    ['options', () => new QueryRouter(undefined as never)],
    ['forgetting', () => new QueryRouter({ models: MODELS, forgetting: '1' as never })],
    ['outcome', () => new QueryRouter({ models: MODELS }).observe(null as never)],
    ['models[0].cost', () => new QueryRouter({ models: [{ name: 'a', cost: 0 }] })],
    ['forgetting', () => new QueryRouter({ models: MODELS, forgetting: 0.5 })],
    ['maxDomains', () => new QueryRouter({ models: MODELS, maxDomains: 1e9 })],
    ['query', () => new QueryRouter({ models: MODELS }).route(undefined as never)],
    ['embedding', () => new QueryRouter({ models: MODELS }).route({ text: 'a', embedding: [1, Number.NaN] })],
    ['model', () => new QueryRouter({ models: MODELS }).observe({ query: 'a', model: 'huge', quality: 1 })],
    ['quality', () => new QueryRouter({ models: MODELS }).observe({ query: 'a', model: 'large', quality: Number.NaN })],
    ['decision', () => new QueryRouter({ models: MODELS }).observe({ model: 'large', quality: 1 })],
    [
      'decision',
      () =>
        new QueryRouter({ models: MODELS }).observe({
          decision: new QueryRouter({ models: MODELS }).route('a'),
          model: 'large',
          quality: 1,
        }),
    ],
  ] as const)('refuses a wrong %s', (field, call) => {
    expect(call).toThrow(InvalidArgumentError);
    expect(call).toThrow(expect.objectContaining({ field }));
  });
});

describe('save and load', () => {
  it('brings back every number, and goes on alike', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'router-'));
    const path = join(folder, 'router.json');
    const router = new QueryRouter({ models: MODELS, seed: 3, forgetting: 0.99 });
    train(router, 150);
    await router.save(path);
    const loaded = await QueryRouter.load(path);
    expect(loaded.observed).toBe(150);
    expect(loaded.route('Add 5 to 17.')).toEqual(router.route('Add 5 to 17.'));
    train(router, 50, 8);
    train(loaded, 50, 8);
    expect(loaded.route('Spell melon backwards.')).toEqual(router.route('Spell melon backwards.'));
    await router.save(path);
    expect(await readdir(folder)).toEqual(['router.json']);
  });

  it('says what is wrong with a file', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'router-'));
    const path = join(folder, 'router.json');
    await expect(QueryRouter.load(path)).rejects.toBeInstanceOf(NotFoundError);
    await new QueryRouter({ models: MODELS }).save(path);
    const whole = await readFile(path, 'utf8');
    const damages = [whole.slice(0, whole.length / 2), '', '{}', 'null', whole.replace('figures', 'digits!')];
    for (const damage of damages) {
      await writeFile(path, damage);
      await expect(QueryRouter.load(path)).rejects.toBeInstanceOf(InvalidFormatError);
    }
    await writeFile(path, whole.replace('"version":2', '"version":3'));
    await expect(QueryRouter.load(path)).rejects.toBeInstanceOf(UnsupportedError);
  });

  it('leaves the old file whole when writing fails', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'router-'));
    const router = new QueryRouter({ models: MODELS });
    await expect(router.save(join(folder, 'missing', 'router.json'))).rejects.toMatchObject({ code: 'X_IO' });
    expect(await readdir(folder)).toEqual([]);
  });
});

describe('load', () => {
  it.each<[string, (state: Saved) => unknown]>([
    ['observations that are no number', (s) => ({ ...s, observations: 'x' })],
    ['tallies of no domain', (s) => ({ ...s, tallies: [[1e6, 1, 1]] })],
    ['more successes than outcomes', (s) => ({ ...s, tallies: [[0, 1, 2]] })],
    ['outcomes without features', (s) => ({ ...s, stream: [{ model: 0, quality: 1 }] })],
    ['an outcome of no model', (s) => ({ ...s, stream: [{ ...s.stream[0], model: 7 }] })],
    ['a window that overflows', (s) => ({ ...s, stream: Array.from({ length: 3000 }, () => s.stream[0]) })],
    ['a token of no slot', (s) => ({ ...s, domains: withDomain(s, { tokens: [[5000, 1]] }) })],
    ['a label that is no text', (s) => ({ ...s, domains: withDomain(s, { label: 3 }) })],
    ['a frequency that is no list', (s) => ({ ...s, domains: { ...s.domains, frequency: 'abc' } })],
    ['more domains than allowed', (s) => ({ ...s, options: { ...s.options, maxDomains: 1 } })],
    ['a regression too few', (s) => ({ ...s, quality: s.quality.slice(1) })],
    ['a regression that is not finite', (s) => ({ ...s, quality: s.quality.map(() => ({ mean: 'x' })) })],
    ['no models', (s) => ({ ...s, models: [] })],
    ['nothing', () => null],
  ])('refuses a state with %s even with a right checksum', async (_name, edit) => {
    const path = join(await mkdtemp(join(tmpdir(), 'router-')), 'router.json');
    const router = new QueryRouter({ models: MODELS });
    train(router, 20, 3);
    await router.save(path);
    const [head, body] = (await readFile(path, 'utf8')).split('\n');
    const forge = async (text: string) => {
      const sha256 = createHash('sha256').update(text).digest('hex');
      await writeFile(path, `${JSON.stringify({ ...JSON.parse(head!), sha256 })}\n${text}\n`);
    };
    await forge(body!);
    expect((await QueryRouter.load(path)).observed).toBe(20); // the forging itself is right
    await forge(JSON.stringify(edit(JSON.parse(body!))));
    await expect(QueryRouter.load(path)).rejects.toBeInstanceOf(InvalidFormatError);
  });
});

it('reads a file of version 1, which knew fewer features', async () => {
  const path = join(await mkdtemp(join(tmpdir(), 'router-')), 'router.json');
  const size = 1 + 45 + 16 + 2 * 2;
  const f64 = (values: Float64Array) => ({ f64: Buffer.from(values.buffer).toString('base64') });
  const mean = new Float64Array(size);
  mean[0] = 1.5; // the constant
  mean[size - 4] = -4; // the effect of domain 0
  const covariance = Float64Array.from({ length: size * size }, (_, i) => (i % (size + 1) === 0 ? 0.01 : 0));
  const token = new QueryRouter({ models: [MODELS[0]!] }); // for the tokens of a question
  token.observe({ query: 'melon', model: 'figures', quality: 1 });
  const folder = await mkdtemp(join(tmpdir(), 'router-'));
  await token.save(join(folder, 'new.json'));
  const [, now] = (await readFile(join(folder, 'new.json'), 'utf8')).split('\n');
  const body = JSON.stringify({
    models: [{ ...MODELS[0], priorQuality: 0.5 }],
    options: { priorStrength: 1, seed: 0, forgetting: 1, maxDomains: 2, domainThreshold: 0.5, window: 20 },
    domains: JSON.parse(now!).domains,
    quality: [{ mean: f64(mean), covariance: f64(covariance) }],
    tallies: [[0, 1, 1]],
    stream: [{ features: f64(new Float64Array(45)), model: 0, quality: 1 }],
    observations: 1,
  });
  const sha256 = createHash('sha256').update(body).digest('hex');
  await writeFile(path, `${JSON.stringify({ format: '@x/te-router QueryRouter', version: 1, sha256 })}\n${body}\n`);
  const router = await QueryRouter.load(path);
  expect(router.observed).toBe(1);
  expect(router.route('melon').domain).toBe(0);
  expect(router.route('melon').models[0]!.quality).toBeLessThan(0.1);
  expect(router.route('Add 5 to 17, then 3').models[0]!.quality).toBeGreaterThan(0.7);
  await router.save(path);
  expect((await QueryRouter.load(path)).route('melon').models).toEqual(router.route('melon').models);
});

interface Saved {
  models: object[];
  options: object;
  domains: { domains: object[] };
  quality: object[];
  stream: object[];
}

function withDomain(state: Saved, change: object): object {
  const [first, ...others] = state.domains.domains;
  return { ...state.domains, domains: [{ ...first, ...change }, ...others] };
}

describe('embeddings', () => {
  it('count by their direction, however large, and must be numbers', () => {
    const router = new QueryRouter({ models: MODELS });
    const at = (embedding: number[]) => router.route({ text: 'Why?', embedding }).models;
    expect(at([1e308, -1e308, 1e308])).toEqual(at([1, -1, 1]));
    expect(at([1e-300, 0])).toEqual(at([1, 0]));
    for (const bad of [3, 'abc', null, ['1'], [Number.NaN]])
      expect(() => at(bad as never)).toThrow(InvalidArgumentError);
  });
});

describe('featureInfluence', () => {
  it('finds the feature that moves quality, and its control clears the others', async () => {
    const router = new QueryRouter({ models: [{ name: 'one', cost: 1 }] });
    const random = generator(11);
    for (let i = 0; i < 300; i++) {
      const q = question(random);
      router.observe({ query: q.text, model: 'one', quality: q.kind === 'sum' ? 1 : 0 });
    }
    const done: number[] = [];
    const rows = await router.featureInfluence('one', { surrogates: 50, onProgress: (n) => done.push(n) });
    expect(rows).toHaveLength(QueryRouter.featureNames.length);
    expect(done.at(-1)).toBe(rows.length);
    const of = (name: string) => rows.find((r) => r.feature === name)!;
    expect(of('digitFraction').effective).toBeGreaterThan(0.3);
    expect(of('digitFraction').qValue).toBeLessThan(0.05);
    expect(of('logLines').te).toBe(0);
    expect(of('logLines').pValue).toBe(1);
    expect(await router.featureInfluence('one', { surrogates: 50 })).toEqual(rows);
    const noise = new QueryRouter({ models: [{ name: 'one', cost: 1 }] });
    for (let i = 0; i < 300; i++)
      noise.observe({ query: question(random).text, model: 'one', quality: random() < 0.5 ? 1 : 0 });
    const cleared = await noise.featureInfluence('one', { surrogates: 60 });
    expect(cleared.filter((r) => r.qValue < 0.05).length).toBeLessThanOrEqual(2);
  });

  it('refuses too few outcomes and unknown models', async () => {
    const router = new QueryRouter({ models: MODELS });
    await expect(router.featureInfluence('large')).rejects.toThrow(/at least 16/);
    await expect(router.featureInfluence('huge')).rejects.toBeInstanceOf(InvalidArgumentError);
  });
});

describe('Probit', () => {
  it('has a covariance that stays symmetric and positive under updates', () => {
    const probit = new Probit(Float64Array.of(1, 1, 1), 0.99, 0);
    const random = generator(2);
    for (let i = 0; i < 500; i++)
      probit.update(
        { indices: Int32Array.of(0, 1, 2), values: Float64Array.of(1, random(), -random()), length: 3 },
        random() < 0.3 ? 1 : 0,
      );
    for (let i = 0; i < 3; i++) {
      expect(probit.covariance[4 * i]).toBeGreaterThan(0);
      for (let j = 0; j < 3; j++) expect(probit.covariance[3 * i + j]).toBeCloseTo(probit.covariance[3 * j + i]!, 12);
    }
  });

  it('rests on a normal distribution function that matches the tables', () => {
    for (const [z, p] of [
      [0, 0.5],
      [1, 0.8413447461],
      [-1.959963985, 0.025],
      [3, 0.998650102],
    ] as const)
      expect(normalCdf(z)).toBeCloseTo(p, 6);
  });
});
