// The table at the end of the demo, for one stream or for several.
import { type Row, TABLE_ROWS } from './baselines';
import { STRONGEST } from './models';

/** Accuracy and cost of one row as shares, the cost against always asking the strongest model. */
export interface Shares {
  accuracy: number;
  costShare: number;
}

export function shares(row: Row, rows: readonly Row[]): Shares {
  const reference = rows.find(({ name }) => name === `always-${STRONGEST}`);
  return { accuracy: row.right / row.questions, costShare: reference ? row.cost / reference.cost : Number.NaN };
}

/** Mean and sample standard deviation; the deviation of a single value is 0. */
export function spread(values: readonly number[]): { mean: number; deviation: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, deviation: values.length > 1 ? Math.sqrt(squares / (values.length - 1)) : 0 };
}

function cell(values: readonly number[], digits: number, unit = ''): string {
  const { mean, deviation } = spread(values);
  const text = mean.toFixed(digits);
  return `${values.length > 1 ? `${text} ± ${deviation.toFixed(digits)}` : text}${unit}`;
}

/** Columns of text, the first left, the others right aligned. */
export function align(lines: readonly (readonly string[])[]): string {
  const widths = lines[0]!.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
  return lines
    .map((line) =>
      line
        .map((text, column) => (column === 0 ? text.padEnd(widths[column]!) : text.padStart(widths[column]!)))
        .join('  '),
    )
    .join('\n');
}

/** The table of one or several runs; with several, every cell is mean ± standard deviation over them. */
export function table(runs: readonly (readonly Row[])[]): string {
  const body = TABLE_ROWS.map((name) => {
    const found = runs.map((rows) => ({ rows, row: rows.find((row) => row.name === name)! }));
    const parts = found.map(({ row, rows }) => shares(row, rows));
    return [
      name,
      cell(
        parts.map(({ accuracy }) => accuracy * 100),
        1,
        ' %',
      ),
      cell(
        found.map(({ row }) => row.cost / 1e9),
        1,
        ' G',
      ),
      cell(
        parts.map(({ costShare }) => costShare * 100),
        1,
        ' %',
      ),
      cell(
        found.map(({ row }) => row.seconds),
        1,
      ),
      cell(
        found.map(({ row }) => row.tokens),
        0,
      ),
    ];
  });
  return align([['', 'accuracy', 'cost', `of ${STRONGEST}'s`, 'seconds', 'tokens'], ...body]);
}

/** One sentence about the target: the strongest model's accuracy less two points, at half of its cost. */
export function verdict(runs: readonly (readonly Row[])[]): string {
  const of = (name: string) => runs.map((rows) => shares(rows.find((row) => row.name === name)!, rows));
  const routed = of('routed');
  const strongest = of(`always-${STRONGEST}`);
  const points = spread(routed.map(({ accuracy }, i) => 100 * (accuracy - strongest[i]!.accuracy))).mean;
  const cost = spread(routed.map(({ costShare }) => 100 * costShare)).mean;
  const difference = `${Math.abs(points).toFixed(1)} points ${points < 0 ? 'below' : 'above'}`;
  return `Routed answers: ${difference} always-${STRONGEST}, at ${cost.toFixed(1)} % of its cost.`;
}
