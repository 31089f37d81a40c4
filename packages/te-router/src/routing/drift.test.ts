import { describe, expect, it } from 'vitest';
import { DriftDetector } from './drift';
import { QueryRouter } from './router';
import { uniforms } from './text-model/random';

const OPTIONS = { falseAlarmEvery: 5000, tolerance: 0.05 };

describe('DriftDetector', () => {
  it('is silent while outcomes are as expected, also when they vary with the question', () => {
    const draw = uniforms(1);
    const detector = new DriftDetector(OPTIONS);
    let alarms = 0;
    for (let i = 0; i < 20_000; i++) {
      const expected = 0.1 + 0.8 * draw();
      if (detector.add(expected, draw() < expected ? 1 : 0)) alarms++;
    }
    expect(alarms).toBeLessThanOrEqual(4); // one in 5000 at most on average
  });

  it.each([
    ['worse', 0.8, 0.4],
    ['better', 0.3, 0.7],
  ] as const)('notices within a hundred outcomes that a model is %s, and since when', (direction, before, after) => {
    const draw = uniforms(2);
    const detector = new DriftDetector(OPTIONS);
    for (let i = 0; i < 500; i++) expect(detector.add(before, draw() < before ? 1 : 0)).toBeUndefined();
    for (let i = 1; i <= 100; i++) {
      const event = detector.add(before, draw() < after ? 1 : 0);
      if (!event) continue;
      expect(event.direction).toBe(direction);
      expect(event.since).toBeGreaterThanOrEqual(i - 5);
      expect(event.since).toBeLessThan(i + 60);
      expect(Math.abs(event.observed - after)).toBeLessThan(0.35);
      expect(event.expected).toBeCloseTo(before, 6);
      return;
    }
    expect.unreachable('no alarm');
  });
});

describe('QueryRouter and drift', () => {
  it('reports a model that fails, doubts what it knew of it, and leaves the others alone', () => {
    const router = new QueryRouter({
      models: [
        { name: 'a', cost: 1 },
        { name: 'b', cost: 2 },
      ],
    });
    const draw = uniforms(5);
    for (let i = 0; i < 500; i++) {
      const query = `question ${i % 7}`;
      router.observe({ query, model: 'a', quality: i < 300 && draw() < 0.9 ? 1 : 0 });
      router.observe({ query, model: 'b', quality: draw() < 0.7 ? 1 : 0 });
    }
    expect(router.driftEvents.map((e) => e.model)).toContain('a');
    expect(router.driftEvents.map((e) => e.model)).not.toContain('b');
    const [event] = router.driftEvents;
    expect(event!.direction).toBe('worse');
    expect(event!.at).toBeGreaterThan(600);
    expect(event!.at).toBeLessThan(700);
    const [a, b] = router.route('question 3').models;
    expect(a!.quality).toBeLessThan(0.15);
    expect(b!.quality).toBeGreaterThan(0.5);
  });
});
