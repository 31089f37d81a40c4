// Writes properties.inc beside this file from the Unicode data inside Node:  node generate_properties.mjs
// General categories, scripts, binary properties, case folding, lower case and compatibility decompositions: what the
// regular expressions and normalizers of tokenizer files can name. Their version: version.mjs.
import { writeFileSync } from 'node:fs';
import { isLowerCaseUntil16, isUnassigned, UNICODE } from './version.mjs';

const LAST = 0x10ffff;
const isSurrogate = (c) => c >= 0xd800 && c <= 0xdfff;
const text = (c) => String.fromCodePoint(c);
const hex = (v) => `0x${v.toString(16)}`;
const lines = (values, perLine) => {
  const out = [];
  for (let i = 0; i < values.length; i += perLine) out.push(`    ${values.slice(i, i + perLine).join(', ')},`);
  return out.join('\n');
};

// Value 0 is what every code point is that none of the expressions matches; surrogates are Cs.
function runs(classify) {
  const out = [];
  let previous = -1;
  for (let c = 0; c <= LAST; c++) {
    const value = classify(c);
    if (value !== previous) out.push(c * 256 + value);
    previous = value;
  }
  return out;
}

const CATEGORIES = 'Cn Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Cs Co'.split(
  ' ',
);
const categoryTests = CATEGORIES.map((name) => new RegExp(`\\p{${name}}`, 'u'));
const category = (c) => {
  if (isSurrogate(c)) return CATEGORIES.indexOf('Cs');
  if (isUnassigned(c)) return 0;
  if (isLowerCaseUntil16(c)) return CATEGORIES.indexOf('Ll');
  const t = text(c);
  for (let i = 1; i < CATEGORIES.length; i++) if (i !== 28 && categoryTests[i].test(t)) return i;
  return 0;
};

const SCRIPTS =
  `Common Inherited Adlam Ahom Anatolian_Hieroglyphs Arabic Armenian Avestan Balinese Bamum Bassa_Vah Batak
  Bengali Bhaiksuki Bopomofo Brahmi Braille Buginese Buhid Canadian_Aboriginal Carian Caucasian_Albanian Chakma Cham
  Cherokee Chorasmian Coptic Cuneiform Cypriot Cypro_Minoan Cyrillic Deseret Devanagari Dives_Akuru Dogra Duployan
  Egyptian_Hieroglyphs Elbasan Elymaic Ethiopic Garay Georgian Glagolitic Gothic Grantha Greek Gujarati Gunjala_Gondi
  Gurmukhi Gurung_Khema Han Hangul Hanifi_Rohingya Hanunoo Hatran Hebrew Hiragana Imperial_Aramaic Inscriptional_Pahlavi
  Inscriptional_Parthian Javanese Kaithi Kannada Katakana Kawi Kayah_Li Kharoshthi Khitan_Small_Script Khmer Khojki
  Khudawadi Kirat_Rai Lao Latin Lepcha Limbu Linear_A Linear_B Lisu Lycian Lydian Mahajani Makasar Malayalam Mandaic
  Manichaean Marchen Masaram_Gondi Medefaidrin Meetei_Mayek Mende_Kikakui Meroitic_Cursive Meroitic_Hieroglyphs Miao Modi
  Mongolian Mro Multani Myanmar Nabataean Nag_Mundari Nandinagari New_Tai_Lue Newa Nko Nushu Nyiakeng_Puachue_Hmong Ogham
  Ol_Chiki Ol_Onal Old_Hungarian Old_Italic Old_North_Arabian Old_Permic Old_Persian Old_Sogdian Old_South_Arabian
  Old_Turkic Old_Uyghur Oriya Osage Osmanya Pahawh_Hmong Palmyrene Pau_Cin_Hau Phags_Pa Phoenician Psalter_Pahlavi Rejang
  Runic Samaritan Saurashtra Sharada Shavian Siddham SignWriting Sinhala Sogdian Sora_Sompeng Soyombo Sundanese Sunuwar
  Syloti_Nagri Syriac Tagalog Tagbanwa Tai_Le Tai_Tham Tai_Viet Takri Tamil Tangsa Tangut Telugu Thaana Thai Tibetan
  Tifinagh Tirhuta Todhri Toto Tulu_Tigalari Ugaritic Vai Vithkuqi Wancho Warang_Citi Yezidi Yi Zanabazar_Square`
    .trim()
    .split(/\s+/);
const scriptTests = SCRIPTS.map((name) => new RegExp(`\\p{Script=${name}}`, 'u'));
let lastScript = 0;
const script = (c) => {
  if (isUnassigned(c)) return 0;
  const t = text(c);
  if (scriptTests[lastScript].test(t)) return lastScript + 1;
  if (category(c) === 0 || category(c) === 29) return 0;
  for (let i = 0; i < SCRIPTS.length; i++) {
    if (scriptTests[i].test(t)) {
      lastScript = i;
      return i + 1;
    }
  }
  return 0;
};

