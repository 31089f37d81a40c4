import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { InvalidArgumentError, UnsupportedError } from '@x/cuda-core';
import { describe, expect, it } from 'vitest';
import { addon } from './native';
import { transferEntropy } from './transfer-entropy';

interface Case {
  id: string;
  dataset: string;
  estimator: string;
  source_columns: number[];
  target_column: number;
  condition_columns: number[];
  target_columns?: number[];
  start: number;
  length: number;
  k_history: number;
  k_tau: number;
  l_history: number;
  l_tau: number;
  delay: number;
  knn: number;
  normalise: boolean;
  theiler: number;
  auto_embed_method: string;
  n_surrogates: number;
  surrogate_seed: number;
  jidt: {
    te_nats: number;
    n_obs: number;
    local_first50?: number[];
    surrogate_first10?: number[];
    surrogate_mean?: number;
    surrogate_std?: number;
    analytic_p_chi2?: number;
  };
}
interface Reference {
  datasets: Record<string, { rows: number[][] }>;
  cases: Case[];
  network: { dataset: string; te_nats: number[][] };
}

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
const file = join(
  process.env.X_REFERENCE_DIR ?? join(root, '..', 'shared'),
  'reference',
  'te',
  'reference_public.json',
);
const reference: Reference | undefined = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined;
if (!reference) console.warn(`SKIPPED reference data absent: ${file}`);

const column = (rows: number[][], c: number) => Float64Array.from(rows, (row) => row[c]!);
const embeddingOf = (c: Case) => ({
  k: c.knn,
  targetHistory: c.k_history,
  targetTau: c.k_tau,
  sourceHistory: c.l_history,
  sourceTau: c.l_tau,
  delay: c.delay,
  theiler: c.theiler,
  normalise: c.normalise,
});

/** The reference's own permutations: Fisher-Yates over one continuing splitmix64 stream. */
function permutations(seed: number, count: number, n: number): Int32Array {
  let state = BigInt(seed);
  const mask = (1n << 64n) - 1n;
  const next = () => {
    state = (state + 0x9e3779b97f4a7c15n) & mask;
    let z = state;
    z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & mask;
    z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & mask;
    return z ^ (z >> 31n);
  };
  const out = new Int32Array(count * n);
  for (let s = 0; s < count; s++) {
    const rows = out.subarray(s * n, (s + 1) * n);
    for (let i = 0; i < n; i++) rows[i] = i;
    for (let i = n - 1; i >= 1; i--) {
      const j = Math.floor(Number(next() >> 11n) * 2 ** -53 * (i + 1));
      [rows[i], rows[j]] = [rows[j]!, rows[i]!];
    }
  }
  return out;
}

