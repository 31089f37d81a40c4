import { InvalidArgumentError } from '@x/cuda-core';
import { describe, expect, it } from 'vitest';
import { restoreSchedule, type Schedule, type ScheduleReading, schedules } from './schedules';

const reading = (given: Partial<ScheduleReading>): ScheduleReading => ({
  entropy: 0,
  acceptance: 0,
  heatCapacity: 0,
  energy: 0,
  step: 0,
  uniform: 0,
  ...given,
});
const at = (schedule: Schedule, ...steps: number[]) => steps.map((s) => schedule.temperature(s, schedule.initial));

describe('schedules', () => {
  it('exponential falls by the same factor each step, then stays', () => {
    const [t0, t1, t2, t10, t99] = at(schedules.exponential({ start: 2, end: 0.02, steps: 10 }), 0, 1, 2, 10, 99);
    expect(t0).toBe(2);
    expect(t1! / t0!).toBeCloseTo(0.01 ** 0.1, 12);
    expect(t2! / t1!).toBeCloseTo(0.01 ** 0.1, 12);
    expect([t10, t99]).toEqual([0.02, 0.02]);
  });

  it('linear falls by the same amount each step and may reach 0', () => {
    expect(at(schedules.linear({ start: 1, end: 0, steps: 4 }), 0, 1, 3, 4, 100)).toEqual([1, 0.75, 0.25, 0, 0]);
  });

  it('logarithmic starts at start, halves when ln(k + 2) doubles, and stops at its floor', () => {
    const [t0, t2, late] = at(schedules.logarithmic({ start: 1, end: 0.1 }), 0, 2, 1e9);
    expect(t0).toBe(1);
    expect(t2).toBeCloseTo(0.5, 12); // ln 4 = 2 ln 2
    expect(late).toBe(0.1);
  });

  it('constant may be 0 and Infinity', () => {
    expect(at(schedules.constant(0), 0, 7)).toEqual([0, 0]);
    expect(at(schedules.constant(Number.POSITIVE_INFINITY), 3)).toEqual([Number.POSITIVE_INFINITY]);
  });

  it('adaptive warms below its target, cools above it, and stays inside its bounds', () => {
    const schedule = schedules.adaptive({ target: 'entropy', value: 0.5, start: 1, min: 0.5, max: 2, gain: 1 });
    expect(schedule.advance!(1, reading({ entropy: 0.4 }))).toBeCloseTo(Math.exp(0.1), 12);
    expect(schedule.advance!(1, reading({ entropy: 0.7 }))).toBeCloseTo(Math.exp(-0.2), 12);
    expect(schedule.advance!(2, reading({ entropy: 0 }))).toBe(2);
    expect(schedule.advance!(0.5, reading({ entropy: 1 }))).toBe(0.5);
  });

  it.each([
    schedules.exponential({ start: 3, end: 0.1, steps: 7 }),
    schedules.linear({ start: 3, end: 0.1, steps: 7 }),
    schedules.logarithmic({ start: 3, end: 0.1 }),
    schedules.constant(0.4),
    schedules.adaptive({ target: 'entropy', value: 0.2, start: 0.3 }),
    schedules.adaptive({ target: 'speed' }),
    schedules.replicaExchange({ coldest: 0.1, hottest: 2, replicas: 3 }),
    schedules.table([3, 0.5, 0.1]),
  ])('$kind is the same after it was saved', (schedule) => {
    const restored = restoreSchedule(schedule.kind, schedule.options)!;
    expect(restored.options).toEqual(schedule.options);
    expect(at(restored, 0, 3, 50)).toEqual(at(schedule, 0, 3, 50));
  });

  it.each<[string, () => unknown]>([
    ['schedule.start', () => schedules.exponential({ start: -1, end: 1, steps: 3 })],
    ['schedule.start', () => schedules.exponential({ start: 0, end: 1, steps: 3 })],
    ['schedule.end', () => schedules.exponential({ start: 1, end: 0, steps: 3 })],
    ['schedule.steps', () => schedules.exponential({ start: 1, end: 1, steps: 0 })],
    ['schedule.steps', () => schedules.linear({ start: 1, end: 1, steps: 1.5 })],
    ['schedule.end', () => schedules.linear({ start: 1, end: -1, steps: 3 })],
    ['schedule.start', () => schedules.logarithmic({ start: Number.NaN })],
    ['schedule.temperature', () => schedules.constant(-0.1)],
    ['schedule.value', () => schedules.adaptive({ value: 2 })],
    ['schedule.target', () => schedules.adaptive({ target: 'pressure' as never })],
    ['schedule.start', () => schedules.adaptive({ start: 10, max: 1 })],
    ['schedule', () => schedules.custom(5 as never)],
  ])('refuses a wrong %s', (field, make) => {
    expect(make).toThrow(InvalidArgumentError);
    expect(make).toThrow(expect.objectContaining({ field }));
  });
});

