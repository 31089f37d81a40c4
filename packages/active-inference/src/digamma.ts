/** The digamma function for x > 0 (recurrence to x >= 10, then the asymptotic series; about 1e-14 absolute). */
export function digamma(x: number): number {
  let shift = 0;
  let at = x;
  for (; at < 10; at++) shift -= 1 / at;
  const y = 1 / (at * at);
  const series = y * (1 / 12 - y * (1 / 120 - y * (1 / 252 - y * (1 / 240 - y * (1 / 132 - y * (691 / 32760))))));
  return shift + Math.log(at) - 1 / (2 * at) - series;
}

/**
 * KL(Dir(a + e_k) || Dir(a)): how much one more observation of category k would change what is known of a distribution
 * with the counts `a`. From the total a0 and the count ak alone.
 */
export function dirichletNovelty(a0: number, ak: number): number {
  return Math.log(a0 / ak) + digamma(ak) - digamma(a0) + 1 / ak - 1 / a0;
}
