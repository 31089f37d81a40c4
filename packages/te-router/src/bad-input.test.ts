import { InvalidArgumentError, LimitExceededError, XError } from '@x/cuda-core';
import { describe, expect, it } from 'vitest';
import {
  adjacency,
  conditionalTransferEntropy,
  DriftDetector,
  falseDiscovery,
  linksCsv,
  localOutliers,
  matrixCsv,
  mergeNetworks,
  mutualInformation,
  networkGraphml,
  networkHtml,
  pooledPValues,
  QueryRouter,
  type TransferEntropyOptions,
  TransferEntropyStream,
  transferEntropy,
  transferEntropyNetwork,
} from './index';

// What may come in wrong, for every estimator: a typed error that names the field, or the documented value; never NaN.

const ESTIMATORS = ['ksg1', 'ksg2', 'gaussian', 'kernel', 'binned'] as const;
const N = 240;

function pair(): [Float64Array, Float64Array] {
  let state = 20011;
  const uniform = () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
  const normal = () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  const x = new Float64Array(N);
  const y = new Float64Array(N);
  for (let t = 1; t < N; t++) {
    y[t] = 0.5 * y[t - 1]! + 0.7 * x[t - 1]! + normal();
    x[t] = 0.4 * x[t - 1]! + normal();
  }
  return [x, y];
}
const [x, y] = pair();
const at = (series: Float64Array, index: number, value: number) => series.map((v, i) => (i === index ? value : v));
const flat = new Float64Array(N).fill(0.1);
function transferred<T extends Float64Array | Uint8Array>(series: T): T {
  const copy = series.slice() as T;
  structuredClone(copy.buffer, { transfer: [copy.buffer as ArrayBuffer] });
  return copy;
}
function holed(series: Float64Array): Float64Array[] {
  const list = [series, series, series];
  delete list[1];
  return list;
}

type Call = readonly [source: unknown, target: unknown, options?: Partial<TransferEntropyOptions>];
/** Wrong for all: the field that the error names. */
const REFUSED: Record<string, readonly [field: string, ...call: Call]> = {
  'NaN in the source': ['source', at(x, 5, Number.NaN), y],
  'NaN in the target': ['target', x, at(y, 5, Number.NaN)],
  'an infinite source': ['source', at(x, N - 1, Number.NEGATIVE_INFINITY), y],
  'an infinite target': ['target', x, at(y, 0, Number.POSITIVE_INFINITY)],
  'NaN in a condition': ['conditions', x, y, { conditions: at(x, 9, Number.NaN) }],
  'unequal lengths': ['source', x.subarray(3), y],
  'a condition of another length': ['conditions', x, y, { conditions: x.subarray(1) }],
  'no samples': ['target', new Float64Array(0), new Float64Array(0)],
  'a series that is none': ['source', 'series', y],
  'a series of single precision': ['target', x, Float32Array.from(y)],
  'a sparse array': ['source', new Array(2), y],
  'an array with a hole': ['target', x, holed(y)],
  'a Proxy of a series': ['source', new Proxy(x, {}), y],
  'a source whose buffer was transferred': ['source', transferred(x), y],
  'a target whose buffer was transferred': ['target', x, transferred(y)],
  'more variables than there may be': ['source', new Array(10_001).fill(x), y],
  'a mask whose buffer was transferred': ['mask', x, y, { mask: transferred(new Uint8Array(N)) }],
  'an array of numbers': ['target', x, [1, 2, 3]],
  'a negative delay': ['delay', x, y, { delay: -1 }],
  'a negative target tau': ['targetTau', x, y, { targetTau: -1 }],
  'a negative source tau': ['sourceTau', x, y, { sourceTau: -2 }],
  'a history of 0': ['targetHistory', x, y, { targetHistory: 0 }],
  'a negative source history': ['sourceHistory', x, y, { sourceHistory: -1 }],
  'half a lag': ['delay', x, y, { delay: 1.5 }],
  'k = 0': ['k', x, y, { k: 0 }],
  'a negative Theiler window': ['theiler', x, y, { theiler: -1 }],
  'lags beyond the series': ['samples', x, y, { delay: N }],
  'a negative lag of a condition': ['conditions.delay', x, y, { conditions: [{ series: x, delay: -1 }] }],
  'one sample': ['samples', x.subarray(0, 1), y.subarray(0, 1)],
  'a negative number of surrogates': ['surrogates', x, y, { surrogates: -1 }],
  'negative noise': ['noise', x, y, { noise: -1e-8 }],
};

