import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InvalidArgumentError, InvalidFormatError } from '@x/cuda-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Consensus, type ConsensusOptions, schedules } from '../index';

const MODELS = [
  { name: 'coder', cost: 1 },
  { name: 'talker', cost: 1 },
];
const make = (options: Partial<ConsensusOptions> = {}) =>
  new Consensus({ models: MODELS, seed: 4, selection: 'thompson', ...options });

const code = (i: number) => `Write a function f${i}(x) that returns [x, ${i}];`;
const talk = (i: number) =>
  `Who was king of the country in the year ${1500 + i}, and what did the people think of him?`;
const question = (i: number) => (i % 2 ? code(i) : talk(i));
const right = (i: number, model: string) => (model === 'coder') === (i % 2 === 1);

function play(consensus: Consensus, from: number, to: number) {
  const decisions = [];
  for (let i = from; i < to; i++) {
    const decision = consensus.choose({ text: question(i) });
    consensus.observe({ decision, success: right(i, decision.model) });
    decisions.push(decision);
  }
  return decisions;
}
const share = (decisions: readonly { model: string }[], from: number) =>
  decisions.filter((d, k) => right(from + k, d.model)).length / decisions.length;

describe('learning from the text of requests', () => {
  it('finds out which model is right where, without domains', () => {
    const consensus = make();
    play(consensus, 0, 150);
    expect(share(play(consensus, 150, 250), 150)).toBeGreaterThan(0.9);
    const without = make({ learning: { context: false } });
    play(without, 0, 150);
    expect(share(play(without, 150, 250), 150)).toBeLessThan(0.7);
  });

  it('keeps a target at less cost than without texts', () => {
    const play = (context: 'text' | false) => {
      const consensus = new Consensus({
        models: [
          { name: 'coder', cost: 1 },
          { name: 'all', cost: 10 },
        ],
        target: 0.95,
        seed: 2,
        schedule: schedules.custom((step) => (step < 250 ? 1 : 0)),
        learning: { context },
      });
      let cost = 0;
      let quality = 0;
      for (let i = 0; i < 400; i++) {
        const decision = consensus.choose({ text: question(i) });
        const success = decision.model === 'all' || i % 2 === 1;
        consensus.observe({ decision, success });
        if (i < 250) continue;
        cost += decision.model === 'all' ? 10 : 1;
        quality += Number(success);
      }
      return { cost, quality };
    };
    const informed = play('text');
    expect(informed.quality).toBeGreaterThanOrEqual(0.94 * 150);
    expect(informed.cost).toBeLessThan(0.8 * play(false).cost);
  });

  it('explains how far the text moved the posterior, and the evidence adds up to it', () => {
    const consensus = make();
    play(consensus, 0, 120);
    const decision = consensus.choose({ text: code(1), quality: { coder: 0.5 } });
    for (const { posterior, evidence } of decision.explanation) {
      const parts = Object.values(evidence);
      const sum = (key: 'successes' | 'failures') => parts.reduce((s, e) => s + e[key], 1);
      expect(sum('successes')).toBeCloseTo(posterior.alpha, 9);
      expect(sum('failures')).toBeCloseTo(posterior.beta, 9);
    }
    const [coder, talker] = decision.explanation;
    expect(coder!.posterior.mean).toBeGreaterThan(talker!.posterior.mean + 0.1);
    expect(consensus.explain(decision)).toMatch(/of it context/);
    expect(consensus.explain(consensus.choose())).not.toMatch(/of it context/);
  });

  it('a request without text is judged by its domain alone', () => {
    const told = make({ selection: 'greedy' });
    play(told, 0, 60);
    const [own] = told.choose().explanation;
    expect(own!.evidence.context).toEqual({ successes: 0, failures: 0 });
    expect(own!.posterior.mean).toBeCloseTo(told.posterior('coder').mean, 12);
  });

  it('outcomes may name the text instead of a decision', () => {
    const consensus = make({ selection: 'greedy' });
    for (let i = 0; i < 100; i++)
      for (const { name } of MODELS) consensus.observe({ model: name, text: question(i), success: right(i, name) });
    expect(consensus.choose({ text: code(7) }).model).toBe('coder');
    expect(consensus.choose({ text: talk(7) }).model).toBe('talker');
  });

  it('an outcome of a decision of another pool is learnt, or left, but no error', () => {
    const decision = make().choose({ text: code(1) });
    const other = make({ selection: 'greedy' });
    for (let i = 0; i < 20; i++) other.observe({ decision, success: false });
    expect(other.choose({ text: code(1) }).model).not.toBe(decision.model);
    const numbers = make({ learning: { context: 'features' } });
    numbers.choose({ features: [1, 2] });
    for (const pool of [numbers, make({ learning: { context: false } })]) {
      pool.observe({ decision, success: true });
      expect(pool.posterior(decision.model).alpha).toBe(2);
    }
  });

  it('propensities are those of the draws that the text leads to', () => {
    const consensus = make();
    play(consensus, 0, 40);
    const decision = consensus.choose({ text: code(3) });
    const { coder, talker } = decision.propensities as { coder: number; talker: number };
    expect(coder + talker).toBeCloseTo(1, 6);
    expect(coder).toBeGreaterThan(0.7);
  });

  it('features take the place of a text', () => {
    const consensus = make({ learning: { context: 'features' } });
    const features = (i: number) => Float32Array.of(i % 2 ? 1 : -1, Math.sin(i));
    let hits = 0;
    for (let i = 0; i < 200; i++) {
      const decision = consensus.choose({ features: features(i) });
      const success = right(i, decision.model);
      consensus.observe({ decision, success });
      if (i >= 150) hits += Number(success);
    }
    expect(hits).toBeGreaterThan(45);
    for (const wrong of [Float32Array.of(1), [1, Number.NaN], [1, 'a'], [], 7, null])
      expect(() => consensus.choose({ features: wrong as never })).toThrow(InvalidArgumentError);
    expect(() => consensus.choose({ text: 'x' })).toThrow(/'features'/);
  });

  it.each([
    ['a text that is none', {}, { text: 5 }, 'text'],
    ['features where texts are learnt', {}, { features: [1] }, 'features'],
    [
      'too many models',
      { models: Array.from({ length: 1025 }, (_, i) => ({ name: `m${i}`, cost: 1 })) },
      { text: 'a' },
      'learning.context',
    ],
  ])('%s is refused by name', (_, options, context, field) => {
    const call = () => make(options).choose(context as never);
    expect(call).toThrow(expect.objectContaining({ code: 'X_INVALID_ARGUMENT', field }));
    expect(() => make({ learning: { context: 'words' as never } })).toThrow(InvalidArgumentError);
  });

  it('batches and ensembles go by the text as well', async () => {
    const consensus = make({ selection: 'greedy' });
    play(consensus, 0, 150);
    const { decisions } = await consensus.chooseBatch([{ text: code(1) }, { text: talk(1) }]);
    expect(decisions.map((d) => d.model)).toEqual(['coder', 'talker']);
    expect(consensus.chooseEnsemble({ text: code(1) }, { maxModels: 1 }).models).toEqual(['coder']);
    await expect(consensus.chooseBatch([{ text: code(1) }, { text: 1 as never }])).rejects.toThrow(
      /contexts\[1\]\.text/,
    );
  });
});

