import { numberIn, objectIn, refuse, textIn } from '@x/cuda-core/addon';
import type { NetworkSeries, TransferEntropyNetwork } from './network';
import { escaped, variableNames } from './network-output';

export interface NetworkHtmlOptions {
  names?: readonly string[];
  /** The series, drawn below; at most 2000 points a variable are kept (the extremes of each stretch). */
  series?: NetworkSeries;
  title?: string;
}

const POINTS = 2000;

/** Few points that look like all: the least and the largest of each stretch, in order of time. */
function thinned(values: Float64Array): number[] {
  const keep = (value: number) => Number(value.toPrecision(5));
  if (values.length <= POINTS) return Array.from(values, keep);
  const out: number[] = [];
  const stretch = values.length / (POINTS / 2);
  for (let part = 0; part < POINTS / 2; part++) {
    let low = Math.floor(part * stretch);
    let high = low;
    for (let t = low + 1; t < Math.floor((part + 1) * stretch); t++) {
      if ((values[t] as number) < (values[low] as number)) low = t;
      if ((values[t] as number) > (values[high] as number)) high = t;
    }
    out.push(keep(values[Math.min(low, high)] as number), keep(values[Math.max(low, high)] as number));
  }
  return out;
}

function drawable(series: NetworkSeries, variables: number): NetworkSeries {
  objectIn(series, 'series');
  const samples = numberIn(series.samples, 'series.samples', { min: 1, integer: true });
  if (!(series.values instanceof Float64Array) || series.values.length !== variables * samples)
    refuse('series.values', `series.values must be a Float64Array of ${variables} x ${samples} numbers.`);
  return series;
}

/**
 * One HTML page with the network, the matrix and the series, which needs nothing but itself: no network access, no library.
 * A click on a variable shows its links and its series.
 */