describe.each(ESTIMATORS)('%s', (estimator) => {
  const options = { estimator, bins: 4, device: 'cpu' } as const;

  it.each(Object.entries(REFUSED))('refuses %s', async (_name, [field, source, target, extra]) => {
    const failure = await transferEntropy(source as never, target as never, { ...options, ...extra }).catch((e) => e);
    expect(failure).toBeInstanceOf(XError);
    if (Array.isArray(source) && source.length > 10_000) expect(failure).toBeInstanceOf(LimitExceededError);
    else expect(failure).toBeInstanceOf(InvalidArgumentError);
    expect(failure.field).toBe(field);
    expect(failure.message.length).toBeGreaterThan(10);
  });

  it('says 0 and p = 1 of a constant source or target, with everything else finite', async () => {
    for (const [source, target] of [
      [flat, y],
      [x, flat],
      [flat, flat],
    ] as const) {
      const r = await transferEntropy(source, target, { ...options, surrogates: 9, locals: true });
      expect(r).toMatchObject({ te: 0, pValue: 1, surrogateMean: 0, surrogateStd: 0 });
      expect([...r.interval!]).toEqual([0, 0]);
      expect(r.locals!.every((v) => v === 0)).toBe(true);
    }
    expect((await mutualInformation(flat, y, options)).mi).toBe(0);
  });

  it('takes a constant condition as none', async () => {
    const with_ = await conditionalTransferEntropy(x, y, flat, options);
    const without = await transferEntropy(x, y, options);
    expect(with_.te).toBeCloseTo(without.te, 9);
  });

  it('gives a finite value for tied, whole and two-valued series', async () => {
    for (const step of [0.5, 1, 100]) {
      const [a, b] = [x, y].map((series) =>
        series.map((v) => Math.round(v / step) * step + (step === 100 ? Math.sign(v) : 0)),
      );
      const r = await transferEntropy(a!, b!, { ...options, surrogates: 9, seed: 1 });
      for (const v of [r.te, r.pValue, r.surrogateMean, r.interval!.low, r.interval!.high])
        expect(Number.isFinite(v)).toBe(true);
    }
  });

  it.each([1e6, 1e9, -1e12])('sees through an offset of %f', async (offset) => {
    // What is left of the values after the offset has rounded them, with and without it.
    const shifted = [x, y].map((series) => series.map((v) => v + offset)) as [Float64Array, Float64Array];
    const rest = shifted.map((series) => series.map((v) => v - offset)) as [Float64Array, Float64Array];
    const a = await transferEntropy(...shifted, options);
    const b = await transferEntropy(...rest, options);
    expect(Math.abs(a.te - b.te)).toBeLessThan(1e-9);
  });

  it('gives the same value for the largest and the smallest numbers', async () => {
    const plain = await transferEntropy(x, y, options);
    for (const exponent of [1000, -1000]) {
      const scaled = (series: Float64Array) => series.map((v) => v * 2 ** exponent);
      const r = await transferEntropy(scaled(x), scaled(y), options);
      // The box kernel measures its widths on raw values: beyond the range of their squares it is finite, no more.
      if (estimator === 'kernel') expect(Number.isFinite(r.te)).toBe(true);
      else expect(Math.abs(r.te - plain.te)).toBeLessThan(1e-9);
    }
    const ends = await transferEntropy(
      x.map((v) => Math.sign(v) * Number.MAX_VALUE),
      y,
      { ...options, surrogates: 9 },
    );
    for (const v of [ends.te, ends.effective, ends.surrogateStd]) expect(Number.isFinite(v)).toBe(true);
  });

  it('refuses fewer samples than k and the Theiler window need, and takes just enough', async () => {
    if (estimator !== 'ksg1' && estimator !== 'ksg2') return; // the others know no k
    for (const [k, theiler] of [
      [4, 0],
      [4, 5],
      [9, 2],
    ] as const) {
      const enough = k + 2 * theiler + 2;
      const few = await transferEntropy(x.subarray(0, enough - 1), y.subarray(0, enough - 1), {
        ...options,
        k,
        theiler,
      }).catch((e) => e);
      expect(few).toBeInstanceOf(InvalidArgumentError);
      expect(few).toMatchObject({ field: 'samples' });
      expect(few.message).toContain(`${enough}`);
      const r = await transferEntropy(x.subarray(0, enough), y.subarray(0, enough), { ...options, k, theiler });
      expect(Number.isFinite(r.te)).toBe(true);
    }
  });

  it('refuses noise beyond the range of numbers', async () => {
    if (estimator === 'binned') return; // takes none
    await expect(transferEntropy(x, y, { ...options, noise: Number.MAX_VALUE })).rejects.toMatchObject({
      field: 'noise',
    });
  });

  it('refuses tuples that lie in a plane whatever they are', async () => {
    if (estimator !== 'gaussian') return;
    const few = (n: number) => transferEntropy(x.subarray(0, n), y.subarray(0, n), { ...options, surrogates: 9 });
    await expect(few(4)).rejects.toMatchObject({ field: 'samples' });
    expect(Number.isFinite((await few(5)).surrogateStd)).toBe(true);
  });

  it('checks what it works on, not what another thread may write to meanwhile', async () => {
    const shared = new Float64Array(new SharedArrayBuffer(8 * N));
    shared.set(x);
    const call = transferEntropy(shared, y, options);
    shared.fill(Number.NaN);
    expect((await call).te).toBe((await transferEntropy(x, y, options)).te);
  });

  it('refuses the same in a stream', () => {
    const stream = new TransferEntropyStream({ window: 60, estimator, bins: 4 });
    expect(() => stream.push(Number.NaN, 0)).toThrow(InvalidArgumentError);
    expect(() => stream.push(x.subarray(0, 4), y.subarray(0, 5))).toThrow(InvalidArgumentError);
    expect(() => stream.push(at(x, 3, Number.POSITIVE_INFINITY), y)).toThrow(InvalidArgumentError);
    expect(stream.seen).toBe(0);
    stream.push(flat, y);
    expect(stream.value()!.te).toBe(0);
    expect(() => new TransferEntropyStream({ window: 1, estimator, bins: 4 })).toThrow(InvalidArgumentError);
    expect(() => new TransferEntropyStream({ window: 60, delay: -1, estimator })).toThrow(InvalidArgumentError);
  });
});

