import { InvalidArgumentError, UnsupportedError } from '@x/cuda-core';
import { describe, expect, it } from 'vitest';
import {
  conditionalTransferEntropy,
  falseDiscovery,
  localOutliers,
  mutualInformation,
  pooledPValues,
  TransferEntropyStream,
  transferEntropy,
} from '../index';

/** x drives z and z drives y, one step each; a generator of its own. */
function chain(n: number, seed = 1): [Float64Array, Float64Array, Float64Array] {
  let state = seed * 7919 + 13;
  const uniform = () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
  const normal = () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  const x = new Float64Array(n);
  const y = new Float64Array(n);
  const z = new Float64Array(n);
  for (let t = 1; t < n; t++) {
    x[t] = 0.6 * x[t - 1]! + normal();
    z[t] = 0.4 * z[t - 1]! + 0.9 * x[t - 1]! + 0.5 * normal();
    y[t] = 0.4 * y[t - 1]! + 0.9 * z[t - 1]! + 0.5 * normal();
  }
  return [x, y, z];
}

const [x, y, z] = chain(800);

describe('conditionalTransferEntropy', () => {
  it('removes an influence that only passes through the condition', async () => {
    for (const estimator of ['ksg1', 'gaussian'] as const) {
      const through = await transferEntropy(x, y, { estimator, delay: 2 });
      const given = await conditionalTransferEntropy(x, y, z, { estimator, delay: 2 });
      expect(through.te).toBeGreaterThan(0.2);
      expect(Math.abs(given.te)).toBeLessThan(0.06);
    }
  });

  it('takes conditions with an embedding of their own, and refuses none', async () => {
    const plain = await conditionalTransferEntropy(x, y, [z]);
    const same = await conditionalTransferEntropy(x, y, [{ series: z, history: 1, tau: 1, delay: 1 }]);
    const more = await conditionalTransferEntropy(x, y, [{ series: z, history: 3 }]);
    expect(same.te).toBe(plain.te);
    expect(more.samples).toBe(plain.samples - 2);
    await expect(conditionalTransferEntropy(x, y, [])).rejects.toBeInstanceOf(InvalidArgumentError);
    await expect(conditionalTransferEntropy(x, y, [{ series: z, delay: -1 }])).rejects.toMatchObject({
      field: 'conditions.delay',
    });
  });
});

describe('mutualInformation', () => {
  it('is symmetric and vanishes given a common cause', async () => {
    const a = await mutualInformation(x, z, { estimator: 'ksg2' });
    const b = await mutualInformation(z, x, { estimator: 'ksg2' });
    expect(a.mi).toBeCloseTo(b.mi, 12);
    expect(a.samples).toBe(800);
    const given = await mutualInformation(x, z, { estimator: 'gaussian', conditions: x });
    expect(given.mi).toBeCloseTo(0, 9);
  });

  it('speaks bits when asked', async () => {
    const nats = await mutualInformation(x, z, { surrogates: 19, locals: true });
    const bits = await mutualInformation(x, z, { surrogates: 19, locals: true, unit: 'bits' });
    expect(bits.mi).toBeCloseTo(nats.mi / Math.LN2, 12);
    expect(bits.surrogateMean).toBeCloseTo(nats.surrogateMean! / Math.LN2, 12);
    expect(bits.interval!.high).toBeCloseTo(nats.interval!.high / Math.LN2, 12);
    expect(bits.locals![3]).toBeCloseTo(nats.locals![3]! / Math.LN2, 12);
    expect(bits.pValue).toBe(nats.pValue);
  });
});

describe('options', () => {
  it('give an interval with surrogates, by level, or not at all', async () => {
    const some = await transferEntropy(x, z, { surrogates: 19 });
    expect(some.interval!.level).toBe(0.95);
    const [low, high] = some.interval!;
    expect(low).toBe(some.interval!.low);
    expect(low).toBeLessThan(high);
    expect((await transferEntropy(x, z)).interval).toBeUndefined();
    expect((await transferEntropy(x, z, { surrogates: 19, interval: false })).interval).toBeUndefined();
    const narrow = await transferEntropy(x, z, { interval: 0.5 });
    expect(narrow.interval!.high - narrow.interval!.low).toBeLessThan(high - low);
  });

  it('pool segments, leave out missing samples, and refuse lengths that do not fit', async () => {
    const pooled = await transferEntropy(x, y, { segments: [300, 500] });
    expect(pooled.samples).toBe(798);
    const mask = new Uint8Array(800).fill(1);
    mask[10] = 0;
    const holes = Float64Array.from(x, (v, i) => (i === 10 ? Number.NaN : v));
    expect((await transferEntropy(holes, y, { mask })).samples).toBe(797);
    await expect(transferEntropy(x, y, { segments: [300, 300] })).rejects.toMatchObject({ field: 'segments' });
    await expect(transferEntropy(x, y, { mask: new Uint8Array(3) })).rejects.toBeInstanceOf(InvalidArgumentError);
  });

  it('stop early, choose k and lags, and say what was chosen', async () => {
    const early = await transferEntropy(y, x, { estimator: 'gaussian', surrogates: 5000, stopAfter: 10 });
    expect(early.surrogates!.length).toBeLessThan(5000);
    expect(early.pValue).toBeCloseTo(10 / early.surrogates!.length, 12);
    expect((await transferEntropy(x, z, { k: 'auto' })).k).toBeGreaterThanOrEqual(3);
    const greedy = await transferEntropy(x, z, { estimator: 'gaussian', embedding: 'greedy', maxHistory: 3 });
    expect(greedy.embedding.sourceLags).toContain(1);
    const scan = await transferEntropy(x, y, { estimator: 'gaussian', maxDelay: 4 });
    expect(scan.embedding.delay).toBe(2);
  });

  it.each([
    ['estimator', { estimator: 'nope' }, InvalidArgumentError],
    ['embedding', { embedding: 'nope' }, InvalidArgumentError],
    ['binning', { binning: 'nope' }, InvalidArgumentError],
    ['surrogateMethod', { surrogateMethod: 'nope' }, InvalidArgumentError],
    ['unit', { unit: 'hartley' }, InvalidArgumentError],
    ['precision', { precision: 'f16' }, InvalidArgumentError],
    ['precision', { precision: 'f32', estimator: 'kernel' }, UnsupportedError],
    ['kernelWidth', { kernelWidth: 0 }, InvalidArgumentError],
    ['bins', { bins: 1 }, InvalidArgumentError],
    ['interval', { interval: 1 }, InvalidArgumentError],
    ['maxHistory', { maxHistory: 0 }, InvalidArgumentError],
    ['k', { k: 'many' }, InvalidArgumentError],
  ])('name a wrong %s', async (field, options, kind) => {
    const failure = await transferEntropy(x, y, options as never).catch((e) => e);
    expect(failure).toBeInstanceOf(kind);
    expect(failure.field).toBe(field);
  });
});

