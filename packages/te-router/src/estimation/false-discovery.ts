import { InvalidArgumentError } from '@x/cuda-core';
import { choiceIn, numberIn, objectIn } from '@x/cuda-core/addon';
import { numbersOf } from './series';

export interface FalseDiscoveryOptions {
  /**
   * `'bh'`: Benjamini, Hochberg (J. R. Stat. Soc. B 57, 289, 1995), for independent or positively dependent tests.
   * `'by'`: Benjamini, Yekutieli (Ann. Stat. 29, 1165, 2001), for any dependence. Default `'bh'`.
   */
  method?: 'bh' | 'by';
  /** Accepted share of false discoveries, above 0 and below 1. Default 0.05. */
  rate?: number;
}

export interface FalseDiscovery {
  /** The smallest rate at which each test would count as a discovery, in the order given. */
  qValues: Float64Array;
  /** 1 for a discovery at `rate`. */
  discoveries: Uint8Array;
  /** How many there are. */
  count: number;
}

/**
 * Which of many tests count when a share `rate` of the discoveries may be false.
 *
 * @throws InvalidArgumentError for a p-value outside 0..1.
 */
export function falseDiscovery(pValues: ArrayLike<number>, options: FalseDiscoveryOptions = {}): FalseDiscovery {
  objectIn(options, 'options');
  const rate = numberIn(options.rate ?? 0.05, 'rate', { min: 0, above: true, max: 1 - 1e-12 });
  const method = choiceIn(options.method ?? 'bh', 'method', ['bh', 'by']);
  const p = numbersOf(pValues, 'pValues');
  const bad = p.findIndex((v) => !(v >= 0 && v <= 1));
  if (bad >= 0)
    throw new InvalidArgumentError(`pValues[${bad}] is ${p[bad]}; p-values lie in 0 to 1`, { field: 'pValues' });
  const n = p.length;
  let dependence = 1;
  if (method === 'by') for (let i = 2; i <= n; i++) dependence += 1 / i;
  const order = Array.from(p.keys()).sort((a, b) => p[b]! - p[a]!);
  const qValues = new Float64Array(n);
  let q = 1;
  order.forEach((test, i) => {
    q = Math.min(q, (p[test]! * n * dependence) / (n - i));
    qValues[test] = q;
  });
  const discoveries = Uint8Array.from(qValues, (v) => (v <= rate ? 1 : 0));
  return { qValues, discoveries, count: discoveries.reduce((a, b) => a + b, 0) };
}
