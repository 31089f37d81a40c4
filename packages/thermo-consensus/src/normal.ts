// The standard normal distribution.

/** Quantile of the standard normal distribution: M. Abramowitz, I. A. Stegun, 26.2.23, then Newton's method. */
export function normalQuantile(p: number): number {
  const q = Math.min(p, 1 - p);
  const t = Math.sqrt(-2 * Math.log(q));
  let x = t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
  for (let i = 0; i < 3; i++) {
    const density = Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
    x += (normalTail(x) - q) / density;
  }
  return p < 0.5 ? -x : x;
}

/** P(X > x): the series near 0, beyond it the continued fraction of the complementary error function (DLMF 7.9.2). */
export function normalTail(x: number): number {
  if (x < 0) return 1 - normalTail(-x);
  const density = Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
  if (x < 2) {
    let term = x;
    let sum = x;
    for (let k = 3; term > 1e-17 * sum; k += 2) {
      term *= (x * x) / k;
      sum += term;
    }
    return 0.5 - density * sum;
  }
  let fraction = x;
  for (let k = 80; k > 0; k--) fraction = x + k / fraction;
  return density / fraction;
}
