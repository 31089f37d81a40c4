import { CancelledError, DeviceUnavailableError, devices, InvalidArgumentError } from '@x/cuda-core';
import { describe, expect, it } from 'vitest';
import { boltzmann, sampleBeta, summarizeBeta, updateBeta } from './index';

describe('batches', () => {
  it('boltzmann gives each row its distribution and its readings', async () => {
    const energies = Float64Array.of(0, 1, 2, 3, 3, Number.POSITIVE_INFINITY);
    const out = await boltzmann(energies, { models: 3, temperature: Float64Array.of(0.5, 2), seed: 3 });
    const weights = [1, Math.exp(-2), Math.exp(-4)];
    const z = weights[0]! + weights[1]! + weights[2]!;
    for (let i = 0; i < 3; i++) expect(out.probabilities[i]).toBeCloseTo(weights[i]! / z, 14);
    expect([...out.probabilities.slice(3)]).toEqual([0.5, 0.5, 0]);
    expect(out.logPartition[0]).toBeCloseTo(Math.log(z), 14);
    expect(out.freeEnergy[1]).toBeCloseTo(3 - 2 * Math.LN2, 14);
    expect(out.meanEnergy[1]).toBe(3);
    expect(out.entropy[1]).toBeCloseTo(Math.LN2, 14);
    expect(out.choices[1]).toBeLessThan(2);
  });

  it('reads its own copy of the input, which may be transferred away meanwhile', async () => {
    const energies = Float64Array.from({ length: 300_000 }, (_, i) => i % 3);
    const options = { models: 3, temperature: 1, seed: 1 };
    const expected = await boltzmann(energies, options);
    const running = boltzmann(energies, options);
    structuredClone(energies, { transfer: [energies.buffer] });
    expect(energies.length).toBe(0);
    expect((await running).probabilities).toEqual(expected.probabilities);
  });

  it('Beta functions agree with their closed forms', async () => {
    const next = await updateBeta(
      { alpha: Float64Array.of(3), beta: Float64Array.of(5) },
      { successes: Float64Array.of(1), failures: Float64Array.of(0) },
      { prior: { alpha: 1, beta: 1 }, forgetting: 0.5 },
    );
    expect([next.alpha[0], next.beta[0]]).toEqual([3, 3]);
    const summary = await summarizeBeta({ alpha: Float64Array.of(4), beta: Float64Array.of(1) }, { level: 0.9 });
    expect(summary.mean[0]).toBe(0.8);
    expect(summary.lower[0]).toBeCloseTo(0.05 ** 0.25, 13);
    expect(summary.upper[0]).toBeCloseTo(0.95 ** 0.25, 13);
  });

  it('draws are a function of seed and stream, and have the mean of their distribution', async () => {
    const pairs = { alpha: new Float64Array(20_000).fill(2), beta: new Float64Array(20_000).fill(6) };
    const draws = await sampleBeta(pairs, { seed: 4, stream: 10 });
    expect(await sampleBeta(pairs, { seed: 4, stream: 10 })).toEqual(draws);
    const tail = { alpha: pairs.alpha.subarray(5), beta: pairs.beta.subarray(5) };
    expect(await sampleBeta(tail, { seed: 4, stream: 15 })).toEqual(draws.slice(5));
    const mean = draws.reduce((sum, x) => sum + x, 0) / draws.length;
    expect(Math.abs(mean - 0.25)).toBeLessThan((5 * Math.sqrt(0.1875 / 9)) / Math.sqrt(draws.length));
  });

  it('stops when aborted, with the reason of the signal, and reports progress otherwise', async () => {
    const pairs = { alpha: new Float64Array(200_000).fill(1e5), beta: new Float64Array(200_000).fill(1e5) };
    const controller = new AbortController();
    const reason = new Error('enough');
    setTimeout(() => controller.abort(reason), 20);
    await expect(summarizeBeta(pairs, { device: 'cpu', signal: controller.signal })).rejects.toBe(reason);
    expect(reason).not.toBeInstanceOf(CancelledError);

    const seen: number[] = [];
    await sampleBeta(
      { alpha: pairs.alpha.subarray(0, 9), beta: pairs.beta.subarray(0, 9) },
      { onProgress: (done) => seen.push(done) },
    );
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(seen.at(-1)).toBe(9);
  });

  it.runIf(devices().length === 1)('an explicit GPU that is not there is an error', async () => {
    await expect(boltzmann(Float64Array.of(1), { models: 1, temperature: 1, device: 'cuda' })).rejects.toThrow(
      DeviceUnavailableError,
    );
  });

  const ones = Float64Array.of(1, 1);
  const pairs = { alpha: ones, beta: ones };
  it.each<[string, () => Promise<unknown>]>([
    ['energies', () => boltzmann([1, 2] as never, { models: 2, temperature: 1 })],
    ['energies', () => boltzmann(ones, { models: 3, temperature: 1 })],
    ['energies', () => boltzmann(Float64Array.of(Number.NaN), { models: 1, temperature: 1 })],
    ['energies', () => boltzmann(Float64Array.of(Number.POSITIVE_INFINITY), { models: 1, temperature: 1 })],
    ['models', () => boltzmann(ones, { models: 0, temperature: 1 })],
    ['temperature', () => boltzmann(ones, { models: 2, temperature: -1 })],
    ['temperature', () => boltzmann(ones, { models: 2, temperature: ones })],
    ['seed', () => boltzmann(ones, { models: 2, temperature: 1, seed: -1 })],
    ['device', () => boltzmann(ones, { models: 2, temperature: 1, device: 'gpu' as never })],
    ['beta', () => sampleBeta({ alpha: ones, beta: Float64Array.of(1) })],
    ['alpha', () => sampleBeta({ alpha: Float64Array.of(0), beta: Float64Array.of(1) })],
    ['level', () => summarizeBeta(pairs, { level: 1 })],
    ['forgetting', () => updateBeta(pairs, { successes: ones, failures: ones }, { forgetting: 0 })],
    ['successes', () => updateBeta(pairs, { successes: Float64Array.of(1, -1), failures: ones })],
  ])('refuses wrong %s', async (field, call) => {
    const error = await call().then(
      () => undefined,
      (e) => e,
    );
    expect(error).toBeInstanceOf(InvalidArgumentError);
    expect(error).toMatchObject({ field });
  });
});
