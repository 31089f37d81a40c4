import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InvalidArgumentError, InvalidFormatError } from '@x/cuda-core';
import { describe, expect, it } from 'vitest';
import { RoutingExperiment } from './experiment';
import { uniforms } from './text-model/random';

/** Outcomes 0 or 1 of units with the given rates; stops at the first significant look when asked to. */
function run(rates: readonly number[], units: number, seed: number, peek: boolean) {
  const test = new RoutingExperiment({ arms: rates.map((_, i) => `arm${i}`), seed });
  const draw = uniforms(seed);
  let found = 0;
  for (let u = 0; u < units; u++) {
    const unit = `u${u}`;
    const arm = Number(test.assign(unit).slice(3));
    test.record({ unit, quality: draw() < rates[arm]! ? 1 : 0 });
    if (peek && found === 0 && test.result().comparisons[0]!.pValue <= 0.05) found = u + 1;
  }
  return { test, found };
}

describe('RoutingExperiment', () => {
  it('keeps its false alarms below the level though it is looked at after every outcome', () => {
    let alarms = 0;
    for (let seed = 1; seed <= 60; seed++) if (run([0.6, 0.6], 400, seed, true).found > 0) alarms++;
    // 60 x 0.05 = 3 at most on average; 8 or more have probability 0.01 even then.
    expect(alarms).toBeLessThan(8);
  });

  it('finds a difference, with an interval that holds it', () => {
    const { test } = run([0.5, 0.75], 3000, 3, false);
    const [comparison] = test.result().comparisons;
    expect(comparison!.pValue).toBeLessThan(0.001);
    expect(comparison!.verdict).toBe('better');
    expect(comparison!.interval[0]).toBeGreaterThan(0.1);
    expect(comparison!.interval[0]).toBeLessThan(0.25);
    expect(comparison!.interval[1]).toBeGreaterThan(0.25);
    expect(run([0.75, 0.5], 3000, 3, false).test.result().comparisons[0]!.verdict).toBe('worse');
  });

  it('knows nothing before there are outcomes, and never a p-value above 1', () => {
    const test = new RoutingExperiment({ arms: ['a', 'b'] });
    expect(test.result().comparisons[0]).toMatchObject({ pValue: 1, eValue: 1, interval: [-1, 1], verdict: 'open' });
  });

  it('gives a unit always the same arm, and arms their shares', () => {
    const test = new RoutingExperiment({ arms: ['a', 'b', 'c'], shares: [2, 1, 1], seed: 9 });
    const counts: Record<string, number> = { a: 0, b: 0, c: 0 };
    for (let u = 0; u < 4000; u++) {
      const arm = test.assign(`user ${u}`);
      expect(test.assign(`user ${u}`)).toBe(arm);
      counts[arm]!++;
    }
    expect(counts.a! / 4000).toBeCloseTo(0.5, 1);
    expect(counts.b! / 4000).toBeCloseTo(0.25, 1);
  });

  it('narrows its intervals with a baseline that foresees the outcomes', () => {
    const width = (baseline: boolean) => {
      const test = new RoutingExperiment({ arms: ['a', 'b'] });
      const draw = uniforms(4);
      for (let u = 0; u < 600; u++) {
        const expected = draw() < 0.5 ? 0.1 : 0.9;
        const quality = draw() < expected ? 1 : 0;
        test.record({ unit: `${u}`, quality, ...(baseline && { baseline: expected }) });
      }
      const [low, high] = test.result().comparisons[0]!.interval;
      return high - low;
    };
    expect(width(true)).toBeLessThan(0.8 * width(false));
  });

  it.each([
    ['arms', () => new RoutingExperiment({ arms: ['a'] })],
    ['arms[1]', () => new RoutingExperiment({ arms: ['a', 'a'] })],
    ['shares', () => new RoutingExperiment({ arms: ['a', 'b'], shares: [1] })],
    ['shares[0]', () => new RoutingExperiment({ arms: ['a', 'b'], shares: [0, 1] })],
    ['shares[0]', () => new RoutingExperiment({ arms: ['a', 'b'], shares: [0.001, 1] })],
    ['alpha', () => new RoutingExperiment({ arms: ['a', 'b'], alpha: 0.9 })],
    ['unit', () => new RoutingExperiment({ arms: ['a', 'b'] }).assign(3 as never)],
    ['quality', () => new RoutingExperiment({ arms: ['a', 'b'] }).record({ unit: 'u', quality: 2 })],
    [
      'unit',
      () => {
        const test = new RoutingExperiment({ arms: ['a', 'b'] });
        for (let i = 0; i < 2; i++) test.record({ unit: 'u', quality: 1 });
      },
    ],
  ] as const)('refuses a wrong %s', (field, call) => {
    expect(call).toThrow(InvalidArgumentError);
    expect(call).toThrow(expect.objectContaining({ field }));
  });
});

describe('a saved experiment', () => {
  it('goes on with the same numbers, and knows the units it has met', async () => {
    const path = join(await mkdtemp(join(tmpdir(), 'experiment-')), 'test.json');
    const test = new RoutingExperiment({ arms: ['a', 'b', 'c'], shares: [3, 2, 2], seed: 4 });
    const draw = uniforms(8);
    const record = (to: RoutingExperiment, u: number, quality: number) =>
      to.record({ unit: `u${u}`, quality, ...(u % 3 === 0 && { baseline: 0.4 }) });
    for (let u = 0; u < 700; u++) record(test, u, draw());
    await test.save(path);
    const loaded = await RoutingExperiment.load(path);
    expect(loaded.result()).toEqual(test.result());
    expect(() => record(loaded, 5, 1)).toThrow(InvalidArgumentError);
    for (const to of [test, loaded]) record(to, 700, 0.7);
    expect(loaded.result()).toEqual(test.result());
  });

  it('is refused when it is damaged', async () => {
    const path = join(await mkdtemp(join(tmpdir(), 'experiment-')), 'test.json');
    await new RoutingExperiment({ arms: ['a', 'b'] }).save(path);
    await writeFile(path, (await readFile(path, 'utf8')).replace('"a"', '"z"'));
    await expect(RoutingExperiment.load(path)).rejects.toThrow(InvalidFormatError);
  });
});
