import { expect, test } from 'vitest';
import { ChangeDetector } from '../index';

/** Bernoulli outcomes from a small generator, the same in every run. */
function outcomes(seed: number): (rate: number) => number {
  let state = seed;
  return (rate) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32 < rate ? 1 : 0;
  };
}

test('alarms at most once in ten thousand outcomes while nothing changes, whatever the rate', () => {
  for (const rate of [0.05, 0.5, 0.9]) {
    const draw = outcomes(1);
    const detector = new ChangeDetector();
    let alarms = 0;
    for (let i = 0; i < 100_000; i++) if (detector.observe(draw(rate))) alarms++;
    expect(alarms, `rate ${rate}`).toBeLessThanOrEqual(15); // 10 expected at most; 15 is 1.6 deviations above
  }
});

test('a model that falls from 0.9 to 0.4 is noticed within 50 outcomes, and the change is placed where it was', () => {
  const draw = outcomes(2);
  for (let run = 0; run < 20; run++) {
    const detector = new ChangeDetector();
    for (let i = 0; i < 1500; i++) detector.observe(draw(0.9));
    let change: ReturnType<ChangeDetector['observe']>;
    let delay = 0;
    while (!change) {
      delay++;
      change = detector.observe(draw(0.4));
    }
    expect(delay).toBeLessThanOrEqual(50);
    expect(Math.abs(change.age - delay)).toBeLessThanOrEqual(20);
    expect(change.before).toBeGreaterThan(0.85);
    expect(change.since).toBeLessThan(0.7);
    expect(detector.count).toBe(change.age);
  }
});

test('graded outcomes count in parts', () => {
  const detector = new ChangeDetector();
  for (let i = 0; i < 300; i++) detector.observe(0.8);
  let delay = 0;
  while (!detector.observe(0.2)) delay++;
  expect(delay).toBeLessThan(30);
});

test('a saved detector goes on as the original does', () => {
  const draw = outcomes(3);
  const original = new ChangeDetector({ window: 64 });
  for (let i = 0; i < 500; i++) original.observe(draw(0.7));
  const copy = new ChangeDetector({ window: 64 });
  copy.restore(JSON.parse(JSON.stringify(original)));
  for (let i = 0; i < 300; i++) {
    const outcome = draw(0.2);
    expect(copy.observe(outcome)).toEqual(original.observe(outcome));
  }
});

test('wrong options and outcomes are refused by name', () => {
  expect(() => new ChangeDetector({ falseAlarmEvery: 1 })).toThrow(
    expect.objectContaining({ field: 'falseAlarmEvery' }),
  );
  expect(() => new ChangeDetector({ window: 2.5 })).toThrow(expect.objectContaining({ field: 'window' }));
  for (const bad of [Number.NaN, -0.1, 1.5, 'yes' as never])
    expect(() => new ChangeDetector().observe(bad)).toThrow(expect.objectContaining({ field: 'outcome' }));
});
