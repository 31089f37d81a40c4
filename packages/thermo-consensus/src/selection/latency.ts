// What is believed of each model's latency: the logarithm is normal with unknown mean and variance (normal-inverse-gamma,
// K. P. Murphy, 2007), so latencies are positive and a few slow answers do not ruin the picture.
import { numberIn, objectIn } from '@x/cuda-core/addon';
import { normalTail } from '../learning/normal';

export interface LatencyState {
  mean: number;
  kappa: number;
  alpha: number;
  beta: number;
}

// A stated latency counts as one observation, and is right within a factor of about 1.6 (one deviation, 0.5 of a logarithm).
const PRIOR_ALPHA = 2;
const PRIOR_BETA = PRIOR_ALPHA * 0.5 ** 2;

export class LatencyBelief {
  #state: LatencyState;
  readonly #stated: number;

  /** @param stated typical latency, 0 when unknown. */
  constructor(stated: number) {
    this.#stated = stated;
    this.#state = {
      mean: stated > 0 ? Math.log(stated) : 0,
      kappa: stated > 0 ? 1 : 0,
      alpha: PRIOR_ALPHA,
      beta: PRIOR_BETA,
    };
  }

  get state(): LatencyState {
    return { ...this.#state };
  }
  /** @throws InvalidArgumentError when it is no state of a belief. */
  restore(state: unknown): void {
    const { mean, kappa, alpha, beta } = objectIn(state, 'latencies');
    this.#state = {
      mean: numberIn(mean, 'latencies.mean'),
      kappa: numberIn(kappa, 'latencies.kappa', { min: 0 }),
      alpha: numberIn(alpha, 'latencies.alpha', { min: 1, above: true }),
      beta: numberIn(beta, 'latencies.beta', { min: 0, above: true }),
    };
  }

  observe(latency: number): void {
    const { mean, kappa, alpha, beta } = this.#state;
    const off = Math.log(latency) - mean;
    this.#state = {
      mean: mean + off / (kappa + 1),
      kappa: kappa + 1,
      alpha: alpha + 0.5,
      beta: beta + (0.5 * kappa * off * off) / (kappa + 1),
    };
  }

  /** The median; 0 when nothing is known. */
  get typical(): number {
    const { kappa, mean, alpha } = this.#state;
    // As stated, not through a logarithm and back, until something was observed.
    return alpha === PRIOR_ALPHA ? this.#stated : kappa > 0 ? Math.exp(mean) : 0;
  }

  /** Probability of an answer later than `deadline`; the predictive Student distribution is taken as the normal of its variance. */
  missing(deadline: number): number {
    const { mean, kappa, alpha, beta } = this.#state;
    if (kappa === 0) return 0;
    if (deadline <= 0) return 1;
    const variance = (beta * (kappa + 1)) / ((alpha - 1) * kappa);
    return normalTail((Math.log(deadline) - mean) / Math.sqrt(variance));
  }
}
