import { InvalidArgumentError } from '@x/cuda-core';
import type { TransferEntropyNetwork } from './network';
import { significantLinks } from './network-links';
import { multivariateResult } from './network-multivariate';
import { networkIn } from './network-output';

/**
 * Puts together networks of the same series and options that were estimated for disjoint ranges of `targets`, on one machine
 * or many. The result has the bits of the whole: every column depends on its target alone, and false-discovery control is
 * done anew over all.
 * @throws InvalidArgumentError when parts overlap, leave a gap, or differ in variables, method, level or test, and for what is
 *   no network.
 */
export function mergeNetworks(parts: readonly TransferEntropyNetwork[]): TransferEntropyNetwork {
  const refuse = (message: string): never => {
    throw new InvalidArgumentError(message, { field: 'parts' });
  };
  if (!Array.isArray(parts) || parts.length === 0) refuse('parts must hold at least one network');
  const matrix = (values: unknown, type: typeof Float64Array | typeof Int32Array, size: number): boolean =>
    values === undefined || (values instanceof type && values.length === size);
  parts.forEach((part, i) => {
    networkIn(part, `parts[${i}]`);
    const { variables, targets, te, pValue, lag } = part;
    const whole = Array.isArray(targets) && targets.length === 2 && targets.every(Number.isSafeInteger);
    if (!whole || !(0 <= targets[0] && targets[0] < targets[1] && targets[1] <= variables))
      refuse(`parts[${i}].targets must be a range of 0 to ${variables}`);
    if (!matrix(te, Float64Array, variables ** 2) || !matrix(pValue, Float64Array, variables ** 2))
      refuse(`parts[${i}] has a matrix of another size than ${variables} x ${variables}`);
    if (!matrix(lag, Int32Array, variables ** 2)) refuse(`parts[${i}].lag is no matrix of whole numbers`);
  });
  const sorted = [...parts].sort((a, b) => a.targets[0] - b.targets[0]);
  const first = sorted[0] as TransferEntropyNetwork;
  const { variables, method, alpha, fdr } = first;
  let reached = first.targets[0];
  for (const part of sorted) {
    for (const field of ['variables', 'method', 'alpha', 'fdr', 'samples', 'delay'] as const)
      if (part[field] !== first[field]) refuse(`parts differ in ${field}: ${first[field]} and ${part[field]}`);
    if (!part.pValue !== !first.pValue || !part.lag !== !first.lag)
      refuse('some parts are tested or have lags and some do not');
    if (part.targets[0] !== reached)
      refuse(
        `targets ${part.targets.join('..')} ${part.targets[0] < reached ? 'overlap' : 'leave a gap after'} ${reached}`,
      );
    reached = part.targets[1];
  }
  const targets = [first.targets[0], reached] as const;
  const surrogates =
    method === 'multivariate' ? first.surrogates : sorted.reduce((sum, part) => sum + part.surrogates, 0);
  const columns = <T extends Float64Array | Int32Array>(out: T, of: (part: TransferEntropyNetwork) => T): T => {
    for (const part of sorted) {
      const [from, to] = part.targets;
      for (let x = 0; x < variables; x++)
        out.set(of(part).subarray(x * variables + from, x * variables + to), x * variables + from);
    }
    return out;
  };
  const empty = () => new Float64Array(variables * variables).fill(Number.NaN);
  if (method === 'multivariate') {
    const omnibusTe = new Float64Array(variables).fill(Number.NaN);
    const omnibusP = new Float64Array(variables).fill(Number.NaN);
    for (const part of sorted) {
      const [from, to] = part.targets;
      omnibusTe.set(part.inference?.omnibusTe.subarray(from, to) ?? refuse('a part has no inference'), from);
      omnibusP.set(part.inference?.omnibusP.subarray(from, to) ?? refuse('a part has no inference'), from);
    }
    const links = sorted.flatMap((part) => part.inference?.links ?? []);
    return multivariateResult({
      variables,
      samples: first.samples,
      targets,
      delay: first.delay,
      alpha,
      fdr,
      surrogates,
      inference: { links, omnibusTe, omnibusP },
    });
  }
  const te = columns(empty(), (part) => part.te);
  const pValue = first.pValue && columns(empty(), (part) => part.pValue as Float64Array);
  const lag = first.lag && columns(new Int32Array(variables * variables), (part) => part.lag as Int32Array);
  const lagOf = (source: number, target: number) => (lag ? (lag[source * variables + target] as number) : first.delay);
  const links = pValue
    ? significantLinks({ variables, te, pValue, lag: lagOf, targets, alpha, fdr })
    : sorted.flatMap((part) => part.links).sort((a, b) => a.source - b.source || a.target - b.target);
  return { ...first, te, ...(pValue && { pValue }), ...(lag && { lag }), links, targets, surrogates };
}
