// Systems whose transfer entropy x -> y (histories 1, delay 1) is known. Each: `make(samples, seed)` gives [x, y]; `truth()` gives
// { te, error }, error being what is known of the truth's own uncertainty.
import { blurredDensity, entropyOnLine, normalEntropy } from './density.mjs';
import { generator } from './generator.mjs';

const burn = 500;

function series(samples, seed, state, step) {
  const random = generator(seed);
  let s = state(random);
  const x = new Float64Array(samples);
  const y = new Float64Array(samples);
  for (let t = -burn; t < samples; t++) {
    s = step(s, random);
    if (t >= 0) [x[t], y[t]] = [s[0], s[1]];
  }
  return [x, y];
}

/** x' = a x + e, y' = b y + c x + e': in closed form, from the stationary covariance. */
export const ar = (c, a = 0.5, b = 0.6) => ({
  name: `AR, c = ${c}`,
  linear: true,
  none: c === 0,
  make: (samples, seed) =>
    series(
      samples,
      seed,
      () => [0, 0],
      ([x, y], r) => [a * x + r.normal(), b * y + c * x + r.normal()],
    ),
  truth: () => {
    const vx = 1 / (1 - a * a);
    const cxy = (a * c * vx) / (1 - a * b);
    const vy = (c * c * vx + 2 * b * c * cxy + 1) / (1 - b * b);
    return { te: 0.5 * Math.log(1 + c * c * (vx - (cxy * cxy) / vy)), error: 0 };
  },
});

/** The reverse: y drives x, so x -> y is 0 although x and y's past tell much about each other. */
export const reversed = (c, a = 0.5, b = 0.6) => ({
  name: `AR reversed, c = ${c}`,
  make: (samples, seed) => ar(c, a, b).make(samples, seed).reverse(),
  truth: () => ({ te: 0, error: 0 }),
});

/** y hears |x| > 1 alone: no linear influence at all. x is white, so H(F|P,S) is the noise's and H(F|P) that of a mixture. */
export const threshold = (jump = 1.5, noise = 0.5) => ({
  name: 'threshold, even in x',
  make: (samples, seed) =>
    series(
      samples,
      seed,
      () => [0, 0],
      ([x, y], r) => [r.normal(), 0.5 * y + (Math.abs(x) > 1 ? jump : 0) + noise * r.normal()],
    ),
  truth: () => {
    const p = 0.31731050786291415; // of |x| > 1
    const bell = (v) => Math.exp(-(v * v) / (2 * noise * noise)) / Math.sqrt(2 * Math.PI * noise * noise);
    const mixture = (v) => (1 - p) * bell(v) + p * bell(v - jump);
    return { te: entropyOnLine(mixture, -10 * noise, jump + 10 * noise, 1e-3) - normalEntropy(noise), error: 1e-6 };
  },
});

/** The mean of two independent evaluations; half their difference is the error. */
function twice(evaluate) {
  const [a, b] = [987654321, 123456789].map((seed) => evaluate(generator(seed)));
  return { te: (a + b) / 2, error: Math.abs(a - b) / 2 };
}

const parabola = (v) => 4 * v * (1 - v);
const folded = (v) => Math.abs(((((v + 1) % 2) + 2) % 2) - 1);

/** A logistic map with a little noise that y hears: y' = 0.7 f(x) + 0.15 e. H(F|P,S) is the noise's; F and P are blurred. */
export const logistic = {
  name: 'logistic driver',
  make: (samples, seed) =>
    series(
      samples,
      seed,
      (r) => [r.uniform(), 0],
      ([x], r) => [folded(parabola(x) + 0.02 * r.normal()), 0.7 * parabola(x) + 0.15 * r.normal()],
    ),
  truth: () =>
    twice((r) => {
      const deviation = 0.15;
      const axis = { low: -1, high: 1.7, cells: 270, deviation };
      let x = r.uniform();
      const { entropy } = blurredDensity(
        (emit) => {
          for (let i = 0; i < 4e6; i++) {
            const next = folded(parabola(x) + 0.02 * r.normal());
            emit([0.7 * parabola(next), 0.7 * parabola(x)]);
            x = next;
          }
        },
        [axis, axis],
      );
      return entropy([0, 1]) - entropy([1]) - normalEntropy(deviation);
    }),
};

