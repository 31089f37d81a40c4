/**
 * Horizontal bars as an SVG document, longest first in every group, on one scale of powers of ten.
 *
 * @param {string} title
 * @param {{ label: string, bars: { label: string, value: number }[] }[]} groups values above 0
 * @param {string} unit
 */
export function barChart(title, groups, unit) {
  const values = groups.flatMap((group) => group.bars.map((bar) => bar.value));
  const low = Math.floor(Math.log10(Math.min(...values)));
  const high = Math.ceil(Math.log10(Math.max(...values)));
  const left = 150;
  const width = 560;
  const x = (value) => left + (width * (Math.log10(value) - low)) / (high - low);
  const escaped = (s) => s.replace(/[&<>]/g, (c) => `&#${c.charCodeAt(0)};`);
  const text = (at, y, s, rest = '') => `<text x="${at.toFixed(1)}" y="${y}" ${rest}>${escaped(s)}</text>`;
  const parts = [];
  let y = 56;
  for (const { label, bars } of groups) {
    parts.push(text(10, y + 12, label, 'font-weight="bold"'));
    y += 20;
    for (const bar of [...bars].sort((a, b) => b.value - a.value)) {
      const own = bar.label.startsWith('x ');
      parts.push(
        text(left - 8, y + 11, bar.label, 'text-anchor="end"'),
        `<rect x="${left}" y="${y}" width="${(x(bar.value) - left).toFixed(1)}" height="13" fill="${own ? '#0a6' : '#8ab'}"/>`,
        text(x(bar.value) + 5, y + 11, bar.value >= 10 ? bar.value.toFixed(0) : bar.value.toFixed(1)),
      );
      y += 17;
    }
    y += 10;
  }
  const grid = Array.from({ length: high - low + 1 }, (_, i) => {
    const at = x(10 ** (low + i)).toFixed(1);
    return `<line x1="${at}" x2="${at}" y1="48" y2="${y}" stroke="#ddd"/>${text(Number(at), 44, String(10 ** (low + i)), 'text-anchor="middle" fill="#666"')}`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${left + width + 70}" height="${y + 10}" font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="#fff"/>
${text(10, 22, `${title} (${unit}, logarithmic)`, 'font-size="15"')}
${grid.join('\n')}
${parts.join('\n')}
</svg>
`;
}