describe('published values', () => {
  it('are there when they are required', () => {
    if (process.env.X_REQUIRE_REFERENCE === '1') expect(reference, file).toBeDefined();
  });

  const known = {
    ksg1: 'ksg1',
    condksg1: 'ksg1',
    mvksg1: 'ksg1',
    gaussian: 'gaussian',
    condgaussian: 'gaussian',
  } as const;
  const cases = (reference?.cases ?? []).filter((c) => c.auto_embed_method === 'NONE' && c.estimator in known);
  it.skipIf(!reference)('cover every case of the implemented estimators', () => {
    expect(cases.filter((c) => known[c.estimator as keyof typeof known] === 'ksg1')).toHaveLength(53);
    expect(cases).toHaveLength(64);
  });
  it.each(cases.map((c) => [c.id, c.estimator, c.dataset, c] as const))(
    '%s %s on %s',
    async (_id, name, dataset, c) => {
      const rows = reference!.datasets[dataset]!.rows.slice(c.start, c.start + c.length);
      const estimator = known[name as keyof typeof known];
      const result = await transferEntropy(
        c.source_columns.map((i) => column(rows, i)),
        column(rows, c.target_column),
        {
          ...embeddingOf(c),
          estimator,
          device: 'cpu',
          locals: c.jidt.local_first50 !== undefined,
          ...(c.condition_columns.length > 0 && { conditions: c.condition_columns.map((i) => column(rows, i)) }),
        },
      );
      expect(result.samples).toBe(c.jidt.n_obs);
      expect(Math.abs(result.te - c.jidt.te_nats)).toBeLessThanOrEqual(1e-9);
      // For a constant source the table holds 0, a chi-squared without degrees of freedom; ours is 1: no evidence at all.
      if (c.dataset === 'constant_source') expect(result.analyticPValue ?? 1).toBe(1);
      else if (c.jidt.analytic_p_chi2 !== undefined)
        expect(result.analyticPValue).toBeCloseTo(c.jidt.analytic_p_chi2, 9);
      if (result.locals) {
        // Published with a zero for each sample before the first predicted one.
        const padded = [...new Array(result.embedding.first).fill(0), ...result.locals].slice(0, 50);
        padded.forEach((v, i) => {
          expect(v).toBeCloseTo(c.jidt.local_first50![i]!, 9);
        });
      }
    },
  );

  const permuted = cases.filter((c) => c.jidt.surrogate_first10 && c.estimator in { ksg1: 1, gaussian: 1 });
  it.each(permuted.map((c) => [c.id, c.estimator, c] as const))(
    '%s %s: the same permutations give the same surrogates',
    async (_id, name, c) => {
      const rows = reference!.datasets[c.dataset]!.rows.slice(c.start, c.start + c.length);
      const n = c.jidt.n_obs;
      const result = await addon().estimate(
        column(rows, c.source_columns[0]!),
        column(rows, c.target_column),
        new Float64Array(0),
        c.length,
        {
          ...embeddingOf(c),
          estimator: name === 'ksg1' ? 1 : 2,
          noise: 0,
          surrogates: c.n_surrogates,
          seed: 0,
          device: { kind: 1, index: 0 },
          permutations: permutations(c.surrogate_seed, c.n_surrogates, n),
        },
        false,
        { cancel: new Int32Array(1) },
      );
      c.jidt.surrogate_first10!.forEach((expected, s) => {
        expect(result.surrogates[s]).toBeCloseTo(expected, 9);
      });
      expect(result.surrogateMean).toBeCloseTo(c.jidt.surrogate_mean!, 9);
      expect(result.surrogateStd).toBeCloseTo(c.jidt.surrogate_std!, 9);
    },
  );

  it.skipIf(!reference)('of the whole 20 x 20 network', async () => {
    const { dataset, te_nats } = reference!.network;
    const columns = te_nats.map((_, v) => column(reference!.datasets[dataset]!.rows, v));
    for (const [i, source] of columns.entries()) {
      for (const [j, target] of columns.entries()) {
        if (i === j) continue;
        const { te } = await transferEntropy(source, target, { device: 'cpu' });
        expect(Math.abs(te - te_nats[i]![j]!)).toBeLessThanOrEqual(1e-9);
      }
    }
  });
});

/** x drives y by `coupling`; a small generator of its own, so that the tests do not lean on what they test. */
function coupled(n: number, coupling: number, seed = 1): [Float64Array, Float64Array] {
  let state = seed * 7919 + 13;
  const uniform = () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
  const normal = () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  const x = new Float64Array(n);
  const y = new Float64Array(n);
  for (let t = 1; t < n; t++) {
    y[t] = 0.6 * y[t - 1]! + coupling * x[t - 1]! + normal();
    x[t] = 0.5 * x[t - 1]! + normal();
  }
  return [x, y];
}

