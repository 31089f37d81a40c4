import { existsSync, readFileSync } from 'node:fs';
import { InvalidArgumentError, setThreads, threads, UnsupportedError } from '@x/cuda-core';
import { describe, expect, it } from 'vitest';
import { mergeNetworks, type TransferEntropyNetwork, transferEntropy, transferEntropyNetwork } from '../index';
import { linearNetwork } from './network.test-util';

const row = (series: { values: Float64Array; samples: number }, v: number) =>
  series.values.slice(v * series.samples, (v + 1) * series.samples);
const cpu = { device: 'cpu' } as const;

const referencePath = `${process.env.X_REFERENCE_DIR ?? new URL('../../../../../shared', import.meta.url).pathname}/reference/te/reference_public.json`;

describe('a network of pairs', () => {
  it.skipIf(!existsSync(referencePath) && !process.env.X_REQUIRE_REFERENCE)(
    'equals JIDT in all 380 entries of the 20 x 20 reference',
    async () => {
      const reference = JSON.parse(readFileSync(referencePath, 'utf8'));
      const rows = reference.datasets.net20.rows as number[][];
      const variables = 20;
      const values = Float64Array.from(
        { length: variables * rows.length },
        (_, m) => rows[m % rows.length]![Math.floor(m / rows.length)]!,
      );
      const { te } = await transferEntropyNetwork({ values, variables, samples: rows.length }, cpu);
      let worst = 0;
      for (let x = 0; x < variables; x++)
        for (let y = 0; y < variables; y++)
          worst = Math.max(worst, Math.abs(te[x * variables + y]! - reference.network.te_nats[x][y]));
      expect(worst).toBeLessThan(1e-9);
    },
  );

  it('gives each pair what transferEntropy gives it, noise, surrogates and lags included', async () => {
    const series = linearNetwork(4, 220, [
      [0, 1, 0.6, 1],
      [1, 2, 0.6, 2],
    ]);
    for (const options of [
      { k: 3, targetHistory: 2, sourceHistory: 2, sourceTau: 2, theiler: 3 },
      { noise: 0.01, seed: 5, surrogates: 19 },
      { estimator: 'gaussian', targetHistory: 3, sourceHistory: 2, delay: 2 },
    ] as const) {
      const network = await transferEntropyNetwork(series, { ...options, ...cpu });
      for (const [x, y] of [
        [0, 1],
        [1, 0],
        [3, 2],
      ] as const) {
        const alone = await transferEntropy(row(series, x), row(series, y), { ...options, ...cpu });
        expect(network.te[x * 4 + y]).toBeCloseTo(alone.te, 12);
        if (network.pValue) expect(network.pValue[x * 4 + y]).toBe(alone.pValue);
        expect(network.samples).toBe(alone.samples);
      }
    }
  });

  it('keeps the best of several delays, each estimated as alone', async () => {
    const series = linearNetwork(3, 400, [[0, 1, 0.7, 3]], 2);
    const { te, lag } = await transferEntropyNetwork(series, { maxLag: 4, ...cpu });
    expect(lag![1]).toBe(3);
    const alone = await transferEntropy(row(series, 0), row(series, 1), { delay: 3, ...cpu });
    expect(te[1]).toBeCloseTo(alone.te, 12);
  });

  it('finds the links that are there, with the false-discovery rate under control', async () => {
    const drives: [number, number, number, number][] = [
      [0, 1, 0.6, 1],
      [2, 3, 0.6, 1],
      [4, 5, -0.6, 1],
    ];
    const series = linearNetwork(8, 500, drives, 3);
    for (const options of [
      { estimator: 'ksg1', surrogates: 99 },
      { estimator: 'gaussian', analytic: true },
    ] as const) {
      const { links, pValue } = await transferEntropyNetwork(series, { ...options, alpha: 0.2, ...cpu });
      const found = new Set(links.map(({ source, target }) => `${source}-${target}`));
      for (const [s, t] of drives) expect(found).toContain(`${s}-${t}`);
      expect(links.length).toBeLessThanOrEqual(5);
      for (const link of links) {
        expect(link.qValue).toBeLessThanOrEqual(0.2);
        expect(link.qValue).toBeGreaterThanOrEqual(pValue![link.source * 8 + link.target]!);
      }
    }
  });

  it('stops drawing for pairs that clearly fail, and leaves the others their p-value', async () => {
    const series = linearNetwork(5, 200, [[0, 1, 0.8, 1]], 4);
    const full = await transferEntropyNetwork(series, { surrogates: 199, seed: 2, ...cpu });
    const stopped = await transferEntropyNetwork(series, { surrogates: 199, seed: 2, stopAfter: 5, ...cpu });
    expect(stopped.pValue![1]).toBe(full.pValue![1]);
    expect(stopped.surrogates).toBeLessThan(full.surrogates / 2);
    // The verdicts agree; early p-values themselves are coarse.
    for (let m = 0; m < 25; m++) if (full.pValue![m]! > 0.3) expect(stopped.pValue![m]!).toBeGreaterThan(0.05);
    const pooled = await transferEntropyNetwork(series, { surrogates: 25, null: 'pooled', ...cpu });
    expect(pooled.pValue![1]).toBeLessThan(0.02);
  });

  it('gives binned values of both binnings, and 0 on the diagonal and for constant series', async () => {
    const series = linearNetwork(4, 300, [[0, 1, 0.9, 1]], 5);
    series.values.fill(7, 2 * 300, 3 * 300);
    for (const binning of ['equal-width', 'equal-frequency'] as const) {
      const { te } = await transferEntropyNetwork(series, { estimator: 'binned', bins: 4, binning, ...cpu });
      expect(te[1]).toBeGreaterThan(te[4]! + 0.05);
      for (let v = 0; v < 4; v++) {
        expect(te[v * 5]).toBe(0);
        expect(te[2 * 4 + v]).toBeCloseTo(0, 12);
        expect(te[v * 4 + 2]).toBeCloseTo(0, 12);
      }
    }
    const { te } = await transferEntropyNetwork(series, cpu);
    for (let v = 0; v < 4; v++) expect([te[8 + v], te[v * 4 + 2]]).toEqual([0, 0]);
  });

  it('tests what the screen keeps and says of the rest that it was not', async () => {
    const series = linearNetwork(
      6,
      300,
      [
        [0, 1, 0.9, 1],
        [2, 3, 0.9, 1],
      ],
      6,
    );
    const { te, pValue, links } = await transferEntropyNetwork(series, {
      surrogates: 199,
      screen: { keep: 0.1 },
      alpha: 0.3,
      ...cpu,
    });
    expect(links.map(({ source, target }) => [source, target])).toEqual(
      expect.arrayContaining([
        [0, 1],
        [2, 3],
      ]),
    );
    const left = te.filter(Number.isNaN).length;
    expect(left).toBeGreaterThanOrEqual(24);
    te.forEach((value, m) => {
      if (Number.isNaN(value)) expect(pValue![m]).toBe(1);
    });
  });
});