describe.each(['ksg1', 'gaussian', 'binned'] as const)('a network by %s', (estimator) => {
  const both = new Float64Array(2 * N);
  both.set(x);
  both.set(y, N);
  const options = { estimator, bins: 4, device: 'cpu' } as const;

  it.each([
    ['one variable', 'variables', { values: x, variables: 1, samples: N }, {}],
    ['no variable', 'variables', { values: new Float64Array(0), variables: 0, samples: N }, {}],
    ['too few values', 'values', { values: x, variables: 2, samples: N }, {}],
    ['NaN', 'values', { values: at(both, N + 7, Number.NaN), variables: 2, samples: N }, {}],
    ['an infinite value', 'values', { values: at(both, 7, Number.POSITIVE_INFINITY), variables: 2, samples: N }, {}],
    ['a negative delay', 'delay', { values: both, variables: 2, samples: N }, { delay: -1 }],
    ['a largest lag below the delay', 'maxLag', { values: both, variables: 2, samples: N }, { delay: 3, maxLag: 2 }],
    ['series shorter than the lag', 'samples', { values: both.slice(0, 20), variables: 2, samples: 10 }, { delay: 10 }],
  ] as const)('refuses %s', async (_name, field, series, extra) => {
    const failure = await transferEntropyNetwork(series as never, { ...options, ...extra }).catch((e) => e);
    expect(failure).toBeInstanceOf(InvalidArgumentError);
    expect(failure.field).toBe(field);
  });

  it('says 0 and p = 1 of pairs with a constant series', async () => {
    const values = new Float64Array(3 * N);
    values.set(both);
    values.set(flat, 2 * N);
    const r = await transferEntropyNetwork({ values, variables: 3, samples: N }, { ...options, surrogates: 9 });
    for (const pair of [2, 5, 6, 7]) expect([r.te[pair], r.pValue![pair]]).toEqual([0, 1]);
    expect(r.te.every(Number.isFinite)).toBe(true);
  });
});