describe('transferEntropy', () => {
  const [x, y] = coupled(600, 0.7);

  it('is large and significant along a coupling, small against it', async () => {
    const forward = await transferEntropy(x, y, { surrogates: 99, seed: 3 });
    const backward = await transferEntropy(y, x, { surrogates: 99, seed: 3 });
    expect(forward.te).toBeGreaterThan(0.1);
    expect(forward.pValue).toBeCloseTo(0.01, 12);
    expect(Math.abs(backward.te)).toBeLessThan(0.06);
    expect(backward.pValue).toBeGreaterThan(0.05);
  });

  it('gives the same for the same seed, others for another', async () => {
    const options = { surrogates: 20, noise: 1e-8, seed: 5 };
    const [a, b, c] = await Promise.all([
      transferEntropy(x, y, options),
      transferEntropy(x, y, options),
      transferEntropy(x, y, { ...options, seed: 6 }),
    ]);
    expect(b).toEqual(a);
    expect(c.surrogateMean).not.toBe(a.surrogateMean);
  });

  it('vanishes when the driver itself is among the conditions', async () => {
    const { te } = await transferEntropy(x, y, { conditions: x });
    expect(Math.abs(te)).toBeLessThan(0.05);
  });

  it('is 0 for a constant source or target', async () => {
    const flat = new Float64Array(600).fill(0.3);
    for (const estimator of ['ksg1', 'gaussian'] as const) {
      expect(await transferEntropy(flat, y, { estimator, surrogates: 9 })).toMatchObject({ te: 0, pValue: 1 });
      expect(await transferEntropy(x, flat, { estimator })).toMatchObject({ te: 0 });
    }
  });

  it('copies its input before it returns', async () => {
    const own = Float64Array.from(x);
    const promise = transferEntropy(own, y);
    own.fill(0);
    expect((await promise).te).toBe((await transferEntropy(x, y)).te);
  });

  it.each([
    ['source', () => [Float64Array.from(x, (v, i) => (i === 17 ? Number.NaN : v)), y, {}], /NaN at index 17/],
    [
      'target',
      () => [x, Float64Array.from(y, (v, i) => (i === 3 ? Number.POSITIVE_INFINITY : v)), {}],
      /Infinity at index 3/,
    ],
    ['source', () => [x.subarray(1), y, {}], /599 samples where 600/],
    ['source', () => [[], y, {}], /non-empty/],
    ['samples', () => [x.subarray(0, 5), y.subarray(0, 5), {}], /at least 6 samples/],
    ['samples', () => [x, y, { theiler: 300 }], /too few/],
    ['samples', () => [x, y, { sourceHistory: 2_000_000_000, sourceTau: 2_000_000_000 }], /too few/],
    ['delay', () => [x, y, { delay: -1 }], /-1/],
    ['sourceTau', () => [x, y, { sourceTau: 0 }], /0/],
    ['k', () => [x, y, { k: 1.5 }], /integer/],
    ['noise', () => [x, y, { noise: Number.NaN }], /NaN/],
    ['seed', () => [x, y, { seed: -1 }], /seed/],
    ['target', () => [new Float64Array(0), new Float64Array(0), {}], /no samples/],
  ] as const)('refuses a wrong %s', async (field, make, message) => {
    const [source, target, options] = make();
    const failure = await transferEntropy(source as never, target as never, options).catch((e) => e);
    expect(failure).toBeInstanceOf(InvalidArgumentError);
    expect(failure.field).toBe(field);
    expect(failure.message).toMatch(message);
  });

  it('names the estimators that exist', async () => {
    const failure = await transferEntropy(x, y, { estimator: 'kernel' as never }).catch((e) => e);
    expect(failure).toBeInstanceOf(UnsupportedError);
    expect(failure.message).toMatch(/ksg1 and gaussian/);
  });

  it('stops when it is aborted, and tells its progress', async () => {
    const [a, b] = coupled(3000, 0.4);
    const abort = new AbortController();
    const stopped = transferEntropy(a, b, { surrogates: 1_000_000, device: 'cpu', signal: abort.signal });
    setTimeout(() => abort.abort(new Error('enough')), 20);
    await expect(stopped).rejects.toThrow('enough');
    const seen: number[] = [];
    await transferEntropy(x, y, { surrogates: 64, device: 'cpu', onProgress: (done) => seen.push(done) });
    await new Promise((resolve) => setImmediate(resolve));
    expect(seen.at(-1)).toBe(64);
  });
});
