import { createHash } from 'node:crypto';
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InvalidArgumentError, InvalidFormatError } from '@x/cuda-core';
import { describe, expect, it } from 'vitest';
import type { TrainingRow } from './decision';
import { QueryRouter } from './router';
import { uniforms } from './text-model/random';

const MODELS = [
  { name: 'small', cost: 1 },
  { name: 'large', cost: 20 },
];
const TOPICS = {
  easy: 'capital river lake city mountain country island coast border valley'.split(' '),
  hard: 'integral theorem lemma proof manifold tensor operator kernel eigenvalue bound'.split(' '),
};

/** Small is right 90 % of the time on easy words and 20 % on hard ones; large 95 and 80 %. Nothing else tells them apart. */
function rows(count: number, seed: number): (TrainingRow & { query: string; topic: 'easy' | 'hard' })[] {
  const draw = uniforms(seed);
  return Array.from({ length: count }, () => {
    const topic = draw() < 0.5 ? 'easy' : 'hard';
    const words = Array.from({ length: 6 }, () => TOPICS[topic][Math.floor(10 * draw())]!);
    const right = (rate: number) => (draw() < rate ? 1 : 0);
    return {
      topic,
      query: `Tell me of the ${words.slice(0, 3).join(' ')} and ${words.slice(3).join(' ')}.`,
      quality: { small: right(topic === 'easy' ? 0.9 : 0.2), large: right(topic === 'easy' ? 0.95 : 0.8) },
      cost: { small: 1, large: topic === 'easy' ? 10 : 30 },
    };
  });
}
const fitted = async (options = {}, count = 400) => {
  const router = new QueryRouter({ models: MODELS, ...options });
  await router.fit(rows(count, 1));
  return router;
};