/** What an orbit of [x, y] pairs tells, both observed with noise of one deviation. */
export const observed = (orbit, length, axis) => () =>
  twice((r) => {
    const next = orbit(r);
    let [x, y] = next();
    const { entropy } = blurredDensity(
      (emit) => {
        for (let i = 0; i < length; i++) {
          const [x1, y1] = next();
          emit([y1, y, x]);
          x = x1;
          y = y1;
        }
      },
      [axis, axis, axis],
    );
    return entropy([0, 1]) + entropy([1, 2]) - entropy([1]) - entropy([0, 1, 2]);
  });

export const observedSeries = (orbit, deviation) => (samples, seed) => {
  const r = generator(seed);
  const next = orbit(r);
  const x = new Float64Array(samples);
  const y = new Float64Array(samples);
  for (let t = 0; t < samples; t++) {
    const [u, v] = next();
    x[t] = u + deviation * r.normal();
    y[t] = v + deviation * r.normal();
  }
  return [x, y];
};

/** Henon maps, x driving y, a deterministic orbit observed with noise. */
function henonOrbit(r) {
  let [x, y, x0, y0] = [0.1 * r.uniform(), 0.1 * r.uniform(), 0, 0];
  const step = () => {
    [x, y, x0, y0] = [1.4 - x * x + 0.3 * x0, 1.4 - (0.4 * x * y + 0.6 * y * y) + 0.3 * y0, x, y];
    if (!(Math.abs(x) < 10 && Math.abs(y) < 10)) [x, y, x0, y0] = [0.1 * r.uniform(), 0.1 * r.uniform(), 0, 0];
    return [x, y];
  };
  for (let t = 0; t < burn; t++) step();
  return step;
}
export const henon = (deviation = 0.1) => ({
  name: `Henon maps, noise ${deviation}`,
  make: observedSeries(henonOrbit, deviation),
  truth: observed(henonOrbit, 3e6, {
    low: -3,
    high: 3,
    cells: Math.min(300, Math.ceil(12 / deviation)),
    deviation,
  }),
});

/** Lorenz-96 with 6 variables and forcing 8 by Runge-Kutta steps of 0.05, every second one observed with noise; two neighbours. */
function lorenzOrbit(r) {
  const size = 6;
  const h = 0.05;
  let v = Float64Array.from({ length: size }, () => 8 + r.normal());
  const k = Array.from({ length: 4 }, () => new Float64Array(size));
  const w = new Float64Array(size);
  const slope = (u, to) => {
    for (let i = 0; i < size; i++)
      to[i] = (u[(i + 1) % size] - u[(i + size - 2) % size]) * u[(i + size - 1) % size] - u[i] + 8;
  };
  const step = () => {
    slope(v, k[0]);
    [0.5, 0.5, 1].forEach((part, s) => {
      for (let i = 0; i < size; i++) w[i] = v[i] + part * h * k[s][i];
      slope(w, k[s + 1]);
    });
    v = v.map((u, i) => u + (h / 6) * (k[0][i] + 2 * k[1][i] + 2 * k[2][i] + k[3][i]));
  };
  const next = () => {
    step();
    step();
    return [v[0], v[1]];
  };
  for (let t = 0; t < burn; t++) next();
  return next;
}
export const lorenz96 = (deviation = 0.5) => ({
  name: `Lorenz-96 neighbours, noise ${deviation}`,
  make: observedSeries(lorenzOrbit, deviation),
  truth: observed(lorenzOrbit, 3e6, { low: -14, high: 19, cells: 264, deviation }),
});
