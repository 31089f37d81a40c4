// The systems on which the interval's figures were chosen (shapes of bias, priors, and how bins and boxes are centred). Nothing is
// reported on them but what is named so. In all but the linear ones x is white, so H(F|P) is that of a mixture over x, a line
// integral.
import { entropyOnLine, normalEntropy } from './density.mjs';
import { generator } from './generator.mjs';
import { ar, observed, observedSeries } from './systems.mjs';

/** y' = a y + noise whose law is given by x; draw(x, random) is the noise, density(v, x) its density. */
function driven(name, a, { draw, density, entropy, white = 'normal', reach }) {
  const normal = white === 'normal';
  return {
    name: `tuning: ${name}`,
    make: (samples, seed) => {
      const random = generator(seed);
      const x = new Float64Array(samples);
      const y = new Float64Array(samples);
      let [u, v] = [0, 0];
      for (let t = -200; t < samples; t++) {
        v = a * v + draw(u, random);
        u = normal ? random.normal() : 2 * random.uniform() - 1;
        if (t >= 0) [x[t], y[t]] = [u, v];
      }
      return [x, y];
    },
    truth: () => {
      const points = [];
      const count = 2001;
      const span = normal ? 8 : 1;
      for (let i = 0; i < count; i++) {
        const x = span * ((2 * (i + 0.5)) / count - 1);
        points.push([x, normal ? Math.exp(-(x * x) / 2) : 1]);
      }
      const total = points.reduce((sum, [, w]) => sum + w, 0);
      const mixture = (v) => points.reduce((sum, [x, w]) => sum + (w / total) * density(v, x), 0);
      const given = points.reduce((sum, [x, w]) => sum + (w / total) * entropy(x), 0);
      return { te: entropyOnLine(mixture, -reach, reach, reach / 4000) - given, error: 1e-4 };
    },
  };
}

const bell = (v, deviation) => Math.exp(-(v * v) / (2 * deviation * deviation)) / (deviation * Math.sqrt(2 * Math.PI));
const additive = (name, a, deviation, g, reach) =>
  driven(name, a, {
    draw: (x, r) => g(x) + deviation * r.normal(),
    density: (v, x) => bell(v - g(x), deviation),
    entropy: () => normalEntropy(deviation),
    reach,
  });

/** Without influence: linear ones, and one whose values are far from normal. */
const NONE = [
  [0.3, 0.8],
  [0.8, 0.3],
  [0.8, 0.8],
  [0, 0],
].map(([a, b]) => ({ ...ar(0, a, b), name: `tuning: AR ${a} and ${b}, c = 0` }));
const skewed = {
  name: 'tuning: exponential noise, c = 0',
  none: true,
  make: (samples, seed) => {
    const { uniform } = generator(seed);
    const x = new Float64Array(samples);
    const y = new Float64Array(samples);
    let [u, v] = [0, 0];
    for (let t = -200; t < samples; t++) {
      v = 0.5 * v - Math.log(uniform());
      u = 0.4 * u - Math.log(uniform());
      if (t >= 0) [x[t], y[t]] = [u, v];
    }
    return [x, y];
  },
  truth: () => ({ te: 0, error: 0 }),
};

/** Ulam maps, x driving y, observed with noise. */
function ulamOrbit(r) {
  const start = () => 2 * r.uniform() - 1;
  let [x, y] = [start(), start()];
  const step = () => {
    [x, y] = [2 - x * x, 2 - (0.4 * x + 0.6 * y) ** 2];
    if (!(Math.abs(x) < 1.9999999)) x = start(); // a double's orbit would end there
    return [x, y];
  };
  for (let t = 0; t < 500; t++) step();
  return step;
}

/** Lorenz's three variables by Runge-Kutta steps of 0.02, every fifth one; the first two are observed with noise. */
function lorenz63Orbit(r) {
  let v = [r.normal(), r.normal(), 20 + r.normal()];
  const slope = ([x, y, z]) => [10 * (y - x), x * (28 - z) - y, x * y - (8 / 3) * z];
  const moved = (u, k, h) => u.map((q, i) => q + h * k[i]);
  const h = 0.02;
  const step = () => {
    const a = slope(v);
    const b = slope(moved(v, a, h / 2));
    const c = slope(moved(v, b, h / 2));
    const d = slope(moved(v, c, h));
    v = v.map((q, i) => q + (h / 6) * (a[i] + 2 * b[i] + 2 * c[i] + d[i]));
  };
  const next = () => {
    for (let i = 0; i < 5; i++) step();
    return [v[0], v[1]];
  };
  for (let t = 0; t < 200; t++) next();
  return next;
}

const noisy = (name, orbit, deviation, axis) => ({
  name: `tuning: ${name}, noise ${deviation}`,
  make: observedSeries(orbit, deviation),
  truth: observed(orbit, 2e6, { ...axis, deviation }),
});

export const TUNING = [
  ...NONE,
  skewed,
  { ...ar(0.35), name: 'tuning: AR, c = 0.35' },
  { ...ar(0.3, 0.9, 0.9), name: 'tuning: AR 0.9, c = 0.3' },
  additive('square', 0.5, 1, (x) => 0.5 * x * x, 40),
  additive('step', 0.3, 0.5, (x) => (x > 0 ? 1 : -1), 6),
  additive('tanh', 0.5, 0.3, (x) => Math.tanh(2 * x), 4),
  additive('sine', 0.4, 0.4, (x) => Math.sin(2.5 * x), 5),
  additive('strong linear', 0.4, 0.15, (x) => x, 9),
  additive('bump', 0.4, 0.3, (x) => 2 * Math.exp(-2 * x * x), 5),
  driven('multiplicative noise', 0.4, {
    draw: (x, r) => (0.3 + Math.abs(x)) * r.normal(),
    density: (v, x) => bell(v, 0.3 + Math.abs(x)),
    entropy: (x) => normalEntropy(0.3 + Math.abs(x)),
    reach: 45,
  }),
  driven('uniform', 0.5, {
    white: 'uniform',
    draw: (x, r) => x + 0.5 * (2 * r.uniform() - 1),
    density: (v, x) => (Math.abs(v - x) < 0.5 ? 1 : 0),
    entropy: () => 0,
    reach: 2,
  }),
  { ...ar(0.7, 0.2, 0.4), name: 'tuning: AR 0.2, c = 0.7' },
  additive('weak sine', 0.5, 1, (x) => Math.sin(2 * x), 9),
  additive('weak tanh', 0.3, 0.8, (x) => Math.tanh(2 * x), 8),
  additive('kink', 0.5, 0.4, (x) => Math.abs(x), 9),
  additive('narrow step', 0.4, 0.25, (x) => (x > 0 ? 0.6 : -0.6), 4),
  driven('uniform driver', 0.4, {
    white: 'uniform',
    draw: (x, r) => 1.2 * x + 0.3 * r.normal(),
    density: (v, x) => bell(v - 1.2 * x, 0.3),
    entropy: () => normalEntropy(0.3),
    reach: 5,
  }),
  driven('Laplace noise', 0.4, {
    draw: (x, r) => x + 0.4 * (r.uniform() < 0.5 ? -1 : 1) * -Math.log(r.uniform()),
    density: (v, x) => Math.exp(-Math.abs(v - x) / 0.4) / 0.8,
    entropy: () => 1 + Math.log(0.8),
    reach: 12,
  }),
  noisy('Ulam maps', ulamOrbit, 0.25, { low: -4.5, high: 4.5, cells: 180 }),
  noisy('Lorenz, x to y', lorenz63Orbit, 1.5, { low: -36, high: 42, cells: 200 }),
];
