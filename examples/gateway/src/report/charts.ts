// The charts as Chart.js configurations: plain JSON, so that the page needs no code of its own but the library.
import type { Row } from '../baselines';
import { STRONGEST } from '../models';
import type { Point, Reading } from './data';

/** Questions behind every value of a rolling curve. */
export const WINDOW = 50;

// Mid-tones that hold their contrast on white and on near-black.
const COLOUR = { routed: '#2f7ed8', rolling: '#8ab4e8', reference: '#d9822b', other: '#8a8f98', good: '#3a9d5d' };
const MODELS = ['#b07aa1', '#76b7b2', '#c9a227', '#e15759', '#9c755f'];

export interface Chart {
  id: string;
  /** Read aloud in place of the picture. */
  label: string;
  config: object;
}

type XY = { x: number; y: number };

/** Mean of `values` over the last `window` entries, at every entry; over all of them when the window is infinite. */
export function trailingMean(values: readonly number[], window: number): number[] {
  let sum = 0;
  return values.map((value, i) => {
    sum += value;
    if (i >= window) sum -= values[i - window]!;
    return sum / Math.min(i + 1, window);
  });
}

function curve(label: string, ys: readonly number[], colour: string, dashed = false) {
  return {
    label,
    data: ys.map((y, i): XY => ({ x: i + 1, y: Math.round(y * 1e4) / 1e4 })),
    borderColor: colour,
    backgroundColor: colour,
    borderWidth: dashed ? 1.5 : 2,
    borderDash: dashed ? [5, 4] : [],
    pointRadius: 0,
  };
}

function axis(title: string, more: object = {}) {
  return { type: 'linear', title: { display: true, text: title }, ...more };
}

const LINE = { animation: false, maintainAspectRatio: false, interaction: { mode: 'index', intersect: false } };

function accuracyCurve(points: readonly Point[]): Chart {
  const routed = points.map(({ right }) => Number(right));
  const strongest = points.map(({ strongest }) => Number(strongest.right));
  return {
    id: 'accuracy',
    label: `Accuracy of the routed answers and of always-${STRONGEST} over the stream`,
    config: {
      type: 'line',
      data: {
        datasets: [
          curve('routed, so far', trailingMean(routed, Number.POSITIVE_INFINITY), COLOUR.routed),
          curve(`routed, last ${WINDOW}`, trailingMean(routed, WINDOW), COLOUR.rolling),
          curve(
            `always-${STRONGEST}, so far`,
            trailingMean(strongest, Number.POSITIVE_INFINITY),
            COLOUR.reference,
            true,
          ),
        ],
      },
      options: {
        ...LINE,
        scales: { x: axis('questions answered', { min: 1 }), y: axis('share right', { suggestedMin: 0.5, max: 1 }) },
      },
    },
  };
}

function costCurve(points: readonly Point[]): Chart {
  const mean = (of: (point: Point) => number, window: number) => trailingMean(points.map(of), window);
  const share = (window: number) => {
    const strongest = mean((point) => point.strongest.cost, window);
    return mean((point) => point.cost, window).map((cost, i) => cost / strongest[i]!);
  };
  return {
    id: 'cost',
    label: `Cost of the routed answers as a share of always-${STRONGEST} over the stream`,
    config: {
      type: 'line',
      data: {
        datasets: [
          curve('so far', share(Number.POSITIVE_INFINITY), COLOUR.routed),
          curve(`last ${WINDOW}`, share(WINDOW), COLOUR.rolling),
          curve(
            `always-${STRONGEST}`,
            points.map(() => 1),
            COLOUR.reference,
            true,
          ),
        ],
      },
      options: {
        ...LINE,
        scales: {
          x: axis('questions answered', { min: 1 }),
          y: axis(`cost, always-${STRONGEST} = 1`, { min: 0, suggestedMax: 1.1 }),
        },
      },
    },
  };
}

function costQuality(rows: readonly Row[]): Chart {
  const fixed: Record<string, string> = {
    routed: COLOUR.routed,
    [`always-${STRONGEST}`]: COLOUR.reference,
    random: COLOUR.other,
    oracle: COLOUR.good,
  };
  const others = rows.filter(({ name }) => !(name in fixed));
  const colour = (row: Row) => fixed[row.name] ?? MODELS[others.indexOf(row) % MODELS.length]!;
  return {
    id: 'cost-quality',
    label: 'Cost and accuracy of the routed answers and of every baseline',
    config: {
      type: 'scatter',
      data: {
        datasets: rows.map((row) => ({
          label: row.name,
          data: [{ x: row.cost / row.questions / 1e6, y: row.right / row.questions }],
          backgroundColor: colour(row),
          borderColor: colour(row),
          pointRadius: row.name === 'routed' ? 9 : 6,
          pointHoverRadius: 10,
          pointStyle: row.name === 'routed' ? 'rectRot' : 'circle',
        })),
      },
      options: {
        animation: false,
        maintainAspectRatio: false,
        plugins: { legend: { position: 'right', labels: { usePointStyle: true } } },
        scales: {
          x: axis('million parameters read per question (log scale)', { type: 'logarithmic' }),
          y: axis('share right', { suggestedMin: 0, max: 1 }),
        },
      },
    },
  };
}

function machine(readings: readonly Reading[]): Chart {
  const series = (label: string, of: (reading: Reading) => number | null, colour: string, yAxisID: string) => ({
    label,
    data: readings.map((reading) => ({ x: Math.round(reading.at * 100) / 100, y: of(reading) })),
    borderColor: colour,
    backgroundColor: colour,
    borderWidth: 2,
    pointRadius: 0,
    yAxisID,
  });
  const datasets = [
    series('CPU', ({ cpu }) => cpu, COLOUR.routed, 'y'),
    series(
      'process memory (MiB)',
      ({ processMemoryBytes: bytes }) => bytes && Math.round(bytes / 2 ** 20),
      COLOUR.other,
      'memory',
    ),
  ];
  if (readings.some(({ gpu }) => gpu !== null)) datasets.push(series('GPU', ({ gpu }) => gpu, COLOUR.good, 'y'));
  return {
    id: 'machine',
    label: 'Load of the machine while the demo ran',
    config: {
      type: 'line',
      data: { datasets },
      options: {
        ...LINE,
        scales: {
          x: axis('seconds'),
          y: axis('utilisation', { min: 0, max: 1 }),
          memory: axis('MiB', { position: 'right', min: 0, grid: { drawOnChartArea: false } }),
        },
      },
    },
  };
}

/** All charts of the report. */
export function charts(points: readonly Point[], rows: readonly Row[], readings: readonly Reading[]): Chart[] {
  return [accuracyCurve(points), costCurve(points), costQuality(rows), machine(readings)];
}