describe('determinism', () => {
  const series = linearNetwork(
    7,
    150,
    [
      [0, 1, 0.5, 1],
      [1, 2, 0.5, 1],
    ],
    7,
  );
  const same = (a: TransferEntropyNetwork, b: TransferEntropyNetwork) => {
    expect(a.te).toEqual(b.te);
    expect(a.pValue).toEqual(b.pValue);
    expect(a.lag).toEqual(b.lag);
    expect(a.links).toEqual(b.links);
  };
  for (const options of [
    { surrogates: 19, maxLag: 2 },
    { estimator: 'gaussian', method: 'multivariate', maxLag: 2 },
    { method: 'multivariate', maxLag: 2, surrogates: 19 },
  ] as const) {
    it(`parts of ${JSON.stringify(options)} merge to the bits of the whole, on any number of threads`, async () => {
      const before = threads();
      setThreads(4);
      const whole = await transferEntropyNetwork(series, { ...options, ...cpu });
      setThreads(1);
      const parts: TransferEntropyNetwork[] = [];
      for (const targets of [
        [4, 7],
        [0, 1],
        [1, 4],
      ] as const)
        parts.push(await transferEntropyNetwork(series, { ...options, targets, ...cpu }));
      setThreads(before);
      same(mergeNetworks(parts), whole);
      expect(Number.isNaN(parts[1]!.te[3]!)).toBe(true);
      expect(() => mergeNetworks(parts.slice(0, 2))).toThrow(InvalidArgumentError);
    });
  }
});