describe('constant thermodynamic speed', () => {
  it('cools slowly where the heat capacity is large, and at most by the gain', () => {
    const schedule = schedules.adaptive({ target: 'speed', value: 0.02, start: 1, gain: 0.1 });
    expect(schedule.advance!(1, reading({ heatCapacity: 4 }))).toBeCloseTo(Math.exp(-0.01), 14);
    expect(schedule.advance!(1, reading({ heatCapacity: 1e-6 }))).toBeCloseTo(Math.exp(-0.1), 14);
    expect(schedule.advance!(1, reading({ heatCapacity: 0 }))).toBeCloseTo(Math.exp(-0.1), 14);
  });
});

describe('replica exchange', () => {
  it('leaves the replicas of energies independent of temperature distributed as their Boltzmann weights ask', () => {
    // Two rungs, energies 0 and 1 drawn at each temperature: swaps must keep both rungs' distributions.
    const schedule = schedules.replicaExchange({ coldest: 0.5, hottest: 2, replicas: 2 });
    let state = schedule.initial;
    let seed = 1;
    const uniform = () => {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      return seed / 2 ** 32;
    };
    const high = new Map<number, number[]>();
    const rungs: number[] = [];
    for (let step = 0; step < 40_000; step++) {
      const t = schedule.temperature(step, state);
      const energy = uniform() < 1 / (1 + Math.exp(1 / t)) ? 1 : 0;
      high.set(
        t,
        [...(high.get(t) ?? [0, 0])].map((v, i) => v + (i === 0 ? energy : 1)),
      );
      if (step % 2 === 0) rungs.push((state as number[])[0]!);
      state = schedule.advance!(state, reading({ energy, step, uniform: uniform() }));
    }
    for (const [t, [ones, all]] of high) expect(ones! / all!).toBeCloseTo(1 / (1 + Math.exp(1 / t)), 1);
    // Replica 0 is on both rungs about equally often, and moves between them.
    expect(rungs.filter((r) => r === 0).length / rungs.length).toBeCloseTo(0.5, 1);
    expect([...new Set(high.keys())].sort()).toEqual([0.5, 2]);
  });

  it('is refused with a ladder that does not rise', () => {
    expect(() => schedules.replicaExchange({ coldest: 1, hottest: 1 })).toThrow(InvalidArgumentError);
    expect(() => schedules.replicaExchange({ coldest: 1, hottest: 2, replicas: 1 })).toThrow(InvalidArgumentError);
  });
});

describe('Fokker-Planck', () => {
  it('cools an ensemble in a landscape from start to end, slowest at the transition', async () => {
    const potential = Float64Array.from({ length: 201 }, (_, i) => {
      const x = -2 + i / 50;
      return 2 * (x * x - 1) ** 2 + 0.3 * x;
    });
    const options = { potential, range: [-2, 2] as const, start: 5, end: 0.05, steps: 120, walkers: 2000, seed: 3 };
    const schedule = await schedules.fokkerPlanck(options);
    const temperatures = Array.from({ length: 120 }, (_, k) => schedule.temperature(k, 0));
    expect(temperatures[0]).toBe(5);
    expect(temperatures.every((t, k) => k === 0 || t <= temperatures[k - 1]!)).toBe(true);
    expect(schedule.temperature(1e6, 0)).toBe(temperatures[119]);
    expect((await schedules.fokkerPlanck(options)).options).toEqual(schedule.options);
    await expect(schedules.fokkerPlanck({ ...options, end: 9 })).rejects.toMatchObject({ field: 'start' });
    await expect(schedules.fokkerPlanck({ ...options, potential: Float64Array.of(1) })).rejects.toMatchObject({
      field: 'potential',
    });
  });
});
