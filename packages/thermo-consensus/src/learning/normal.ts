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
  // Its k-th approximant is wrong by about exp(-x sqrt(8 k)): all of a double's digits, and then some.
  let fraction = x;
  for (let k = 4 + Math.ceil(200 / (x * x)); k > 0; k--) fraction = x + k / fraction;
  return density / fraction;
}

const density = (x: number): number => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
/** Beyond so many standard deviations outside of an interval only its edge is left. */
const OUTSIDE_MAX = 6;

/**
 * Moments of a normal variable become those it has when it is known to lie between 0 and 1; its mean then stays `margin` off both. So a
 * forecast that is far out and very unsure stays unsure.
 */
export function truncate(moments: { mean: number; variance: number }, margin: number): void {
  const deviation = Math.sqrt(moments.variance);
  // The distance of the mean from the interval is limited, where the differences below would cancel.
  const centre = Math.min(1 + OUTSIDE_MAX * deviation, Math.max(-OUTSIDE_MAX * deviation, moments.mean));
  const a = -centre / deviation;
  const b = (1 - centre) / deviation;
  // Probabilities are taken from the nearer tail.
  const inside = a > 0 ? normalTail(a) - normalTail(b) : normalTail(-b) - normalTail(-a);
  const slope = (density(a) - density(b)) / inside;
  const curve = (a * density(a) - b * density(b)) / inside;
  const mean = Math.min(1 - margin, Math.max(margin, centre + deviation * slope));
  moments.mean = mean;
  moments.variance = Math.min(
    mean * (1 - mean) * 0.99,
    Math.max(1e-12, moments.variance * (1 + curve - slope * slope)),
  );
}
