import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { transferEntropy } from '../index';

// The ways in which KSG's formula is got wrong, each written out here by brute force on published cases: what the package
// gives is the right formula's value and none of theirs. So a change that makes the package do one of these fails.

interface Case {
  id: string;
  dataset: string;
  source_columns: number[];
  target_column: number;
  start: number;
  length: number;
  knn: number;
  jidt: { te_nats: number };
}
const path = `${process.env.X_REFERENCE_DIR ?? new URL('../../../../../shared', import.meta.url).pathname}/reference/te/reference_public.json`;
const reference: { datasets: Record<string, { rows: number[][] }>; cases: Case[] } | undefined = existsSync(path)
  ? JSON.parse(readFileSync(path, 'utf8'))
  : undefined;
if (!reference) console.warn(`SKIPPED reference data absent: ${path}`);

function digammaTable(n: number): Float64Array {
  const psi = new Float64Array(n + 1);
  psi[0] = Number.NaN;
  psi[1] = -0.5772156649015329;
  for (let m = 2; m <= n; m++) psi[m] = psi[m - 1]! + 1 / (m - 1);
  return psi;
}

function normalised(v: Float64Array): Float64Array {
  const mean = v.reduce((a, b) => a + b, 0) / v.length;
  const deviation = Math.sqrt(v.reduce((a, b) => a + (b - mean) ** 2, 0) / (v.length - 1));
  return v.map((u) => (u - mean) / deviation);
}

interface Counts {
  p: number;
  s: number;
  sp: number;
  fp: number;
}

/** Of every tuple its counts, self left out. */
function counts(
  x: Float64Array,
  y: Float64Array,
  k: number,
  how: { scale?: boolean; closed?: boolean; euclid?: boolean },
): Counts[] {
  const bring = how.scale === false ? (v: Float64Array) => v : normalised;
  const [f, p, s] = [bring(y.slice(1)), bring(y.slice(0, -1)), bring(x.slice(0, -1))];
  const n = f.length;
  const joint = new Float64Array(n);
  const inside = how.closed ? (d: number, eps: number) => d <= eps : (d: number, eps: number) => d < eps;
  return Array.from({ length: n }, (_, i) => {
    const nearest = new Array<number>(k).fill(Number.POSITIVE_INFINITY); // ascending
    for (let j = 0; j < n; j++) {
      const [df, dp, ds] = [Math.abs(f[i]! - f[j]!), Math.abs(p[i]! - p[j]!), Math.abs(s[i]! - s[j]!)];
      joint[j] = how.euclid ? Math.hypot(df, dp, ds) : Math.max(df, dp, ds);
      if (j === i || joint[j]! >= nearest[k - 1]!) continue;
      let at = k - 1;
      for (; at > 0 && nearest[at - 1]! > joint[j]!; at--) nearest[at] = nearest[at - 1]!;
      nearest[at] = joint[j]!;
    }
    const eps = nearest[k - 1]!;
    const c: Counts = { p: 0, s: 0, sp: 0, fp: 0 };
    for (let j = 0; j < n; j++) {
      if (j === i) continue;
      const source = inside(Math.abs(s[i]! - s[j]!), eps);
      if (source) c.s++;
      if (!inside(Math.abs(p[i]! - p[j]!), eps)) continue;
      c.p++;
      if (source) c.sp++;
      if (inside(Math.abs(f[i]! - f[j]!), eps)) c.fp++;
    }
    return c;
  });
}

/** psi(k) + mean of psi(n_P + plus) - psi(n_SP + plus) - psi(n_FP + plus). */
function value(of: Counts[], k: number, plus: number): number {
  const psi = digammaTable(of.length + 3);
  return psi[k]! + of.reduce((sum, c) => sum + psi[c.p + plus]! - psi[c.sp + plus]! - psi[c.fp + plus]!, 0) / of.length;
}

/** psi(k) + psi(n_x) - psi(n_xy) - psi(N), averaged: often printed, and no transfer entropy. */
function printed(of: Counts[], k: number): number {
  const psi = digammaTable(of.length + 3);
  return psi[k]! + of.reduce((sum, c) => sum + psi[c.s]! - psi[c.sp]!, 0) / of.length - psi[of.length]!;
}

// Right value, then `<=` for `<`, psi(n), psi(n + 2), not normalised, the printed formula; all published but the Euclidean one.
const TABLE = [
  ['pub008', 0.1236, 0.0621, 0.2165, 0.0371, 0.1263, -4.07],
  ['pub029', 0.1371, 0.0181, 0.3215, -0.0232, 0.1547, -2.48],
  ['pub035', 1.5981, 1.387, 1.964, 1.3042, 1.5375, -2.87],
  ['pub015', -0.0022, -0.0564, 0.0799, -0.0792, 0.0006, -4.17],
] as const;

describe.skipIf(!reference)('KSG 1 is none of its mutations', () => {
  it.each(TABLE)('%s', async (id, right, closed, bare, twice, raw, spec) => {
    const c = reference!.cases.find((one) => one.id === id)!;
    const rows = reference!.datasets[c.dataset]!.rows.slice(c.start, c.start + c.length);
    const x = Float64Array.from(rows, (row) => row[c.source_columns[0]!]!);
    const y = Float64Array.from(rows, (row) => row[c.target_column]!);
    const k = c.knn;
    const { te } = await transferEntropy(x, y, { k, device: 'cpu' });
    const open = counts(x, y, k, {});
    expect(Math.abs(te - value(open, k, 1))).toBeLessThan(1e-9);
    expect(Math.abs(te - c.jidt.te_nats)).toBeLessThan(1e-9);
    expect(te).toBeCloseTo(right, 4);
    const mutants = {
      '<= eps': [value(counts(x, y, k, { closed: true }), k, 1), closed],
      'psi(n) without + 1': [value(open, k, 0), bare],
      'itself counted twice': [value(open, k, 2), twice],
      'not normalised': [value(counts(x, y, k, { scale: false }), k, 1), raw],
      'psi(k) + psi(nx) - psi(nxy) - psi(N)': [printed(open, k), spec],
      'Euclidean joint norm': [value(counts(x, y, k, { euclid: true }), k, 1), undefined],
    } as const;
    for (const [name, [mutant, published]] of Object.entries(mutants)) {
      if (published !== undefined)
        expect(mutant, `${name} as published`).toBeCloseTo(published, published < -1 ? 2 : 4);
      expect(Math.abs(te - mutant), name).toBeGreaterThan(2e-3);
    }
  });

  it('and not normalising is an option, not the default', async () => {
    const c = reference!.cases.find((one) => one.id === 'pub008')!;
    const rows = reference!.datasets[c.dataset]!.rows.slice(c.start, c.start + c.length);
    const x = Float64Array.from(rows, (row) => row[c.source_columns[0]!]!);
    const y = Float64Array.from(rows, (row) => row[c.target_column]!);
    const { te } = await transferEntropy(x, y, { normalise: false, device: 'cpu' });
    expect(te).toBeCloseTo(value(counts(x, y, 4, { scale: false }), 4, 1), 9);
  });
});
