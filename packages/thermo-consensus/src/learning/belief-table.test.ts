import { expect, test } from 'vitest';
import { BeliefTable } from '../index';

test('Beta pairs count successes and failures and forget towards the prior', async () => {
  using table = new BeliefTable({ pairs: 2, prior: { kind: 'beta', alpha: 1, beta: 1 } });
  await table.update({ successes: Float32Array.of(3, 0), failures: Float32Array.of(1, 2) });
  await table.update({ successes: Float32Array.of(0, 1), failures: Float32Array.of(0, 0) }, { forgetting: 0.5 });
  expect(await table.read()).toEqual({ alpha: Float64Array.of(2.5, 2), beta: Float64Array.of(1.5, 2) });
  const { mean, lower, upper } = await table.summary({ level: 0.9 });
  expect(mean[0]).toBeCloseTo(2.5 / 4, 12);
  expect(lower[0]! < mean[0]! && mean[0]! < upper[0]!).toBe(true);
});

test('normal pairs learn a mean and its spread, and their draws are repeatable', async () => {
  using table = new BeliefTable({ pairs: 1, prior: { kind: 'normal', mean: 0, kappa: 0.01, alpha: 1, beta: 1 } });
  await table.update({
    count: Float32Array.of(400),
    mean: Float32Array.of(250),
    squaredDeviations: Float32Array.of(400 * 30 ** 2),
  });
  const { mean, lower, upper } = await table.summary();
  expect(mean[0]).toBeCloseTo(250, 1);
  expect(upper[0]! - lower[0]!).toBeCloseTo(2 * 1.96 * (30 / Math.sqrt(400)), 0);
  expect(await table.sample({ seed: 4 })).toEqual(await table.sample({ seed: 4 }));
  expect(await table.sample({ seed: 4 })).not.toEqual(await table.sample({ seed: 5 }));
});

test('what was read can be written into another table', async () => {
  const options = { pairs: 3, prior: { kind: 'beta', alpha: 1, beta: 2 } } as const;
  using first = new BeliefTable(options);
  await first.update({ successes: Float32Array.of(1, 2, 3), failures: Float32Array.of(0, 0, 1) });
  using second = new BeliefTable(options);
  await second.write(await first.read());
  expect(await second.read()).toEqual(await first.read());
});

test('wrong statistics name the column or the pair, and change nothing', async () => {
  using table = new BeliefTable({ pairs: 2, prior: { kind: 'beta', alpha: 1, beta: 1 } });
  const good = Float32Array.of(1, 1);
  await expect(table.update({ successes: good, failures: Float32Array.of(1) })).rejects.toMatchObject({
    code: 'X_INVALID_ARGUMENT',
    field: 'failures',
  });
  await expect(table.update({ successes: good, failures: Float32Array.of(0, Number.NaN) })).rejects.toThrow('pair 1');
  expect((await table.read()).alpha).toEqual(Float64Array.of(1, 1));
  for (const options of [
    { pairs: 0, prior: { kind: 'beta', alpha: 1, beta: 1 } },
    { pairs: 1, prior: { kind: 'gamma' } },
    { pairs: 1, prior: { kind: 'beta', alpha: 0, beta: 1 } },
    { pairs: 1, prior: { kind: 'normal', mean: 0, kappa: 1, alpha: 1 } },
  ])
    expect(() => new BeliefTable(options as never)).toThrow(expect.objectContaining({ code: 'X_INVALID_ARGUMENT' }));
});

test('a disposed table refuses work', async () => {
  const table = new BeliefTable({ pairs: 1, prior: { kind: 'beta', alpha: 1, beta: 1 } });
  table.dispose();
  await expect(table.read()).rejects.toMatchObject({ code: 'X_INVALID_ARGUMENT' });
});
