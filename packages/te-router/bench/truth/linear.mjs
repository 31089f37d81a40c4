// Linear systems whose information is in closed form for any histories, conditions and numbers of variables:
// s[t] = A s[t - 1] + e, e of unit variance; the covariance of s is the solution of C = A C A' + 1, that of s[t] and s[t - h]
// is A^h C, and I(S; F | P) follows from determinants.
import { generator } from './generator.mjs';

const product = (a, b) => a.map((row) => b[0].map((_, j) => row.reduce((sum, v, q) => sum + v * b[q][j], 0)));
const transposed = (a) => a[0].map((_, j) => a.map((row) => row[j]));

function logDeterminant(matrix) {
  const m = matrix.map((row) => row.slice());
  let sum = 0;
  for (let i = 0; i < m.length; i++) {
    sum += Math.log(m[i][i]); // of a covariance: no pivot is needed
    for (let r = i + 1; r < m.length; r++) {
      const f = m[r][i] / m[i][i];
      for (let c = i; c < m.length; c++) m[r][c] -= f * m[i][c];
    }
  }
  return sum;
}

/** Autocovariances of lags 0 to `longest`. */
function autocovariances(A, longest) {
  let C = A.map((row, i) => row.map((_, j) => (i === j ? 1 : 0)));
  for (let i = 0; i < 2000; i++)
    C = product(product(A, C), transposed(A)).map((row, r) => row.map((v, c) => v + (r === c ? 1 : 0)));
  const all = [C];
  for (let h = 1; h <= longest; h++) all.push(product(A, all[h - 1]));
  return all;
}

/** Of columns [variable, lag before the predicted sample]: what `sources` tell about `future` beyond `past`, nats. */
function information(A, future, past, sources) {
  const covariance = autocovariances(A, Math.max(...[...future, ...past, ...sources].map(([, lag]) => lag)));
  const between = ([a, i], [b, j]) => (i <= j ? covariance[j - i][a][b] : covariance[i - j][b][a]);
  const entropy = (columns) =>
    columns.length === 0 ? 0 : 0.5 * logDeterminant(columns.map((c) => columns.map((d) => between(c, d))));
  return (
    entropy([...future, ...past]) +
    entropy([...sources, ...past]) -
    entropy(past) -
    entropy([...future, ...past, ...sources])
  );
}

const lags = (variables, history) => variables.flatMap((v) => Array.from({ length: history }, (_, h) => [v, h + 1]));

/** `measure`: of `mutualInformation`; else of `transferEntropy` with these histories. */
function linear(name, A, { source, target, conditions = [], history = 1, mutual = false }) {
  return {
    name,
    source,
    target,
    conditions,
    history,
    mutual,
    make: (samples, seed) => {
      const { normal } = generator(seed);
      let s = A.map(() => 0);
      const out = A.map(() => new Float64Array(samples));
      for (let t = -300; t < samples; t++) {
        s = A.map((row) => row.reduce((sum, a, v) => sum + a * s[v], normal()));
        if (t >= 0) for (const [v, series] of out.entries()) series[t] = s[v];
      }
      return out;
    },
    truth: mutual
      ? information(
          A,
          target.map((v) => [v, 0]),
          conditions.map((v) => [v, 0]),
          source.map((v) => [v, 0]),
        )
      : information(
          A,
          target.map((v) => [v, 0]),
          [...lags(target, history), ...lags(conditions, 1)],
          lags(source, history),
        ),
  };
}

const PAIR = [
  [0.6, 0],
  [0.5, 0.4],
];
const DRIVEN = [
  [0.5, 0, 0.5],
  [0.4, 0.4, 0.5],
  [0, 0, 0.7],
];
export const LINEAR = [
  linear('histories of 2', PAIR, { source: [0], target: [1], history: 2 }),
  linear('histories of 3', PAIR, { source: [0], target: [1], history: 3 }),
  linear('driven the other way', PAIR, { source: [1], target: [0] }),
  linear('given a common driver', DRIVEN, { source: [0], target: [1], conditions: [2] }),
  linear('two sources', DRIVEN, { source: [0, 2], target: [1] }),
  linear('two targets', DRIVEN, { source: [2], target: [0, 1] }),
  linear('mutual information', PAIR, { source: [0], target: [1], mutual: true }),
  linear('mutual information given a common driver', DRIVEN, {
    source: [0],
    target: [1],
    conditions: [2],
    mutual: true,
  }),
];
