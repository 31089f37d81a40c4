// How true the estimates are: bias, root-mean-square error, coverage of the 95 % interval, p-values under no influence,
// and power, over many seeds of systems whose transfer entropy is known.
//   node bench/truth.mjs [seeds = 100] [N = 1000] [all | intervals | significance]
// "known": in closed form (AR, from its covariance), by integrals of the densities (threshold, logistic), or, for Henon and
// Lorenz-96, as the mean of KSG 1 over 10 series of 16,000 samples: marked ~, no truth to cover.
import { transferEntropy } from '../dist/index.js';

const seeds = Number(process.argv[2] ?? 100);
const N = Number(process.argv[3] ?? 1000);
const part = process.argv[4] ?? 'all';

/** xorshift-based normals: a generator of its own, so that the study does not lean on what it studies. */
function generator(seed) {
  let a = (seed * 2654435761) >>> 0 || 1;
  let b = (seed ^ 0x9e3779b9) >>> 0 || 2;
  const next = () => {
    let t = a;
    a = b;
    t ^= t << 23;
    t ^= t >>> 17;
    t ^= b ^ (b >>> 26);
    b = t >>> 0;
    return ((a + b) >>> 0) / 2 ** 32;
  };
  for (let i = 0; i < 50; i++) next();
  const normal = () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
  return { uniform: next, normal };
}

function series(n, seed, state, step) {
  const random = generator(seed);
  let s = state(random);
  const x = new Float64Array(n);
  const y = new Float64Array(n);
  for (let t = -500; t < n; t++) {
    s = step(s, random);
    if (t >= 0) [x[t], y[t]] = [s[0], s[1]];
  }
  return [x, y];
}

const ar = (c) => ({
  name: `AR, c = ${c}`,
  make: (n, seed) =>
    series(
      n,
      seed,
      () => [0, 0],
      ([x, y], r) => [0.5 * x + r.normal(), 0.6 * y + c * x + r.normal()],
    ),
  truth: () => {
    const vx = 1 / (1 - 0.25);
    const cxy = (0.5 * c * vx) / (1 - 0.3);
    const vy = (c * c * vx + 1.2 * c * cxy + 1) / (1 - 0.36);
    return 0.5 * Math.log(1 + c * c * (vx - (cxy * cxy) / vy));
  },
});

const threshold = {
  name: 'threshold, even in x',
  // y hears |x| > 1 alone: no linear influence at all.
  make: (n, seed) =>
    series(
      n,
      seed,
      () => [0, 0],
      ([x, y], r) => [r.normal(), 0.5 * y + (Math.abs(x) > 1 ? 1.5 : 0) + 0.5 * r.normal()],
    ),
  truth: () => {
    // H of the mixture less H of the noise; x is independent of y's past.
    const p = 0.31731050786291415;
    const s = 0.5;
    const density = (v) =>
      ((1 - p) * Math.exp(-(v * v) / (2 * s * s)) + p * Math.exp(-((v - 1.5) ** 2) / (2 * s * s))) /
      Math.sqrt(2 * Math.PI * s * s);
    let h = 0;
    for (let v = -5; v < 7; v += 1e-4) h -= density(v) > 1e-300 ? density(v) * Math.log(density(v)) * 1e-4 : 0;
    return h - 0.5 * Math.log(2 * Math.PI * Math.E * s * s);
  },
};

const f = (v) => 4 * v * (1 - v);
const fold = (v) => Math.abs(((((v + 1) % 2) + 2) % 2) - 1);
const logistic = {
  name: 'logistic driver',
  make: (n, seed) =>
    series(
      n,
      seed,
      (r) => [r.uniform(), 0],
      ([x], r) => [fold(f(x) + 0.02 * r.normal()), 0.7 * f(x) + 0.15 * r.normal()],
    ),
  // H(y'|y) less H of the noise, from the density of (y', y) on a grid: the driver's pairs, smoothed by the noise.
  truth: () => {
    const cells = 200;
    const low = -0.8;
    const width = 2.3 / cells;
    const pairs = new Float64Array(cells * cells);
    const r = generator(424242);
    let x = r.uniform();
    const draws = 4e6;
    const cell = (v) => Math.floor((v - low) / width);
    for (let i = 0; i < draws; i++) {
      const next = fold(f(x) + 0.02 * r.normal());
      pairs[cell(0.7 * f(x)) * cells + cell(0.7 * f(next))] += 1 / draws;
      x = next;
    }
    const noise = Array.from({ length: cells }, (_, d) => Math.exp(-((d * width) ** 2) / (2 * 0.15 ** 2)));
    const norm = noise[0] + 2 * noise.slice(1).reduce((a, b) => a + b, 0);
    const smooth = (from, at) => {
      const to = new Float64Array(cells * cells);
      for (let i = 0; i < cells; i++)
        for (let j = 0; j < cells; j++) {
          const v = from[at(i, j)];
          if (v > 0) for (let k = 0; k < cells; k++) to[at(i, k)] += (v * noise[Math.abs(k - j)]) / norm;
        }
      return to;
    };
    const joint = smooth(
      smooth(pairs, (i, j) => i * cells + j),
      (i, j) => j * cells + i,
    );
    let both = 0;
    const own = new Float64Array(cells);
    for (let i = 0; i < cells; i++)
      for (let j = 0; j < cells; j++) {
        const v = joint[i * cells + j];
        if (v > 0) both -= v * Math.log(v / width / width);
        own[i] += v;
      }
    const past = own.reduce((h, v) => (v > 0 ? h - v * Math.log(v / width) : h), 0);
    return both - past - 0.5 * Math.log(2 * Math.PI * Math.E * 0.15 ** 2);
  },
};
const henon = {
  name: 'Henon maps, unidirectional',
  make: (n, seed) => {
    const h = series(
      n,
      seed,
      (r) => [0.1 * r.uniform(), 0.1 * r.uniform(), 0, 0],
      ([x, y, xp, yp]) => {
        const nx = 1.4 - x * x + 0.3 * xp;
        const ny = 1.4 - (0.4 * x * y + 0.6 * y * y) + 0.3 * yp;
        return [nx, Math.abs(ny) < 10 ? ny : 0, x, Math.abs(ny) < 10 ? y : 0];
      },
    );
    const r = generator(seed + 7777);
    return h.map((v) => v.map((w) => w + 0.02 * r.normal()));
  },
};
const lorenz96 = {
  name: 'Lorenz-96, neighbours',
  make: (n, seed) => {
    const D = 6;
    const d = (v) => v.map((_, i) => (v[(i + 1) % D] - v[(i + D - 2) % D]) * v[(i + D - 1) % D] - v[i] + 8);
    const r = generator(seed);
    let v = Array.from({ length: D }, () => 8 + r.normal());
    const x = new Float64Array(n);
    const y = new Float64Array(n);
    const dt = 0.05;
    for (let t = -200; t < n; t++) {
      for (let s = 0; s < 2; s++) {
        const k1 = d(v);
        const k2 = d(v.map((w, i) => w + (dt / 4) * k1[i]));
        v = v.map((w, i) => w + (dt / 2) * k2[i]);
      }
      v = v.map((w) => w + 0.1 * r.normal());
      if (t >= 0) [x[t], y[t]] = [v[0], v[1]];
    }
    return [x, y];
  },
};

