import { InvalidArgumentError } from '@x/cuda-core';
import { describe, expect, it } from 'vitest';
import { restoreSchedule, type Schedule, schedules } from './schedules';

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
    expect(schedule.advance!(1, { entropy: 0.4, acceptance: 0 })).toBeCloseTo(Math.exp(0.1), 12);
    expect(schedule.advance!(1, { entropy: 0.7, acceptance: 0 })).toBeCloseTo(Math.exp(-0.2), 12);
    expect(schedule.advance!(2, { entropy: 0, acceptance: 0 })).toBe(2);
    expect(schedule.advance!(0.5, { entropy: 1, acceptance: 0 })).toBe(0.5);
  });

  it.each([
    schedules.exponential({ start: 3, end: 0.1, steps: 7 }),
    schedules.linear({ start: 3, end: 0.1, steps: 7 }),
    schedules.logarithmic({ start: 3, end: 0.1 }),
    schedules.constant(0.4),
    schedules.adaptive({ target: 'entropy', value: 0.2, start: 0.3 }),
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
    ['schedule.target', () => schedules.adaptive({ target: 'speed' as never })],
    ['schedule.start', () => schedules.adaptive({ start: 10, max: 1 })],
    ['schedule', () => schedules.custom(5 as never)],
  ])('refuses a wrong %s', (field, make) => {
    expect(make).toThrow(InvalidArgumentError);
    expect(make).toThrow(expect.objectContaining({ field }));
  });
});
