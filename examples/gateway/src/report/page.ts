// The look of the report and the few lines that draw its charts.

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** Text as HTML; questions and replies are not to be trusted. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character]!);
}

/** JSON that cannot end the script element it stands in. */
export function scriptJson(value: unknown): string {
  return JSON.stringify(value)
    .replace(/</g, '\\u003c')
    .replace(/\u2028/g, '\\u2028')
    .replace(/\u2029/g, '\\u2029');
}

/** A table; cells are HTML already. The first column is a header of its row; `kind` is a class of the style below. */
export function htmlTable(head: readonly string[], body: readonly (readonly string[])[], kind = 'figures'): string {
  const row = (cells: readonly string[]) =>
    `<tr><th scope="row">${cells[0]}</th>${cells
      .slice(1)
      .map((cell) => `<td>${cell}</td>`)
      .join('')}</tr>`;
  return `<div class="scroll"><table class="${kind}"><thead><tr>${head.map((cell) => `<th scope="col">${cell}</th>`).join('')}</tr></thead>
<tbody>${body.map(row).join('\n')}</tbody></table></div>`;
}

export const STYLE = `
:root { color-scheme: light dark; --ink: #1d2330; --soft: #5b6372; --line: #d8dce3; --page: #ffffff; --panel: #f6f7f9; --mark: #2f7ed8; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ef; --soft: #a2aab8; --line: #343b48; --page: #14171d; --panel: #1c2028; --mark: #8ab4e8; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1rem 4rem; max-width: 72rem; background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .3rem; } h2 { font-size: 1.15rem; margin: 2.5rem 0 .3rem; }
p { max-width: 46rem; } .soft { color: var(--soft); font-size: .9rem; }
.headline { font-size: 1.15rem; } .headline b { color: var(--mark); }
.grid { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(30rem, 100%), 1fr)); gap: 1rem; }
.chart { position: relative; height: 20rem; padding: .75rem; background: var(--panel); border: 1px solid var(--line); border-radius: .5rem; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .75rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th[scope=row], thead th:first-child { text-align: left; } tbody th { font-weight: 600; }
.prose th, .prose td { text-align: left; vertical-align: top; white-space: normal; }
.prose td:nth-child(2) { min-width: 14rem; } .prose td:last-child { min-width: 30rem; } .wrong { color: #d1495b; } .right { color: #3a9d5d; }
.bar { display: inline-block; height: .6rem; border-radius: .2rem; background: var(--mark); vertical-align: baseline; }
`;

/** Draws every chart, and again in the other colours when the reader's theme changes. */
export const DRAW = `
const charts = JSON.parse(document.getElementById('charts').textContent);
let drawn = [];
function draw() {
  for (const chart of drawn) chart.destroy();
  const style = getComputedStyle(document.documentElement);
  Chart.defaults.color = style.getPropertyValue('--soft').trim();
  Chart.defaults.borderColor = style.getPropertyValue('--line').trim();
  drawn = charts.map(({ id, config }) => new Chart(document.getElementById(id), structuredClone(config)));
}
draw();
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
`;