const mean = (v) => v.reduce((a, b) => a + b, 0) / v.length;
/** Largest distance of the empirical from the uniform distribution; the 5 % limit is about 1.36 / sqrt(n). */
function kolmogorov(p) {
  const sorted = [...p].sort((a, b) => a - b);
  return Math.max(...sorted.map((v, i) => Math.max(Math.abs(v - i / p.length), Math.abs((i + 1) / p.length - v))));
}
const fixed = (v, digits = 4) => (v >= 0 ? ' ' : '') + v.toFixed(digits);

console.log(`${seeds} seeds, N = ${N}\n`);
console.log('| system | estimator | truth | bias | RMSE | coverage of 95 % | mean half width |');
console.log('| --- | --- | --- | --- | --- | --- | --- |');
for (const system of part === 'significance'
  ? []
  : [ar(0), ar(0.2), ar(0.5), ar(0.9), threshold, logistic, henon, lorenz96]) {
  let truth = system.truth?.();
  const exact = truth !== undefined;
  if (!exact) {
    const long = [];
    for (let s = 0; s < 10; s++)
      long.push((await transferEntropy(...system.make(16000, 90000 + s), { device: 'cpu' })).te);
    truth = mean(long);
  }
  const linear = system.name.startsWith('AR');
  for (const options of [
    { estimator: 'ksg1', k: 4 },
    { estimator: 'ksg1', k: 10 },
    { estimator: 'ksg2', k: 4 },
    ...(linear ? [{ estimator: 'gaussian' }] : []),
  ]) {
    const te = [];
    const width = [];
    let covered = 0;
    for (let s = 0; s < seeds; s++) {
      const r = await transferEntropy(...system.make(N, 1 + s), { ...options, interval: 0.95, seed: s, device: 'cpu' });
      te.push(r.te);
      width.push((r.interval.high - r.interval.low) / 2);
      covered += r.interval.low <= truth && truth <= r.interval.high;
    }
    const bias = mean(te) - truth;
    const rmse = Math.sqrt(mean(te.map((v) => (v - truth) ** 2)));
    const label = options.estimator + (options.k ? `, k = ${options.k}` : '');
    console.log(
      `| ${system.name} | ${label} | ${exact ? '' : '~'}${fixed(truth)} | ${fixed(bias)} | ${fixed(rmse)} | ${exact ? `${((100 * covered) / seeds).toFixed(0)} %` : '-'} | ${fixed(mean(width))} |`,
    );
  }
}

console.log('\np-values without influence (AR, c = 0; both series autocorrelated), and power at 5 %, 99 surrogates');
console.log('| estimator | surrogates | KS distance (limit) | p <= 0.05 | power, AR c = 0.2 | power, threshold |');
console.log('| --- | --- | --- | --- | --- | --- |');
for (const estimator of part === 'intervals' ? [] : ['ksg1', 'ksg2', 'gaussian', 'kernel', 'binned']) {
  for (const surrogateMethod of estimator === 'ksg1' ? ['permutation', 'shift', 'block', 'iaaft'] : ['permutation']) {
    const run = async (system, s) =>
      (
        await transferEntropy(...system.make(N, 5000 + s), {
          estimator,
          surrogateMethod,
          surrogates: 99,
          seed: s,
          bins: 4,
          interval: false,
          device: 'cpu',
        })
      ).pValue;
    const null_ = [];
    let weak = 0;
    let even = 0;
    for (let s = 0; s < seeds; s++) {
      null_.push(await run(ar(0), s));
      weak += (await run(ar(0.2), s)) <= 0.05;
      even += (await run(threshold, s)) <= 0.05;
    }
    const rate = null_.filter((p) => p <= 0.05).length / seeds;
    console.log(
      `| ${estimator} | ${surrogateMethod} | ${kolmogorov(null_).toFixed(3)} (${(1.36 / Math.sqrt(seeds)).toFixed(3)}) | ${(100 * rate).toFixed(0)} % | ${((100 * weak) / seeds).toFixed(0)} % | ${((100 * even) / seeds).toFixed(0)} % |`,
    );
  }
}
