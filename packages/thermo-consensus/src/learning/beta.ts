// Functions of the Beta distribution that are needed for single numbers; for columns see batch.ts.

/** `ln Gamma(x)` for x above 0: Stirling's series from 8 on; below, by recurrence. Relative error below 1e-12. */
export function logGamma(x: number): number {
  let shift = 1;
  let y = x;
  while (y < 8) shift *= y++;
  const r = 1 / (y * y);
  const series = (1 / 12 - r * (1 / 360 - r * (1 / 1260 - r * (1 / 1680 - r / 1188)))) / y;
  return (y - 0.5) * Math.log(y) - y + 0.5 * Math.log(2 * Math.PI) + series - Math.log(shift);
}

/** `ln Gamma(x + n) - ln Gamma(x)`, for x above 0 and n of 0 or more. */
export function risingLog(x: number, n: number): number {
  // Whole and small n: a product, exact and without cancellation.
  if (n <= 8 && Number.isInteger(n)) {
    let product = 1;
    for (let i = 0; i < n; i++) product *= x + i;
    return Math.log(product);
  }
  return logGamma(x + n) - logGamma(x);
}

const TERMS_MAX = 10_000;
const TINY = 1e-300;

/**
 * Probability that a Beta(alpha, beta) variable is at most x: the continued fraction of NIST DLMF 8.17.22, evaluated by the method of
 * W. J. Lentz (1976). Absolute error below 1e-10.
 */
export function betaBelow(x: number, alpha: number, beta: number): number {
  if (!(x > 0)) return 0;
  if (x >= 1) return 1;
  // The fraction converges fast on this side of the mean.
  if (x > (alpha + 1) / (alpha + beta + 2)) return 1 - betaBelow(1 - x, beta, alpha);
  const front = logGamma(alpha + beta) - logGamma(alpha) - logGamma(beta) + alpha * Math.log(x) + beta * Math.log1p(-x);
  let c = 1;
  let d = 1 / keepOff0(1 - ((alpha + beta) * x) / (alpha + 1));
  let fraction = d;
  for (let m = 1; m <= TERMS_MAX; m++) {
    const even = (m * (beta - m) * x) / ((alpha + 2 * m - 1) * (alpha + 2 * m));
    d = 1 / keepOff0(1 + even * d);
    c = keepOff0(1 + even / c);
    fraction *= d * c;
    const odd = (-(alpha + m) * (alpha + beta + m) * x) / ((alpha + 2 * m) * (alpha + 2 * m + 1));
    d = 1 / keepOff0(1 + odd * d);
    c = keepOff0(1 + odd / c);
    fraction *= d * c;
    if (Math.abs(d * c - 1) < 1e-13) break;
  }
  return Math.min(1, (Math.exp(front) * fraction) / alpha);
}

const keepOff0 = (x: number): number => (Math.abs(x) < TINY ? TINY : x);
