// Writes classes.inc and decompositions.inc beside this file from the Unicode data inside Node:  node generate.mjs
// Character classes come from \p{...}; canonical decompositions, compositions and the order of combining marks are
// read off String.prototype.normalize, so no other source is needed. Their version: version.mjs.
import { writeFileSync } from 'node:fs';
import { codePoints, isLowerCaseUntil16, isUnassigned, UNICODE } from './version.mjs';

const LAST = 0x10ffff;
const isSurrogate = (c) => c >= 0xd800 && c <= 0xdfff;
const text = (c) => String.fromCodePoint(c);
const CLASSES = [
  [1, /\p{L}/u],
  [2, /\p{N}/u],
  [4, /\p{White_Space}/u],
  [8, /\p{M}/u],
  [16, /[\p{Lu}\p{Lt}]/u],
  [32, /\p{Ll}/u],
];

// Hugging Face's NFC has the tables of Unicode 9.0 (crate unicode-normalization-alignments 0.1.12), and a token id more
// or less would be a wrong answer. These marks and compositions are newer (DerivedAge.txt), so they are left out;
// existing characters never change their decomposition or combining class.
const NEWER = codePoints(
  `7fd 897-89f 8ca-8d3 9fe c3c d3b-d3c eba 1715 1abf-1add 1ae0-1aeb 1df6-1dfa a82c 105c9 105e4 10d24-10d27
   10d69-10d6d 10eab-10eac 10efa-10efb 10efd-10eff 10f46-10f50 10f82-10f85 11070 1133b 11383 11385 1138e 11391
   113c5 113c7-113c8 113ce-113d0 1145e 11839-1183a 11938 1193d-1193e 11943 119e0 11a34 11a47 11a99 11d42
   11d44-11d45 11d97 11f41-11f42 16121-16128 1612f 16d68-16d6a 16ff0-16ff1 1e08f 1e130-1e136 1e2ae 1e2ec-1e2ef
   1e4ec-1e4ef 1e5ee-1e5ef 1e6e3 1e6e6 1e6ee-1e6ef 1e6f5`,
);

const runs = [];
let previous = -1;
for (let c = 0; c <= LAST; c++) {
  let value = 0;
  if (!isUnassigned(c)) for (const [bit, expression] of CLASSES) if (expression.test(text(c))) value |= bit;
  if (isLowerCaseUntil16(c)) value |= 32;
  if (value !== previous) runs.push(c * 256 + value);
  previous = value;
}

// A mark moves in front of another of a higher combining class under NFD, and never across a starter (class 0).
const swaps = (a, b) => {
  const both = text(a) + text(b);
  return both.normalize('NFD') !== text(a).normalize('NFD') + text(b).normalize('NFD');
};
const marks = [];
for (let c = 0; c <= LAST; c++) {
  if (!isSurrogate(c) && !NEWER.has(c) && /\p{M}/u.test(text(c)) && text(c).normalize('NFD') === text(c)) {
    if (swaps(c, 0x0334) || swaps(0x0345, c)) marks.push(c); // U+0334 has the lowest class, U+0345 the highest
  }
}
const order = [];
for (const mark of marks) {
  let low = 0;
  let high = order.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (swaps(mark, order[middle][0])) low = middle + 1;
    else high = middle;
  }
  if (low < order.length && !swaps(order[low][0], mark)) order[low].push(mark);
  else order.splice(low, 0, [mark]);
}
const rank = new Map(order.flatMap((group, i) => group.map((mark) => [mark, i + 1])));
const combining = [];
previous = 0;
for (let c = 0; c <= LAST + 1; c++) {
  const value = rank.get(c) ?? 0;
  if (value !== previous) combining.push(c * 256 + value);
  previous = value;
}

// One step: c -> a [b], with a itself decomposed further by its own entry. Hangul is computed, not listed.
const decompositions = [];
const isHangul = (c) => c >= 0xac00 && c <= 0xd7a3;
for (let c = 0; c <= LAST; c++) {
  if (isSurrogate(c) || isHangul(c) || NEWER.has(c)) continue;
  const full = [...text(c).normalize('NFD')].map((x) => x.codePointAt(0));
  if (full.length === 1 && full[0] === c) continue;
  const composes = text(c).normalize('NFC') === text(c) ? 1 : 0;
  if (full.length > 4) throw new Error(`decomposition of U+${c.toString(16)} is too long`);
  decompositions.push([c, composes, full]);
}

const lines = (values, perLine) => {
  const out = [];
  for (let i = 0; i < values.length; i += perLine) out.push(`    ${values.slice(i, i + perLine).join(', ')},`);
  return out.join('\n');
};
const hex = (v) => `0x${v.toString(16)}`;
// Primary composites: NFC(first part) + last part, where they really compose.
const compositions = [];
for (const [c, composes, full] of decompositions) {
  if (!composes || full.length < 2) continue;
  const head = [...String.fromCodePoint(...full.slice(0, -1)).normalize('NFC')];
  if (head.length === 1) compositions.push([head[0].codePointAt(0), full.at(-1), c]);
}
compositions.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
const pool = [];
const index = decompositions.map(([c, , full]) => {
  const at = pool.length;
  pool.push(...full);
  return `{${hex(c)}, ${at}, ${full.length}}`;
});
writeFileSync(
  new URL('classes.inc', import.meta.url),
  `// Made by generate.mjs from Unicode ${UNICODE}. Do not edit.
const uint32_t kClassRuns[] = {  // code point << 8 | class, valid up to the next run
${lines(runs.map(hex), 24)}
};
`,
);
writeFileSync(
  new URL('decompositions.inc', import.meta.url),
  `// Made by generate.mjs from Unicode ${UNICODE}. Do not edit.
const uint32_t kCombiningRuns[] = {  // code point << 8 | rank of the canonical combining class, 0 for starters
${lines(combining.map(hex), 24)}
};
const Decomposition kDecompositions[] = {  // code point, first in kDecomposed, count; full, in canonical order
${lines(index, 16)}
};
const uint32_t kDecomposed[] = {
${lines(pool.map(hex), 32)}
};
const Composition kCompositions[] = {  // first, second, composed
${lines(
  compositions.map((x) => `{${x.map(hex).join(', ')}}`),
  12,
)}
};
`,
);
