// The systems on which the interval's figures were chosen (shapes of bias, priors, and how bins and boxes are centred). Nothing is
// reported on them but what is named so. In all but the linear ones x is white, so H(F|P) is that of a mixture over x, a line
// integral.
import { entropyOnLine, normalEntropy } from './density.mjs';
import { generator } from './generator.mjs';
import { ar } from './systems.mjs';

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
];