export function networkHtml(network: TransferEntropyNetwork, options: NetworkHtmlOptions = {}): string {
  objectIn(options, 'options');
  const names = variableNames(network, options.names);
  const title = textIn(options.title ?? 'Transfer entropy network', 'title');
  const series = options.series && drawable(options.series, network.variables);
  const data = {
    names,
    links: network.links.map(({ source, target, te, lag, pValue, qValue }) => [
      source,
      target,
      te,
      lag,
      pValue ?? null,
      qValue ?? null,
    ]),
    te: Array.from(network.te, (value) => (Number.isFinite(value) ? Number(value.toPrecision(5)) : null)),
    series: series
      ? names.map((_, v) => thinned(series.values.subarray(v * series.samples, (v + 1) * series.samples)))
      : null,
  };
  // The data stand in a script: nothing in them may end it.
  const json = JSON.stringify(data)
    .replaceAll('<', '\\u003c')
    .replaceAll('\u2028', '\\u2028')
    .replaceAll('\u2029', '\\u2029');
  const facts = [
    `${network.variables} variables`,
    `${network.samples} tuples`,
    `${network.links.length} links`,
    network.method,
    ...(network.pValue ? [`alpha ${network.alpha}${network.fdr ? ', false-discovery control' : ''}`] : []),
  ].join(' · ');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>${escaped(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<header><h1>${escaped(title)}</h1><p>${escaped(facts)}</p></header>
<main>
<section><h2>Network</h2><canvas id="graph" width="1120" height="1120" aria-label="Network of links"></canvas></section>
<section><h2>Matrix <small>row drives column, nats</small></h2><canvas id="matrix" width="1120" height="1120" aria-label="Matrix of transfer entropies"></canvas><p id="cell">&nbsp;</p></section>
<section class="wide"><h2>Links${series ? ' and series' : ''} <small id="chosen">all</small></h2><div id="series"></div><div class="scroll"><table><thead><tr><th>source</th><th>target</th><th>te</th><th>lag</th><th>p</th><th>q</th></tr></thead><tbody id="links"></tbody></table></div></section>
</main>
<script type="application/json" id="data">${json}</script>
<script>${SCRIPT}</script>
</body>
</html>
`;
}

const STYLE = `
:root{color-scheme:light dark;--ink:#1d2433;--soft:#69748a;--line:#d8dee9;--paper:#fff;--back:#f5f7fa;--accent:#b4431f}
@media(prefers-color-scheme:dark){:root{--ink:#e6eaf2;--soft:#98a3b8;--line:#333c4d;--paper:#1a202b;--back:#12161e;--accent:#f08a5d}}
*{box-sizing:border-box}body{margin:0;font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--back)}
header{padding:1.5rem 2rem .5rem}h1{margin:0;font-size:1.4rem}h2{margin:0 0 .5rem;font-size:1rem}small{color:var(--soft);font-weight:400}
header p{margin:.2rem 0;color:var(--soft)}main{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr));gap:1rem;padding:1rem 2rem 2rem}
section{background:var(--paper);border:1px solid var(--line);border-radius:8px;padding:1rem;min-width:0}.wide{grid-column:1/-1}
canvas{width:100%;height:auto;display:block}#cell{margin:.4rem 0 0;color:var(--soft)}
svg{width:100%;height:64px;display:block}.track{display:grid;grid-template-columns:8rem 1fr;align-items:center;border-top:1px solid var(--line)}
.track span{overflow:hidden;text-overflow:ellipsis;white-space:nowrap;padding-right:.5rem}.scroll{max-height:24rem;overflow:auto;margin-top:.5rem}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}td,th{text-align:right;padding:.15rem .6rem;border-bottom:1px solid var(--line)}
td:nth-child(-n+2),th:nth-child(-n+2){text-align:left}tbody tr:hover{background:var(--back)}`;

// Runs in the page. Layout by repulsion and springs (T. Fruchterman, E. Reingold, 1991), from a circle, so that a page looks
// the same each time.
const SCRIPT = `
(() => {
  const { names, links, te, series } = JSON.parse(document.getElementById('data').textContent);
  const n = names.length, css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  let chosen = -1;
  const finite = te.filter((v) => v !== null);
  const most = finite.reduce((m, v) => Math.max(m, v), 1e-9);
  const strongest = links.reduce((m, l) => Math.max(m, l[2]), 1e-9);
  const place = names.map((_, v) => [Math.cos((2 * Math.PI * v) / n), Math.sin((2 * Math.PI * v) / n)]);
  const rounds = n > 400 ? 60 : 300, spread = 1.6 / Math.sqrt(n);
  for (let round = 0; round < rounds && links.length; round++) {
    const move = place.map(() => [0, 0]);
    for (let a = 0; a < n; a++) for (let b = a + 1; b < n; b++) {
      const dx = place[a][0] - place[b][0], dy = place[a][1] - place[b][1], d2 = dx * dx + dy * dy + 1e-6;
      const f = (spread * spread) / d2;
      move[a][0] += dx * f; move[a][1] += dy * f; move[b][0] -= dx * f; move[b][1] -= dy * f;
    }
    for (const [a, b] of links) {
      const dx = place[a][0] - place[b][0], dy = place[a][1] - place[b][1], f = Math.hypot(dx, dy) / spread;
      move[a][0] -= dx * f; move[a][1] -= dy * f; move[b][0] += dx * f; move[b][1] += dy * f;
    }
    const heat = 0.1 * (1 - round / rounds);
    for (let v = 0; v < n; v++) {
      move[v][0] -= place[v][0] * 0.2; move[v][1] -= place[v][1] * 0.2;
      const size = Math.hypot(...move[v]) || 1;
      place[v][0] += (move[v][0] / size) * Math.min(size, heat); place[v][1] += (move[v][1] / size) * Math.min(size, heat);
    }
  }
  const far = place.reduce((m, p) => Math.max(m, Math.abs(p[0]), Math.abs(p[1])), 1e-9);
  const graph = document.getElementById('graph'), matrix = document.getElementById('matrix');
  const at = (v) => [560 + (place[v][0] / far) * 500, 560 + (place[v][1] / far) * 500];
  const touches = (l) => chosen < 0 || l[0] === chosen || l[1] === chosen;
  function drawGraph() {
    const g = graph.getContext('2d'), r = Math.max(4, Math.min(16, 160 / Math.sqrt(n)));
    g.clearRect(0, 0, 1120, 1120);
    for (const l of links) {
      const [x0, y0] = at(l[0]), [x1, y1] = at(l[1]), d = Math.hypot(x1 - x0, y1 - y0) || 1, ux = (x1 - x0) / d, uy = (y1 - y0) / d;
      const ex = x1 - ux * (r + 2), ey = y1 - uy * (r + 2), w = 1 + 4 * Math.max(0, l[2] / strongest);
      g.globalAlpha = touches(l) ? (chosen < 0 ? 0.55 : 0.95) : 0.06;
      g.strokeStyle = g.fillStyle = chosen >= 0 && touches(l) ? css('--accent') : css('--soft');
      g.lineWidth = w;
      // Bent a little, so that both directions of a pair can be seen.
      const mx = (x0 + ex) / 2 - uy * d * 0.08, my = (y0 + ey) / 2 + ux * d * 0.08;
      g.beginPath(); g.moveTo(x0, y0); g.quadraticCurveTo(mx, my, ex, ey); g.stroke();
      const ax = ex - mx, ay = ey - my, al = Math.hypot(ax, ay) || 1, h = 6 + 2 * w;
      g.beginPath(); g.moveTo(ex, ey);
      g.lineTo(ex - (ax / al) * h - (ay / al) * h * 0.5, ey - (ay / al) * h + (ax / al) * h * 0.5);
      g.lineTo(ex - (ax / al) * h + (ay / al) * h * 0.5, ey - (ay / al) * h - (ax / al) * h * 0.5); g.fill();
    }
    g.globalAlpha = 1;
    g.font = '24px system-ui, sans-serif'; g.textAlign = 'center';
    for (let v = 0; v < n; v++) {
      const [x, y] = at(v);
      g.fillStyle = v === chosen ? css('--accent') : css('--ink');
      g.beginPath(); g.arc(x, y, r, 0, 2 * Math.PI); g.fill();
      if (n <= 60 || v === chosen) g.fillText(names[v].slice(0, 16), x, y - r - 6);
    }
  }
  function drawMatrix() {
    const g = matrix.getContext('2d'), size = 1120 / n;
    g.clearRect(0, 0, 1120, 1120);
    for (let x = 0; x < n; x++) for (let y = 0; y < n; y++) {
      const value = te[x * n + y];
      g.globalAlpha = 1;
      if (value === null || x === y) { g.fillStyle = css('--line'); }
      else { g.globalAlpha = Math.sqrt(Math.max(0, value) / most); g.fillStyle = css('--accent'); }
      g.fillRect(y * size, x * size, size + 0.5, size + 0.5);
    }
    g.globalAlpha = 1; g.strokeStyle = css('--ink'); g.lineWidth = Math.max(1, Math.min(3, size / 6));
    if (size > 3) for (const [x, y] of links) g.strokeRect(y * size + 1, x * size + 1, size - 2, size - 2);
  }
  const short = (v) => (v === null || v === undefined ? '' : Math.abs(v) < 1e-3 && v !== 0 ? v.toExponential(2) : v.toFixed(4));
  function drawTable() {
    document.getElementById('chosen').textContent = chosen < 0 ? 'all; click a variable' : names[chosen];
    const body = document.getElementById('links');
    body.replaceChildren();
    for (const l of links.filter(touches).sort((a, b) => b[2] - a[2]).slice(0, 2000)) {
      const row = body.insertRow();
      for (const text of [names[l[0]], names[l[1]], short(l[2]), l[3], short(l[4]), short(l[5])]) row.insertCell().textContent = text;
    }
    const box = document.getElementById('series');
    box.replaceChildren();
    if (!series) return;
    const show = chosen < 0 ? names.map((_, v) => v).slice(0, 8) : [...new Set([chosen, ...links.filter(touches).flatMap((l) => [l[0], l[1]])])].slice(0, 12);
    for (const v of show) {
      const values = series[v], low = Math.min(...values), high = Math.max(...values), scale = high > low ? 56 / (high - low) : 0;
      const track = document.createElement('div'), label = document.createElement('span');
      track.className = 'track'; label.textContent = names[v]; label.title = names[v];
      const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg'), line = document.createElementNS('http://www.w3.org/2000/svg', 'polyline');
      svg.setAttribute('viewBox', '0 0 1000 64'); svg.setAttribute('preserveAspectRatio', 'none');
      line.setAttribute('points', values.map((y, t) => ((t * 1000) / Math.max(1, values.length - 1)).toFixed(1) + ',' + (60 - (y - low) * scale).toFixed(1)).join(' '));
      line.setAttribute('fill', 'none'); line.setAttribute('stroke', v === chosen ? css('--accent') : css('--soft')); line.setAttribute('vector-effect', 'non-scaling-stroke');
      svg.append(line); track.append(label, svg); box.append(track);
    }
  }
  function draw() { drawGraph(); drawMatrix(); drawTable(); }
  graph.addEventListener('click', (event) => {
    const box = graph.getBoundingClientRect(), x = ((event.clientX - box.left) * 1120) / box.width, y = ((event.clientY - box.top) * 1120) / box.height;
    let best = -1, least = 40;
    for (let v = 0; v < n; v++) { const d = Math.hypot(at(v)[0] - x, at(v)[1] - y); if (d < least) { least = d; best = v; } }
    chosen = best === chosen ? -1 : best;
    draw();
  });
  matrix.addEventListener('mousemove', (event) => {
    const box = matrix.getBoundingClientRect(), x = Math.floor(((event.clientY - box.top) / box.height) * n), y = Math.floor(((event.clientX - box.left) / box.width) * n);
    if (names[x] !== undefined && names[y] !== undefined) document.getElementById('cell').textContent = names[x] + ' → ' + names[y] + ': ' + short(te[x * n + y]);
  });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
  draw();
})();`;
