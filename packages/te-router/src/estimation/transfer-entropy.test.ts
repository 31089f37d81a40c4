import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { InvalidArgumentError } from '@x/cuda-core';
import { describe, expect, it } from 'vitest';
import { addon } from '../native';
import { checkOptions, type EstimatorName, type TransferEntropyOptions } from './estimation-options';
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
  auto_k_max: number;
  auto_tau_max: number;
  kernel_width: number;
  base: number;
  binning: string;
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
    auto_k?: number;
    auto_k_tau?: number;
    auto_l?: number;
    auto_l_tau?: number;
  };
}
interface Reference {
  datasets: Record<string, { rows: number[][] }>;
  cases: Case[];
  network: { dataset: string; te_nats: number[][] };
}

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..', '..');
const file = join(
  process.env.X_REFERENCE_DIR ?? join(root, '..', 'shared'),
  'reference',
  'te',
  'reference_public.json',
);
const reference: Reference | undefined = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined;
if (!reference) console.warn(`SKIPPED reference data absent: ${file}`);

const column = (rows: number[][], c: number) => Float64Array.from(rows, (row) => row[c]!);
const estimatorOf = (name: string) =>
  (name === 'discrete' ? 'binned' : name.replace(/^(cond|mv)/, '')) as EstimatorName;
const EMBED: Record<string, NonNullable<TransferEntropyOptions['embedding']>> = {
  NONE: 'given',
  RAGWITZ: 'ragwitz',
  RAGWITZ_DEST_ONLY: 'ragwitz-target',
  MAX_CORR_AIS: 'max-ais',
  MAX_CORR_AIS_DEST_ONLY: 'max-ais-target',
  MAX_CORR_AIS_AND_TE: 'max-ais-te',
};
const optionsOf = (c: Case): TransferEntropyOptions => ({
  estimator: estimatorOf(c.estimator),
  k: c.knn,
  targetHistory: c.k_history,
  targetTau: c.k_tau,
  sourceHistory: c.l_history,
  sourceTau: c.l_tau,
  delay: c.delay,
  theiler: c.theiler,
  normalise: c.normalise,
  kernelWidth: c.kernel_width,
  ...(c.base > 0 && { bins: c.base, binning: c.binning === 'equal_frequency' ? 'equal-frequency' : 'equal-width' }),
  embedding: EMBED[c.auto_embed_method]!,
  maxHistory: c.auto_k_max,
  maxTau: c.auto_tau_max,
  device: 'cpu',
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

  const cases = reference?.cases ?? [];
  it.skipIf(!reference)('are 99', () => expect(cases).toHaveLength(99));

  it.each(cases.map((c) => [c.id, c.estimator, c.dataset, c] as const))('%s %s on %s', async (_id, _name, _data, c) => {
    const rows = reference!.datasets[c.dataset]!.rows.slice(c.start, c.start + c.length);
    const source = c.source_columns.map((at) => column(rows, at));
    const target = column(rows, c.target_column);
    const conditions = c.condition_columns.map((at) => column(rows, at));
    const r = await transferEntropy(source, target, {
      ...optionsOf(c),
      conditions,
      locals: c.jidt.local_first50 !== undefined,
    });
    // Values on sums of another order: ties of the heart data part differently (see the anchors of the reference).
    const tolerance = c.dataset === 'sfi' ? 1e-3 : 1e-9;
    expect(Math.abs(r.te - c.jidt.te_nats)).toBeLessThanOrEqual(tolerance);
    expect(r.samples).toBe(c.jidt.n_obs);
    if (c.jidt.auto_k !== undefined)
      expect(r.embedding).toMatchObject({
        targetHistory: c.jidt.auto_k,
        targetTau: c.jidt.auto_k_tau,
        sourceHistory: c.jidt.auto_l,
        sourceTau: c.jidt.auto_l_tau,
      });
    c.jidt.local_first50?.slice(r.embedding.first).forEach((v, i) => {
      expect(r.locals![i]).toBeCloseTo(v, 9);
    });
    if (c.estimator === 'gaussian' && c.jidt.analytic_p_chi2 !== undefined && c.dataset !== 'constant_source')
      expect(r.analyticPValue).toBeCloseTo(c.jidt.analytic_p_chi2, 9);
  });

  // The reference's discrete surrogates shuffle an unordered expansion, so only their distribution could be compared.
  const drawn = cases.filter((c) => c.n_surrogates > 0 && c.jidt.surrogate_first10 && c.estimator !== 'discrete');
  it.each(drawn.map((c) => [c.id, c.estimator, c] as const))('%s %s: every seeded surrogate', async (_id, _name, c) => {
    const rows = reference!.datasets[c.dataset]!.rows.slice(c.start, c.start + c.length);
    const n = c.jidt.n_obs;
    const { native } = checkOptions({ ...optionsOf(c), surrogates: c.n_surrogates, interval: false }, 'transfer');
    native.permutations = permutations(c.surrogate_seed, c.n_surrogates, n);
    const r = await addon().estimate(
      column(rows, c.source_columns[0]!),
      column(rows, c.target_column),
      new Float64Array(0),
      c.length,
      native,
      false,
      { cancel: new Int32Array(1) },
    );
    const digits = c.dataset === 'sfi' ? 2 : 8;
    c.jidt.surrogate_first10!.forEach((expected, s) => {
      expect(r.surrogates[s]).toBeCloseTo(expected, digits);
    });
    expect(r.surrogateMean).toBeCloseTo(c.jidt.surrogate_mean!, digits);
    expect(r.surrogateStd).toBeCloseTo(c.jidt.surrogate_std!, digits);
  });

  it.each(
    cases.filter((c) => /ksg/.test(c.estimator) && c.auto_embed_method === 'NONE').map((c) => [c.id, c] as const),
  )('%s in fp32 within 1e-5 on untied data', async (_id, c) => {
    if (['sfi', 'quantised', 'integers', 'scaled'].includes(c.dataset)) return;
    const rows = reference!.datasets[c.dataset]!.rows.slice(c.start, c.start + c.length);
    const source = c.source_columns.map((at) => column(rows, at));
    const conditions = c.condition_columns.map((at) => column(rows, at));
    const { te } = await transferEntropy(source, column(rows, c.target_column), {
      ...optionsOf(c),
      conditions,
      precision: 'f32',
    });
    expect(Math.abs(te - c.jidt.te_nats)).toBeLessThanOrEqual(c.normalise ? 1e-5 : 1e-4);
  });

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
    const failure = await transferEntropy(x, y, { estimator: 'magic' as never }).catch((e) => e);
    expect(failure).toBeInstanceOf(InvalidArgumentError);
    expect(failure.message).toMatch(/'ksg1', 'gaussian', 'ksg2', 'kernel', 'binned'/);
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