describe('multivariate inference', () => {
  it('leaves out the indirect link and the common driver that pairs show', async () => {
    // 0 -> 1 -> 2 is a chain; 3 drives 4 and, later, 5.
    const drives: [number, number, number, number][] = [
      [0, 1, 0.8, 1],
      [1, 2, 0.8, 1],
      [3, 4, 0.8, 1],
      [3, 5, 0.8, 2],
    ];
    const series = linearNetwork(6, 800, drives, 8);
    const pairs = await transferEntropyNetwork(series, { estimator: 'gaussian', maxLag: 3, alpha: 0.01, ...cpu });
    const names = (n: TransferEntropyNetwork) => new Set(n.links.map(({ source, target }) => `${source}-${target}`));
    expect(names(pairs)).toContain('0-2');
    expect(names(pairs)).toContain('4-5');
    const network = await transferEntropyNetwork(series, {
      estimator: 'gaussian',
      method: 'multivariate',
      maxLag: 3,
      alpha: 0.01,
      ...cpu,
    });
    expect(names(network)).toEqual(new Set(['0-1', '1-2', '3-4', '3-5']));
    expect(network.links.find(({ target }) => target === 5)?.lag).toBe(2);
  });

  it('makes hardly any link where nothing drives anything, and says what each link is worth', async () => {
    let networks = 0;
    for (let seed = 100; seed < 110; seed++) {
      const series = linearNetwork(12, 250, [], seed);
      const { links } = await transferEntropyNetwork(series, {
        estimator: 'gaussian',
        method: 'multivariate',
        maxLag: 2,
        ...cpu,
      });
      networks += links.length > 0 ? 1 : 0;
    }
    expect(networks).toBeLessThanOrEqual(2); // each with a probability of 0.05
    const one = await transferEntropyNetwork(linearNetwork(12, 400, [[3, 7, 0.6, 1]], 5), {
      method: 'multivariate',
      maxLag: 1,
      surrogates: 40,
      targets: [6, 9],
      ...cpu,
    });
    // A link among many tests passes with few surrogates, by the tail of their law.
    expect(one.links.map(({ source, target }) => [source, target])).toContainEqual([3, 7]);
    for (const { pValue, qValue } of one.links) {
      expect(qValue).toBeLessThanOrEqual(0.05);
      expect(qValue).toBeGreaterThanOrEqual(pValue as number);
    }
  });

  it('finds with KSG a link that has no correlation', async () => {
    const series = linearNetwork(3, 500, [], 9);
    const { values, samples } = series;
    for (let t = 1; t < samples; t++) values[samples + t]! += 1.2 * (values[t - 1]! ** 2 - 1);
    const linear = await transferEntropyNetwork(series, {
      estimator: 'gaussian',
      method: 'multivariate',
      maxLag: 1,
      ...cpu,
    });
    const network = await transferEntropyNetwork(series, { method: 'multivariate', maxLag: 1, surrogates: 99, ...cpu });
    expect(linear.links.some(({ source, target }) => source === 0 && target === 1)).toBe(false);
    expect(network.links.map(({ source, target }) => [source, target])).toEqual([[0, 1]]);
  });
});

describe('what is refused', () => {
  const series = linearNetwork(3, 60, [], 10);
  const cases: [string, object, object, new (...args: never[]) => Error, string][] = [
    [
      'one variable',
      { values: new Float64Array(60), variables: 1, samples: 60 },
      {},
      InvalidArgumentError,
      'variables',
    ],
    ['a wrong length', { ...series, samples: 61 }, {}, InvalidArgumentError, 'values'],
    [
      'NaN',
      { ...series, values: series.values.map((v, m) => (m === 70 ? Number.NaN : v)) },
      {},
      InvalidArgumentError,
      'values',
    ],
    [
      'infinity',
      { ...series, values: series.values.map((v, m) => (m === 70 ? Number.POSITIVE_INFINITY : v)) },
      {},
      InvalidArgumentError,
      'values',
    ],
    ['too few samples', series, { k: 40, theiler: 20 }, InvalidArgumentError, 'samples'],
    ['a negative delay', series, { delay: -1 }, InvalidArgumentError, 'delay'],
    ['a largest lag below the delay', series, { delay: 3, maxLag: 2 }, InvalidArgumentError, 'maxLag'],
    ['no estimator of that name', series, { estimator: 'magic' }, InvalidArgumentError, 'estimator'],
    ['an analytic test of KSG', series, { analytic: true }, UnsupportedError, 'analytic'],
    ['targets beyond the variables', series, { targets: [1, 4] }, InvalidArgumentError, 'targets'],
    [
      'too many joint states',
      series,
      { estimator: 'binned', bins: 64, targetHistory: 4 },
      InvalidArgumentError,
      'bins',
    ],
    [
      'surrogates that cannot reach alpha',
      series,
      { method: 'multivariate', surrogates: 5, alpha: 0.05 },
      InvalidArgumentError,
      'surrogates',
    ],
  ];
  for (const [what, data, options, type, field] of cases)
    it(`${what}: a typed error that names ${field}`, async () => {
      const error = await transferEntropyNetwork(data as never, { ...cpu, ...options } as never).catch((e) => e);
      expect(error).toBeInstanceOf(type);
      expect(error.field).toBe(field);
    });

  it('an abort ends the call with its reason', async () => {
    const abort = new AbortController();
    const call = transferEntropyNetwork(linearNetwork(40, 2000, [], 11), {
      signal: abort.signal,
      surrogates: 500,
      ...cpu,
    });
    setTimeout(() => abort.abort(new Error('enough')), 20);
    await expect(call).rejects.toThrow('enough');
  });

  it('progress counts targets up to all of them', async () => {
    const seen: number[] = [];
    await transferEntropyNetwork(linearNetwork(12, 300, [], 12), {
      onProgress: (done, total) => seen.push(done / total),
      ...cpu,
    });
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(seen.at(-1)).toBe(1);
  });

  it('tied values give the values of the definition, never NaN', async () => {
    const { values, ...rest } = linearNetwork(5, 300, [[0, 1, 0.8, 1]], 13);
    const { te } = await transferEntropyNetwork({ values: values.map(Math.round), ...rest }, cpu);
    expect(te.every(Number.isFinite)).toBe(true);
  });
});