describe('what was learnt of texts is saved', () => {
  let folder = '';
  let path = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'thermo-'));
    path = join(folder, 'state.json');
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it.each<[string, Partial<ConsensusOptions>]>([
    ['thompson', {}],
    ['target', { target: 0.95 }],
    ['forgetting and changes', { learning: { forgetting: 0.97, changeDetection: true } }],
  ])('choices go on as they would have: %s', async (_, options) => {
    const consensus = make(options);
    play(consensus, 0, 60);
    await consensus.save(path);
    const loaded = await Consensus.load(path);
    expect(play(loaded, 60, 120).map((d) => d.toJSON())).toEqual(play(consensus, 60, 120).map((d) => d.toJSON()));
  });

  it.each<[string, (context: Record<string, unknown>) => object]>([
    ['cut columns', (c) => ({ ...c, common: (c.common as string).slice(0, 100) })],
    ['no numbers', (c) => ({ ...c, pull: Buffer.alloc((c.pull as string).length * 0.75, 0xff).toString('base64') })],
    ['other features', (c) => ({ ...c, features: 3 })],
    ['other models', (c) => ({ ...c, own: [] })],
    ['no models', (c) => ({ ...c, own: [5, 'a'] })],
    ['impossible noise', (c) => ({ ...c, noise: { outcomes: 0, squares: -1 } })],
  ])('an impossible state is refused: %s', async (_, edit) => {
    const consensus = make();
    play(consensus, 0, 10);
    await consensus.save(path);
    const [head, body] = (await readFile(path, 'utf8')).split('\n');
    const state = JSON.parse(body!);
    const text = JSON.stringify({ ...state, context: edit(state.context) });
    const sha256 = createHash('sha256').update(text).digest('hex');
    await writeFile(path, `${JSON.stringify({ ...JSON.parse(head!), sha256 })}\n${text}\n`);
    await expect(Consensus.load(path)).rejects.toThrow(InvalidFormatError);
  });
});
