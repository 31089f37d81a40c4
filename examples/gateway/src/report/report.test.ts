import { expect, test } from 'vitest';
import type { Row } from '../baselines';
import { trailingMean } from './charts';
import type { Point, ReportData } from './data';
import { renderReport } from './report';

const row = (name: string, right: number, cost: number): Row => ({
  name,
  questions: 4,
  right,
  cost,
  seconds: 1.25,
  tokens: 200,
});

const point = (i: number, more: Partial<Point> = {}): Point => ({
  domain: i % 2 ? 'sum' : 'reverse',
  difficulty: 1,
  question: `What is ${i} + 1?`,
  expected: String(i + 1),
  answer: String(i + 1),
  asked: i === 3 ? ['nano', 'large'] : ['nano'],
  right: true,
  cost: 10,
  explanation: `because ${i}`,
  strongest: { right: true, cost: 40 },
  ...more,
});

const data: ReportData = {
  date: '2026-11-24T00:00:00.000Z',
  facts: [['seed', '1']],
  rows: [row('routed', 3, 40), row('always-nano', 1, 10), row('always-large', 4, 160), row('oracle', 4, 20)],
  runs: [],
  points: [
    point(0),
    point(1),
    point(2, { question: '<img src=x onerror=alert(1)></script>', answer: '</script>', right: false }),
    point(3),
  ],
  groups: [{ label: 'what is 0', questions: 3, models: [{ model: 'nano', mean: 0.75, low: 0.4, high: 0.95 }] }],
  influences: [{ feature: 'digits', model: 'nano', effective: 0.0123, pValue: 0.04, qValue: 0.2, samples: 300 }],
  readings: [{ at: 0.5, cpu: 0.9, processMemoryBytes: 2 ** 28, gpu: null }],
  gpuAbsent: 'no driver',
};
const html = renderReport(data);

/** The page without the inlined library, whose comments may name its home page. */
const own = html.replace(/<script>[\s\S]*?<\/script>/g, '');

test('the report needs no network: nothing in it is loaded from elsewhere', () => {
  expect(own).not.toMatch(/https?:\/\//);
  expect(html).not.toMatch(/<(script|img|link|iframe)[^>]*\b(src|href)=/);
  expect(html).not.toMatch(/@import|url\(/);
  expect(html).toContain('Chart');
});

test('the report shows the figures of every row', () => {
  expect(own).toContain('<b>75.0 %</b> of the routed answers were right');
  expect(own).toContain('<b>25.0 %</b> of the cost');
  for (const { name } of data.rows) expect(own).toContain(`<th scope="row">${name}</th>`);
  expect(own).toContain('0.0123');
  expect(own).toContain('40–95 %');
  expect(own).toContain('No GPU: no driver');
});

test('questions and replies cannot break out of the page', () => {
  expect(own).not.toContain('<img');
  expect(own).toContain('&lt;img src=x');
  expect(html.match(/<\/script>/g)!.length).toBe(3);
});

test('every canvas has a chart and every chart a canvas', () => {
  const json = html.match(/<script type="application\/json" id="charts">([\s\S]*?)<\/script>/)![1]!;
  const ids = (JSON.parse(json) as { id: string }[]).map(({ id }) => id).sort();
  const canvases = [...html.matchAll(/<canvas id="([^"]+)"/g)].map((match) => match[1]).sort();
  expect(ids).toEqual(canvases);
  expect(ids).toEqual(['accuracy', 'cost', 'cost-quality', 'machine']);
});

test('several seeds get their own table', () => {
  expect(own).not.toContain('Over 2 seeds');
  expect(renderReport({ ...data, runs: [data.rows, data.rows] })).toContain('Over 2 seeds');
});

test('a trailing mean covers the window, and less at the start', () => {
  expect(trailingMean([1, 0, 0, 1], 2)).toEqual([1, 0.5, 0, 0.5]);
  expect(trailingMean([1, 0, 0, 1], Number.POSITIVE_INFINITY)).toEqual([1, 1 / 2, 1 / 3, 2 / 4]);
});