describe('fit', () => {
  it('learns from words what structure does not show, and costs with it', async () => {
    const router = await fitted();
    const means = { easy: [0, 0, 0, 0, 0], hard: [0, 0, 0, 0, 0] };
    for (const { query, topic } of rows(200, 2)) {
      const { models } = router.route(query);
      const m = means[topic];
      m[0]!++;
      m[1]! += models[0]!.quality;
      m[2]! += models[1]!.quality;
      m[3]! += models[0]!.cost;
      m[4]! += models[1]!.cost;
    }
    const of = (topic: 'easy' | 'hard', i: number) => means[topic][i]! / means[topic][0]!;
    expect(of('easy', 1)).toBeGreaterThan(0.75);
    expect(of('hard', 1)).toBeLessThan(0.35);
    expect(of('hard', 2)).toBeGreaterThan(0.65);
    expect(of('easy', 3)).toBeCloseTo(1, 1);
    expect(of('easy', 4)).toBeLessThan(15);
    expect(of('hard', 4)).toBeGreaterThan(22);
  });

  it('gives intervals that hold the true rates', async () => {
    const router = await fitted();
    let held = 0;
    let all = 0;
    for (const { query, topic } of rows(200, 3)) {
      const truth = topic === 'easy' ? [0.9, 0.95] : [0.2, 0.8];
      router.route(query).models.forEach(({ interval: [low, high] }, m) => {
        all++;
        if (low <= truth[m]! && truth[m]! <= high) held++;
      });
    }
    expect(held / all).toBeGreaterThan(0.8);
  });

  it('tunes a threshold that keeps its promise on new questions', async () => {
    const router = new QueryRouter({ models: MODELS });
    const tuned = await router.fit(rows(400, 1), { policy: { quality: 0.98 } });
    expect(tuned).toMatchObject({ reference: 'large' });
    expect(tuned!.qualityShare).toBeGreaterThan(0.97);
    expect(tuned!.costShare).toBeLessThan(0.95);
    const test = rows(300, 4);
    const share = (of: (r: (typeof test)[0], choice: string) => number) =>
      test.reduce((s, r) => s + of(r, router.route(r.query).choice), 0) / test.reduce((s, r) => s + of(r, 'large'), 0);
    expect(share((r, m) => r.quality[m]!)).toBeGreaterThan(0.93);
    expect(share((r, m) => r.cost![m]!)).toBeLessThan(0.95);
    expect(router.tunePolicy({ costShare: 0.5 })!.costShare).toBeLessThanOrEqual(0.5);
  });

  it('sends a question unlike any to the safe model, and says so', async () => {
    const router = await fitted({ safeModel: 'large', outlierLevel: 0.02 });
    const strange = router.route('SELECT * FROM t WHERE x=1; -- \u{1f600} \u{1f600} {{{}}} ????');
    expect(strange).toMatchObject({ outlier: true, choice: 'large' });
    expect(strange.explanation).toContain('safe model');
    const share = rows(300, 5).filter((r) => router.route(r.query).outlier).length / 300;
    expect(share).toBeLessThan(0.08);
  });

  it('gives the same numbers for the same rows, and others for another seed', async () => {
    const at = async (seed: number) => (await fitted({ seed }, 80)).route('Tell me of the lemma.');
    expect(await at(1)).toEqual(await at(1));
    expect((await at(2)).models).not.toEqual((await at(1)).models);
  });

  it('learns in passing from outcomes that come one by one, of the chosen model alone', () => {
    const router = new QueryRouter({ models: MODELS });
    const draw = uniforms(6);
    for (const { query, quality } of rows(700, 7)) {
      const decision = router.route(query);
      const model = draw() < 0.5 ? 'small' : 'large';
      router.observe({ decision, model, quality: quality[model]! });
    }
    const mean = (topic: string) => {
      const some = rows(200, 8).filter((r) => r.topic === topic);
      return some.reduce((s, r) => s + router.route(r.query).models[0]!.quality, 0) / some.length;
    };
    expect(mean('easy') - mean('hard')).toBeGreaterThan(0.3);
  });

  it('stops when asked to, reports progress, and lets timers run meanwhile', async () => {
    const router = new QueryRouter({ models: MODELS });
    const abort = new AbortController();
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    const progress: number[] = [];
    await router.fit(rows(300, 1), { onProgress: (done, total) => progress.push(done / total) });
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(2);
    expect(progress.at(-1)).toBe(1);
    expect(progress.every((p, i) => p <= 1 && (i === 0 || p >= progress[i - 1]!))).toBe(true);
    setTimeout(() => abort.abort(), 5);
    await expect(router.refit({ signal: abort.signal })).rejects.toThrow(/abort/i);
  });

  it.each([
    ['rows', []],
    ['rows', 3],
    ['rows[0]', [7]],
    ['query', [{ quality: { small: 1 } }]],
    ['rows[0].quality', [{ query: 'a', quality: { tiny: 1 } }]],
    ['rows[0].quality', [{ query: 'a' }]],
    [
      'rows[1].quality["small"]',
      [
        { query: 'a', quality: {} },
        { query: 'a', quality: { small: Number.NaN } },
      ],
    ],
    ['rows[0].cost["small"]', [{ query: 'a', quality: { small: 1 }, cost: { small: 0 } }]],
  ])('refuses wrong %s and learns nothing', async (field, bad) => {
    const router = new QueryRouter({ models: MODELS });
    const call = router.fit(bad as never);
    await expect(call).rejects.toBeInstanceOf(InvalidArgumentError);
    await expect(call).rejects.toMatchObject({ field });
    expect(router.observed).toBe(0);
  });

  it.each([1, 2, 11, 12])('does with %i rows', async (count) => {
    const router = await fitted({}, count);
    for (const m of router.route('Tell me of the lake.').models) expect(Number.isFinite(m.quality)).toBe(true);
  });
});

