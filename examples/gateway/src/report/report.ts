// The report: one HTML file that needs nothing else, neither network nor folder beside it.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { IoError } from '@x/cuda-core';
import { STRONGEST } from '../models';
import { shares, spread } from '../table';
import { charts, WINDOW } from './charts';
import type { Group, Influence, Point, ReportData } from './data';
import { DRAW, escapeHtml, htmlTable, STYLE, scriptJson } from './page';

// Shown of each model: most features say the same as one of these.
const INFLUENCES = 4;
// Characters of a group's name.
const LABEL = 44;

const percent = (value: number, digits = 1) => (Number.isFinite(value) ? `${(100 * value).toFixed(digits)} %` : '–');

/** Chart.js as one script. The package exports its modules only, so the bundle is taken from beside them. */
function chartLibrary(): string {
  const modules = createRequire(import.meta.url).resolve('chart.js');
  const source = readFileSync(join(dirname(modules), 'chart.umd.js'), 'utf8');
  return source.replace(/^\/\/# sourceMappingURL=.*$/m, '').replaceAll('</script', '<\\/script');
}

function headline({ rows }: ReportData): string {
  const routed = shares(rows[0]!, rows);
  const strongest = shares(rows.find(({ name }) => name === `always-${STRONGEST}`)!, rows);
  return `<p class="headline"><b>${percent(routed.accuracy)}</b> of the routed answers were right, at
<b>${percent(routed.costShare)}</b> of the cost of always asking <code>${STRONGEST}</code>, which had
${percent(strongest.accuracy)} right.</p>`;
}

function rowsTable({ rows }: ReportData): string {
  return htmlTable(
    ['', 'accuracy', 'parameters read', `of ${STRONGEST}'s cost`, 'seconds', 'tokens'],
    rows.map((row) => {
      const { accuracy, costShare } = shares(row, rows);
      return [
        escapeHtml(row.name),
        percent(accuracy),
        `${(row.cost / 1e9).toFixed(2)} G`,
        percent(costShare),
        row.seconds.toFixed(2),
        String(row.tokens),
      ];
    }),
  );
}

function seedsTable({ runs }: ReportData): string {
  if (runs.length < 2) return '';
  const of = (name: string) => runs.map((rows) => shares(rows.find((row) => row.name === name)!, rows));
  const show = (values: number[]) => {
    const { mean, deviation } = spread(values);
    return `${percent(mean)} ± ${percent(deviation)}`;
  };
  return `<h2>Over ${runs.length} seeds</h2><p class="soft">Mean ± standard deviation; each seed has its own order of questions.</p>${htmlTable(
    ['', 'accuracy', `of ${STRONGEST}'s cost`],
    runs[0]!.map(({ name }) => {
      const each = of(name);
      return [
        escapeHtml(name),
        show(each.map(({ accuracy }) => accuracy)),
        show(each.map(({ costShare }) => costShare)),
      ];
    }),
  )}`;
}

function domainsTable(points: readonly Point[]): string {
  const groups = new Map<string, Point[]>();
  for (const point of points) groups.set(point.domain, [...(groups.get(point.domain) ?? []), point]);
  const body = [...groups.entries()]
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([domain, group]) => {
      const share = (count: number) => percent(count / group.length, 0);
      const sum = (of: (point: Point) => number) => group.reduce((total, point) => total + of(point), 0);
      const asked = new Map<string, number>();
      for (const { asked: names } of group) asked.set(names.at(-1)!, (asked.get(names.at(-1)!) ?? 0) + 1);
      const favourite = [...asked.entries()].sort((a, b) => b[1] - a[1])[0]!;
      return [
        escapeHtml(domain),
        String(group.length),
        share(sum(({ right }) => Number(right))),
        share(sum(({ strongest }) => Number(strongest.right))),
        percent(sum(({ cost }) => cost) / sum(({ strongest }) => strongest.cost), 0),
        share(sum(({ asked: names }) => Number(names.length > 1))),
        `${escapeHtml(favourite[0])} (${share(favourite[1])})`,
      ];
    });
  return htmlTable(
    ['domain', 'questions', 'routed right', `${STRONGEST} right`, 'cost share', 'escalated', 'answered mostly by'],
    body,
  );
}

function groupsTable(groups: readonly Group[]): string {
  const names = groups[0]?.models.map(({ model }) => model) ?? [];
  return htmlTable(
    ['group', 'questions', ...names.map(escapeHtml)],
    groups.map(({ label, questions, models }) => [
      escapeHtml(label.length > LABEL ? `${label.slice(0, LABEL - 1)}…` : label),
      String(questions),
      ...models.map(
        ({ mean, low, high }) =>
          `${percent(mean, 0)} <span class="soft">${(100 * low).toFixed(0)}–${percent(high, 0)}</span>`,
      ),
    ]),
  );
}

function influencesTable(influences: readonly Influence[]): string {
  if (influences.length === 0) return '<p>Too few outcomes of any model for an estimate.</p>';
  const ranked = [...influences].sort((a, b) => a.qValue - b.qValue || b.effective - a.effective);
  const models = [...new Set(ranked.map(({ model }) => model))];
  const strongest = models.flatMap((model) => ranked.filter((one) => one.model === model).slice(0, INFLUENCES));
  const largest = Math.max(...strongest.map(({ effective }) => effective), Number.MIN_VALUE);
  return htmlTable(
    ['feature', 'model', 'transfer entropy (nats)', '', 'p', 'false discovery rate', 'outcomes'],
    strongest.map(({ feature, model, effective, pValue, qValue, samples }) => [
      escapeHtml(feature),
      escapeHtml(model),
      effective.toFixed(4),
      `<span class="bar" style="width:${(6 * Math.max(0, effective / largest)).toFixed(2)}rem"></span>`,
      pValue.toFixed(3),
      qValue.toFixed(3),
      String(samples),
    ]),
  );
}

function examplesTable(points: readonly Point[]): string {
  // The first shows a gateway that knows nothing, the last one that has learned; escalations are the interesting ones.
  const escalated = points.filter(({ asked }) => asked.length > 1).slice(-4);
  const chosen = [...new Set([...points.slice(0, 2), ...escalated, ...points.slice(-4)])];
  return htmlTable(
    ['no.', 'question', 'asked', 'answer', 'why'],
    chosen.map((point) => [
      String(points.indexOf(point) + 1),
      escapeHtml(point.question),
      escapeHtml(point.asked.join(' → ')),
      `<span class="${point.right ? 'right' : 'wrong'}">${escapeHtml(point.answer)} ${point.right ? '✓' : `✗ (${escapeHtml(point.expected)})`}</span>`,
      escapeHtml(point.explanation),
    ]),
    'prose',
  );
}

/** The report as HTML. */
export function renderReport(data: ReportData): string {
  const all = charts(data.points, data.rows, data.readings);
  const chart = (id: string) => {
    const { label } = all.find((one) => one.id === id)!;
    return `<div class="chart"><canvas id="${id}" role="img" aria-label="${escapeHtml(label)}"></canvas></div>`;
  };
  const facts = data.facts.map(([name, value]) => `${escapeHtml(name)} ${escapeHtml(value)}`).join(' · ');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Gateway: ${data.points.length} questions, five models</title>
<style>${STYLE}</style>
</head>
<body>
<h1>A gateway that learns which model to ask</h1>
<p class="soft">${escapeHtml(data.date)} · ${facts}</p>
${headline(data)}
<h2>Result</h2>
<p class="soft">Cost is the parameters a model reads per token times prompt and generated tokens, escalations included. The baselines
are live replies of the same models to the same questions. The oracle knows every answer beforehand and takes the cheapest right one.</p>
${rowsTable(data)}
${seedsTable(data)}
<h2>Learning curve</h2>
<p class="soft">From the first question on; only the outcome of the answer given is revealed. Rolling values cover ${WINDOW} questions.</p>
<div class="grid">${chart('accuracy')}${chart('cost')}</div>
<h2>Cost and quality</h2>
<p class="soft">Up and to the left is better.</p>
${chart('cost-quality')}
<h2>By domain</h2>
<p class="soft">The domain names are for this table only; the router finds its own groups.</p>
${domainsTable(data.points)}
<h2>What was learned about the models</h2>
<p class="soft">The groups are the router's own, named by how their first question begins. Each cell is the Beta posterior of a
right answer with its 90 % interval: wide where a model was hardly ever asked, because there was no need to.</p>
${groupsTable(data.groups)}
<h2>Which features carry information about quality</h2>
<p class="soft">Transfer entropy (Kraskov, algorithm 1) from a feature of the question to whether a model's answer is right, given its answer
before, less the mean of time-shuffled surrogates. The strongest of each model are shown, whether significant or not.</p>
${influencesTable(data.influences)}
<h2>The machine</h2>
${data.gpuAbsent === undefined ? '' : `<p class="soft">No GPU: ${escapeHtml(data.gpuAbsent)}</p>`}
${chart('machine')}
<h2>Some decisions</h2>
${examplesTable(data.points)}
<script type="application/json" id="charts">${scriptJson(all.map(({ id, config }) => ({ id, config })))}</script>
<script>${chartLibrary()}</script>
<script>${DRAW}</script>
</body>
</html>
`;
}

/** Writes the report to `path`, making its folder. */
export function writeReport(path: string, data: ReportData): void {
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, renderReport(data));
  } catch (cause) {
    throw new IoError(`The report cannot be written to ${path}: ${(cause as Error).message}`, {
      field: 'report',
      cause,
    });
  }
}