const BINARY = ['Alphabetic', 'Uppercase', 'Lowercase', 'White_Space', 'Emoji', 'Emoji_Presentation'];
BINARY.push('Extended_Pictographic', 'Ideographic');
const binaryTests = BINARY.map((name) => new RegExp(`\\p{${name}}`, 'u'));
const binary = (c) => {
  if (isUnassigned(c)) return 0;
  const t = text(c);
  return binaryTests.reduce((bits, test, i) => bits | (test.test(t) ? 1 << i : 0), 0);
};

// Simple case folding: the members of an orbit are equal under the flags i and u. Each points to the next.
const relatives = new Map();
for (let c = 0; c <= LAST; c++) {
  if (isUnassigned(c)) continue;
  for (const other of [text(c).toLowerCase(), text(c).toUpperCase()]) {
    const points = [...other];
    const d = points[0].codePointAt(0);
    if (points.length !== 1 || d === c || !new RegExp(`^\\u{${c.toString(16)}}$`, 'iu').test(other)) continue;
    relatives.set(c, (relatives.get(c) ?? new Set()).add(d));
    relatives.set(d, (relatives.get(d) ?? new Set()).add(c));
  }
}
const folds = [];
const seen = new Set();
for (const c of [...relatives.keys()].sort((a, b) => a - b)) {
  if (seen.has(c)) continue;
  const orbit = [c];
  for (const member of orbit) for (const d of relatives.get(member)) if (!orbit.includes(d)) orbit.push(d);
  orbit.sort((a, b) => a - b);
  for (const [i, member] of orbit.entries()) {
    seen.add(member);
    folds.push([member, orbit[(i + 1) % orbit.length]]);
  }
}
folds.sort((a, b) => a[0] - b[0]);

const lower = [];
for (let c = 0; c <= LAST; c++) {
  if (isUnassigned(c)) continue;
  const to = [...text(c).toLowerCase()].map((x) => x.codePointAt(0));
  if (to.length === 1 && to[0] === c) continue;
  if (to.length > 2) throw new Error(`lower case of U+${c.toString(16)} is too long`);
  lower.push(`{${hex(c)}, ${hex(to[0])}, ${hex(to[1] ?? 0)}}`);
}

// Compatibility decompositions that differ from the canonical ones. Those of characters newer than Unicode 9.0 are left
// out, as the normalizers that tokenizer files were made with do not know them (see generate.mjs).
const newer = (c) =>
  [0x32ff, 0xab69, 0x1f16c].includes(c) ||
  [
    [0xa7f1, 0xa7f4],
    [0x10781, 0x107ba],
    [0x1e030, 0x1e06d],
    [0x1fbf0, 0x1fbf9],
    [0x1ccd6, 0x1ccf9],
  ].some(([a, b]) => c >= a && c <= b);
const pool = [];
const compatible = [];
for (let c = 0; c <= LAST; c++) {
  if (isUnassigned(c) || newer(c)) continue;
  const full = text(c).normalize('NFKD');
  if (full === text(c).normalize('NFD')) continue;
  const points = [...full].map((x) => x.codePointAt(0));
  compatible.push(`{${hex(c)}, ${pool.length}, ${points.length}}`);
  pool.push(...points);
}

writeFileSync(
  new URL('properties.inc', import.meta.url),
  `// Made by generate_properties.mjs from Unicode ${UNICODE}. Do not edit.
const char* const kCategoryNames[] = {
${lines(
  CATEGORIES.map((n) => `"${n}"`),
  15,
)}
};
const char* const kScriptNames[] = {  // value 1 is the first
${lines(
  SCRIPTS.map((n) => `"${n}"`),
  8,
)}
};
const char* const kBinaryNames[] = {  // bit 0 is the first
${lines(
  BINARY.map((n) => `"${n}"`),
  8,
)}
};
const uint32_t kCategoryRuns[] = {  // code point << 8 | category, valid up to the next run
${lines(runs(category).map(hex), 24)}
};
const uint32_t kScriptRuns[] = {
${lines(runs(script).map(hex), 24)}
};
const uint32_t kBinaryRuns[] = {
${lines(runs(binary).map(hex), 24)}
};
const CaseFold kCaseFolds[] = {  // code point, next of those that are equal when case is ignored
${lines(
  folds.map((x) => `{${x.map(hex).join(', ')}}`),
  12,
)}
};
const LowerCase kLowerCase[] = {  // code point, its lower case: one or two code points
${lines(lower, 12)}
};
const Decomposition kCompatible[] = {  // code point, first in kCompatiblePool, count; full, in canonical order
${lines(compatible, 16)}
};
const uint32_t kCompatiblePool[] = {
${lines(pool.map(hex), 24)}
};
`,
);
