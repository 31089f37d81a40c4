import { expect, test } from 'vitest';
import type { Row } from './baselines';
import { spread, table } from './table';

function rows(right: number): Row[] {
  const row = (name: string, cost: number): Row => ({ name, questions: 100, right, cost, seconds: 2, tokens: 3000 });
  return [
    row('routed', 3e9),
    row('always-nano', 1e9),
    row('always-large', 10e9),
    row('random', 4e9),
    row('oracle', 2e9),
  ];
}

test('the table shows every row with accuracy, cost and its share of always-large, seconds and tokens', () => {
  const lines = table([rows(90)]).split('\n');
  expect(lines.length).toBe(6);
  expect(lines[0]).toMatch(/accuracy +cost +of large's +seconds +tokens/);
  expect(lines[1]).toMatch(/^routed +90\.0 % +3\.0 G +30\.0 % +2\.0 +3000$/);
  expect(lines[3]).toMatch(/^always-large .* 100\.0 %/);
});

test('several seeds are shown as mean and standard deviation', () => {
  expect(table([rows(90), rows(92)]).split('\n')[1]).toContain('91.0 ± 1.4 %');
  expect(spread([1, 2, 3])).toEqual({ mean: 2, deviation: 1 });
  expect(spread([5])).toEqual({ mean: 5, deviation: 0 });
});