describe('TransferEntropyStream', () => {
  it.each([
    ['ksg1', {}, 0],
    ['ksg2', { normalise: false }, 0],
    ['gaussian', {}, 1e-11],
    ['binned', { bins: 4 }, 1e-12],
    ['kernel', {}, 0],
  ] as const)('equals the batch value over its window: %s', async (estimator, options, tolerance) => {
    const stream = new TransferEntropyStream({ window: 150, estimator, ...options });
    for (let t = 0; t < 400; t++) {
      stream.push(x[t]!, z[t]!);
      if (t < 149) expect(stream.value()).toBeUndefined();
      else if (t % 25 === 0) {
        const batch = await transferEntropy(x.slice(t - 149, t + 1), z.slice(t - 149, t + 1), {
          estimator,
          ...options,
        });
        expect(Math.abs(stream.value()!.te - batch.te)).toBeLessThanOrEqual(tolerance);
        expect(stream.value()!.samples).toBe(batch.samples);
      }
    }
    expect(stream.seen).toBe(400);
    stream.dispose();
    expect(() => stream.value()).toThrow(/disposed/);
  });

  it('takes chunks of several variables and refuses what does not fit', () => {
    const stream = new TransferEntropyStream({ window: 100, sources: 2, estimator: 'gaussian' });
    stream.push([x.slice(0, 200), z.slice(0, 200)], y.slice(0, 200));
    expect(stream.value()!.te).toBeGreaterThan(0.1);
    expect(() => stream.push(x.slice(0, 5), y.slice(0, 5))).toThrow(InvalidArgumentError);
    expect(() => stream.push([x.slice(0, 5), z.slice(0, 4)], y.slice(0, 5))).toThrow(InvalidArgumentError);
    expect(() => new TransferEntropyStream({ window: 4 })).toThrow(InvalidArgumentError);
  });
});

describe('falseDiscovery', () => {
  it('follows Benjamini and Hochberg, and Benjamini and Yekutieli', () => {
    const p = [0.01, 0.04, 0.03, 0.005, 0.9];
    const bh = falseDiscovery(p);
    expect([...bh.qValues].map((v) => Number(v.toFixed(6)))).toEqual([0.025, 0.05, 0.05, 0.025, 0.9]);
    expect([...bh.discoveries]).toEqual([1, 1, 1, 1, 0]);
    const by = falseDiscovery(p, { method: 'by' });
    expect(by.qValues[3]).toBeCloseTo(0.025 * (1 + 1 / 2 + 1 / 3 + 1 / 4 + 1 / 5), 12);
    expect(by.count).toBeLessThan(bh.count);
    expect(() => falseDiscovery([2])).toThrow(InvalidArgumentError);
    expect(falseDiscovery([]).count).toBe(0);
  });
});

describe('pooledPValues', () => {
  it('resolves further than the surrogates of one estimate', () => {
    const null_ = (i: number) => Float64Array.from({ length: 20 }, (_, s) => Math.sin(37 * (s + 20 * i)));
    const p = pooledPValues(Array.from({ length: 50 }, (_, i) => ({ te: i === 0 ? 9 : 0, surrogates: null_(i) })));
    expect(p[0]).toBeCloseTo(1 / 1001, 12);
    expect(p[1]).toBeGreaterThan(0.2);
    expect(() => pooledPValues([{ te: 0, surrogates: [1] }])).toThrow(InvalidArgumentError);
  });
});

describe('localOutliers', () => {
  it('names the moments far from the usual', () => {
    const locals = Float64Array.from({ length: 101 }, (_, i) => Math.sin(i) / 10);
    locals[40] = 5;
    locals[41] = -3;
    expect(localOutliers(locals).map((o) => o.index)).toEqual([40, 41]);
    expect(localOutliers(new Float64Array(10))).toEqual([]);
  });
});
