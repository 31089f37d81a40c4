import { type NativeDevice, numberIn } from '@x/cuda-core/addon';
import { addon } from '../native';
import type { Posterior } from '../selection/options';

/** The Beta distribution of these parameters, as users see it. */
export function betaPosterior(alpha: number, beta: number, device: NativeDevice | undefined): Posterior {
  const n = alpha + beta;
  return {
    alpha,
    beta,
    mean: alpha / n,
    deviation: Math.sqrt(((alpha / n) * (beta / n)) / (n + 1)),
    interval(level = 0.95) {
      numberIn(level, 'level');
      const [mean, variance, lower, upper] = Array.from({ length: 4 }, () => new Float64Array(1));
      addon.betaSummary(Float64Array.of(alpha), Float64Array.of(beta), level, device, mean!, variance!, lower!, upper!);
      return [lower![0]!, upper![0]!];
    },
  };
}