describe('what is no network', () => {
  const values = new Float64Array(2 * N);
  values.set(x);
  values.set(y, N);
  const network = () => transferEntropyNetwork({ values, variables: 2, samples: N }, { surrogates: 19, device: 'cpu' });

  it.each([
    ['adjacency', adjacency],
    ['linksCsv', linksCsv],
    ['matrixCsv', matrixCsv],
    ['networkGraphml', networkGraphml],
    ['networkHtml', networkHtml],
    ['mergeNetworks', (part: never) => mergeNetworks([part])],
  ] as const)('is refused by %s', async (_name, write) => {
    const good = await network();
    expect(() => write(good as never)).not.toThrow();
    const link = { source: 0, target: 2, te: 1, lag: 1 };
    for (const bad of [undefined, null, 3, {}, { ...good, te: x }, { ...good, links: 1 }, { ...good, links: [link] }])
      expect(() => write(bad as never)).toThrow(InvalidArgumentError);
  });

  it('is refused by a merge with other targets or matrices than it says', async () => {
    const good = await network();
    for (const bad of [
      { targets: [0, 9] },
      { targets: [1, 1] },
      { targets: 'all' },
      { pValue: x },
      { lag: new Int32Array(3) },
    ])
      expect(() => mergeNetworks([{ ...good, ...bad } as never])).toThrow(InvalidArgumentError);
  });

  it('or too large for its matrix is refused before it is allocated', async () => {
    const series = { values: new Float64Array(100_000), variables: 100_000, samples: 1 };
    await expect(transferEntropyNetwork(series)).rejects.toThrow(LimitExceededError);
  });

  it.each([null, 5, 'all', { keep: -1 }])('is not screened by %j', async (screen) => {
    const failure = await transferEntropyNetwork(
      { values, variables: 2, samples: N },
      { screen: screen as never, device: 'cpu' },
    ).catch((e) => e);
    expect(failure).toBeInstanceOf(InvalidArgumentError);
    expect(failure.field).toMatch(/^screen/);
  });
});

describe('statistics and watches', () => {
  it.each<[string, (bad: never) => unknown]>([
    ['falseDiscovery', (bad) => falseDiscovery(bad)],
    ['falseDiscovery of one', (bad) => falseDiscovery([0.1, bad])],
    ['localOutliers', (bad) => localOutliers(bad)],
    ['localOutliers of one', (bad) => localOutliers([1, 2, bad])],
    ['pooledPValues', (bad) => pooledPValues(bad)],
    ['pooledPValues of one', (bad) => pooledPValues([bad])],
    ['pooledPValues of its surrogates', (bad) => pooledPValues([{ te: 1, surrogates: bad }])],
    ['a drift detector', (bad) => new DriftDetector({ tolerance: bad, falseAlarmEvery: bad })],
    ['an expected quality', (bad) => new DriftDetector().add(bad, 1)],
    ['a quality', (bad) => new DriftDetector().add(1, bad)],
    ['outcomes', (bad) => new QueryRouter({ models: [{ name: 'a', cost: 1 }] }).observeMany(bad)],
  ])('%s refuse what they cannot mean', (_name, call) => {
    for (const bad of ['x', 1n, Symbol('s'), true, new Date()] as never[])
      expect(() => call(bad)).toThrow(InvalidArgumentError);
  });

  it('takes lists of any kind of numbers', () => {
    expect(falseDiscovery(Float32Array.of(0.01, 0.9)).count).toBe(1);
    expect(falseDiscovery({ length: 2, 0: 0.01, 1: 0.9 }).count).toBe(1);
    expect(localOutliers([])).toEqual([]);
  });

  it('refuses no conditions and options that are none', async () => {
    await expect(mutualInformation(x, y, { conditions: null as never })).rejects.toMatchObject({ field: 'conditions' });
    await expect(conditionalTransferEntropy(x, y, [x], 7 as never)).rejects.toMatchObject({ field: 'options' });
    expect(() => new TransferEntropyStream(null as never)).toThrow(InvalidArgumentError);
  });
});
