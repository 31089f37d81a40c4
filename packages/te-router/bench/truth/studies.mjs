// What is asked of every system and seed. A study yields jobs; a job is one line of output: an array of plain values.
import { mutualInformation, transferEntropy } from '../../dist/index.js';
import { LINEAR } from './linear.mjs';
import { ar, henon, logistic, lorenz96, reversed, threshold } from './systems.mjs';
import { TUNING } from './tuning.mjs';

/** On which everything is reported. The interval was chosen on others (see bench/results/te-estimators.md). */
export const SYSTEMS = [ar(0), ar(0.2), ar(0.5), ar(0.9), threshold(), logistic, henon(), lorenz96()];

export const BINS = 4;
const ESTIMATORS = [
  ['ksg1, k = 4', { estimator: 'ksg1' }],
  ['ksg1, k = 10', { estimator: 'ksg1', k: 10 }],
  ['ksg2, k = 4', { estimator: 'ksg2' }],
  ['gaussian', { estimator: 'gaussian' }],
  ['binned, 4', { estimator: 'binned', bins: BINS, binning: 'equal-frequency' }],
  ['kernel, 0.5', { estimator: 'kernel' }],
];
/** Gaussian values are those of linear systems; what boxes hold is known without influence alone: 0. */
const known = (system, estimator) =>
  estimator === 'gaussian' ? system.linear === true : estimator.startsWith('kernel') ? system.none === true : true;

/** [system, samples, estimator, seed, te, low, high] */
export async function* intervals({ seeds, samples, set = 'reported' }) {
  for (const seed of seeds)
    for (const n of samples)
      for (const system of set === 'tuning' ? TUNING : SYSTEMS) {
        const series = system.make(n, seed);
        let ofNeighbours; // one interval for every k and both algorithms: a test holds it to that
        for (const [label, options] of ESTIMATORS) {
          if (!known(system, label)) continue;
          const ksg = label.startsWith('ksg');
          const level = ksg && ofNeighbours ? false : 0.95;
          const estimate = await transferEntropy(...series, { ...options, interval: level, seed, device: 'cpu' });
          const { te, interval = ofNeighbours } = estimate;
          if (ksg) ofNeighbours = interval;
          yield [system.name, n, label, seed, te, interval.low, interval.high];
        }
      }
}

/** Histories, conditions and several variables, where the truth is in closed form. [system, samples, estimator, seed, te, low, high] */
export async function* wider({ seeds, samples }) {
  for (const seed of seeds)
    for (const n of samples)
      for (const { name, make, source, target, conditions, history, mutual } of LINEAR) {
        const series = make(n, seed);
        const [x, y, z] = [source, target, conditions].map((variables) => variables.map((v) => series[v]));
        const histories = mutual ? {} : { targetHistory: history, sourceHistory: history };
        for (const estimator of ['ksg1', 'gaussian']) {
          const estimate = mutual ? mutualInformation : transferEntropy;
          const options = { ...histories, estimator, conditions: z, interval: 0.95, seed, device: 'cpu' };
          const { te, interval } = await estimate(x, y, options);
          yield [name, n, estimator, seed, te, interval.low, interval.high];
        }
      }
}

/** Without influence: independent, slowly varying independent, a target of a longer memory than is conditioned on, and reversed. */
const longMemory = {
  name: 'AR(2), c = 0',
  make: (samples, seed) => {
    const [, e] = ar(0, 0, 0).make(samples + 200, seed);
    const [x] = ar(0, 0.9, 0).make(samples, seed + 7e6);
    const y = new Float64Array(samples + 200);
    for (let t = 2; t < y.length; t++) y[t] = 0.5 * y[t - 1] + 0.4 * y[t - 2] + e[t];
    return [x, y.slice(200)];
  },
};
const named = (system, name) => ({ ...system, name });
export const NULLS = [ar(0), named(ar(0, 0.9, 0.9), 'AR 0.9, c = 0'), longMemory, reversed(0.5)];
export const ALTERNATIVES = [named(ar(0.15), 'AR, c = 0.15'), named(threshold(0.5, 0.5), 'threshold, jump 0.5')];

/** [system, samples, estimator, method, seed, p] */
export const SURROGATES = 39;
export async function* significance({ seeds, samples }) {
  const estimators = ESTIMATORS.filter(([label]) => label !== 'ksg1, k = 10');
  for (const seed of seeds)
    for (const n of samples)
      for (const system of [...NULLS, ...ALTERNATIVES]) {
        const series = system.make(n, seed);
        for (const [label, options] of estimators)
          for (const surrogateMethod of ['permutation', 'shift', 'block', 'iaaft']) {
            const { pValue } = await transferEntropy(...series, {
              ...options,
              surrogateMethod,
              surrogates: SURROGATES,
              seed,
              interval: false,
              device: 'cpu',
            });
            yield [system.name, n, label, surrogateMethod, seed, pValue];
          }
      }
}

/** Values of long series, to be set beside the truths. [system, samples, estimator, seed, te] */
export async function* long({ seeds, samples }) {
  for (const n of samples)
    for (const seed of seeds)
      for (const system of SYSTEMS) {
        const series = system.make(n, seed);
        for (const estimator of ['ksg1', 'ksg2']) {
          const { te } = await transferEntropy(...series, { estimator, device: 'cpu' });
          yield [system.name, n, estimator, seed, te];
        }
      }
}