describe('outcomes by id', () => {
  it('are learnt long after, also by a router that was saved and loaded meanwhile', async () => {
    const path = join(await mkdtemp(join(tmpdir(), 'router-')), 'router.json');
    const router = await fitted({}, 60);
    const [first, second] = [router.route('Tell me of the lake.'), router.route('Tell me of the lemma.')];
    for (let i = 0; i < 50; i++) router.route(`other ${i}`);
    await router.save(path);
    const loaded = await QueryRouter.load(path);
    for (const r of [router, loaded]) {
      r.observe({ id: first.id, model: 'small', quality: 1 });
      r.observe({ id: second.id, model: 'large', quality: 0.25 });
    }
    expect(loaded.observed).toBe(router.observed);
    expect(loaded.route('Tell me of the lake.')).toEqual(router.route('Tell me of the lake.'));
  });

  it('are refused when the decision is not known, or not any more', () => {
    const router = new QueryRouter({ models: MODELS, pendingLimit: 1 });
    const { id } = router.route('one');
    router.route('two');
    for (const bad of [id, 'zzz'])
      expect(() => router.observe({ id: bad, model: 'small', quality: 1 })).toThrow(
        expect.objectContaining({ code: 'X_INVALID_ARGUMENT', field: 'id' }),
      );
  });
});

describe('tokenizer', () => {
  const tokenizer = { encode: (text: string) => Array.from(text.match(/.{1,3}/gs) ?? [], (t) => t.charCodeAt(0)) };

  it('takes the place of words, in fits and after load', async () => {
    const path = join(await mkdtemp(join(tmpdir(), 'router-')), 'router.json');
    const router = await fitted({ tokenizer }, 60);
    const plain = await fitted({}, 60);
    const at = (r: QueryRouter) => r.route('Tell me of the lake.');
    expect(at(router).models).not.toEqual(at(plain).models);
    await router.save(path);
    await expect(QueryRouter.load(path)).rejects.toMatchObject({ code: 'X_INVALID_ARGUMENT', field: 'tokenizer' });
    const loaded = await QueryRouter.load(path, { tokenizer });
    expect(loaded.route('Tell me of the lemma.').models).toEqual(router.route('Tell me of the lemma.').models);
  });
});

/** A stack whose first node is its own child. */
function crooked(stack: unknown): unknown {
  const { forest, ...shares } = stack as { forest: Record<string, unknown> };
  const next = Buffer.from((forest.next as { i32: string }).i32, 'base64');
  const feature = Buffer.from((forest.feature as { i16: string }).i16, 'base64');
  next.writeInt32LE(0, 0);
  feature.writeInt16LE(0, 0);
  return {
    ...shares,
    forest: { ...forest, next: { i32: next.toString('base64') }, feature: { i16: feature.toString('base64') } },
  };
}

describe('a saved text model', () => {
  interface Saved {
    text: Record<string, unknown> & { vocabulary: object; landmarks: object };
  }
  it.each<[string, (state: Saved) => unknown]>([
    ['too few weights', (s) => ({ ...s, text: { ...s.text, sparse: { f32: '' } } })],
    ['a rank of other axes', (s) => ({ ...s, text: { ...s.text, rank: 3 } })],
    ['a vocabulary without keys', (s) => ({ ...s, text: { ...s.text, vocabulary: {} } })],
    [
      'landmarks of no width',
      (s) => ({ ...s, text: { ...s.text, landmarks: { ...s.text.landmarks, topicWidth: 0 } } }),
    ],
    ['a forest whose trees lead nowhere', (s) => ({ ...s, text: { ...s.text, stack: crooked(s.text.stack) } })],
    ['labels that are missing', (s) => ({ ...s, text: { ...s.text, labels: [] } })],
  ])('is refused with %s even with a right checksum', async (_name, edit) => {
    const path = join(await mkdtemp(join(tmpdir(), 'router-')), 'router.json');
    await (await fitted({}, 30)).save(path);
    const [head, body] = (await readFile(path, 'utf8')).split('\n');
    const text = JSON.stringify(edit(JSON.parse(body!)));
    const sha256 = createHash('sha256').update(text).digest('hex');
    await writeFile(path, `${JSON.stringify({ ...JSON.parse(head!), sha256 })}\n${text}\n`);
    await expect(QueryRouter.load(path)).rejects.toBeInstanceOf(InvalidFormatError);
  });
});
