// Encoding and decoding beside the tokenizers that npm has, in one process: one table and one chart.
//
//   mkdir rivals && cd rivals && npm init -y && npm install hypertok@0.3.4 @hypertok/vocab-cl100k @hypertok/vocab-o200k \
//     @hypertok/vocab-llama3 gpt-tokenizer@4 tiktoken@1.0.22 tokenizers@0.23.2 js-tiktoken@1.0.21
//   X_RIVALS_DIR=$PWD/rivals node bench/rivals.mjs [--encodings cl100k,o200k,llama3] [--seconds 2] [--only x,hypertok] [--json OUT.json] [--svg OUT.svg]
//
// Texts are documents of 8 KB of the reference corpus. MB are 1e6 bytes of UTF-8, a second is one of CPU time of the whole process.
// "cold" is the first pass over a section after another text, "warm" the best of the next three. Who is slow is stopped after
// `--seconds` a pass, between two documents, and its rate is of what it did until then.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { Tokenizer } from '../dist/index.js';
import { barChart } from './chart.mjs';
import { corpus, ranksOf, tokenizerJson } from './reference.mjs';

const { values: flags } = parseArgs({
  options: {
    encodings: { type: 'string', default: 'cl100k,o200k,llama3' },
    seconds: { type: 'string', default: '2' },
    only: { type: 'string' },
    json: { type: 'string' },
    svg: { type: 'string' },
  },
});
const rivals = process.env.X_RIVALS_DIR;
const require = createRequire(join(rivals ?? '.', 'package.json'));
const load = async (name) => import(pathToFileURL(require.resolve(name)).href);
const RANKS = { cl100k: 'cl100k_base', o200k: 'o200k_base' };
const JSON_FILES = { cl100k: 'cl100k_base.converted', o200k: 'o200k_base.converted', llama3: 'llama3.2' };
const jsonOf = (encoding) => tokenizerJson(JSON_FILES[encoding]);

// Each gives { encode(text), decode(ids) } for an encoding, or undefined where it has none. In the order of the table.
const CONTENDERS = {
  'x (ours)': async (encoding) => {
    const ranks = ranksOf(RANKS[encoding]);
    const bytes = ranks ? undefined : jsonOf(encoding);
    return () => {
      const t = ranks ? Tokenizer.fromRanks(ranks) : Tokenizer.fromBytes(bytes);
      const options = ranks ? { allowedSpecial: [], disallowedSpecial: [] } : { addSpecialTokens: false };
      return { encode: (s) => t.encode(s, options), decode: (ids) => t.decode(ids), count: (s) => t.count(s, options) };
    };
  },
  hypertok: async (encoding) => {
    const { fromBytes } = await load('hypertok');
    const folder = join(rivals, 'node_modules', '@hypertok', `vocab-${encoding}`);
    if (!existsSync(folder)) return undefined;
    const { vocabulary } = await import(pathToFileURL(require.resolve(`@hypertok/vocab-${encoding}`)).href);
    const bytes = readFileSync(vocabulary);
    return async () => {
      const t = await fromBytes(bytes, { tier: 'single' });
      return {
        encode: (s) => t.encodeSync(s, { reserved: { match: [], refuse: [] } }),
        decode: (ids) => t.decode(ids),
      };
    };
  },
  'gpt-tokenizer': async (encoding) => {
    if (!RANKS[encoding]) return undefined;
    const m = await load(`gpt-tokenizer/encoding/${RANKS[encoding]}`);
    const options = { allowedSpecial: new Set(), disallowedSpecial: new Set() };
    return () => ({
      encode: (s) => m.encode(s, options),
      decode: (ids) => m.decode(ids),
      count: (s) => m.countTokens(s, options),
    });
  },
  tiktoken: async (encoding) => {
    if (!RANKS[encoding]) return undefined;
    const { get_encoding } = require('tiktoken');
    const utf8 = new TextDecoder();
    return () => {
      const t = get_encoding(RANKS[encoding]);
      return { encode: (s) => t.encode_ordinary(s), decode: (ids) => utf8.decode(t.decode(ids)) };
    };
  },
  tokenizers: async (encoding) => {
    const { Tokenizer: HuggingFace } = require('tokenizers');
    const text = jsonOf(encoding).toString();
    return () => {
      const t = HuggingFace.fromString(text);
      return {
        encode: async (s) => (await t.encode(s, null, { addSpecialTokens: false })).getIds(),
        decode: (ids) => t.decode(Array.from(ids), false),
      };
    };
  },
  'js-tiktoken': async (encoding) => {
    if (!RANKS[encoding]) return undefined;
    const { getEncoding } = require('js-tiktoken');
    return () => {
      const t = getEncoding(RANKS[encoding]);
      return { encode: (s) => t.encode(s, [], []), decode: (ids) => t.decode(Array.from(ids)) };
    };
  },
};

const { bytes: corpusBytes, sections } = corpus();
const documentsOf = ([begin, end]) =>
  Array.from({ length: Math.ceil((end - begin) / 8192) }, (_, i) =>
    corpusBytes.toString('utf8', begin + i * 8192, Math.min(end, begin + (i + 1) * 8192)),
  );
const cpuSeconds = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};
const budget = Number(flags.seconds);

/** MB/s of `each` over the documents, or over those before the time ran out. */
async function rate(documents, each) {
  const start = cpuSeconds();
  let bytes = 0;
  for (const text of documents) {
    const result = each(text);
    if (result instanceof Promise) await result;
    bytes += Buffer.byteLength(text);
    if (bytes % 65536 < 8192 && cpuSeconds() - start > budget) break;
  }
  return bytes / 1e6 / (cpuSeconds() - start);
}

async function measure(make) {
  const row = {};
  let start = cpuSeconds();
  const t = await make();
  row.load = (cpuSeconds() - start) * 1e3;
  row.ids = 0;
  await rate(documentsOf(sections[0][1]).slice(-64), t.encode); // the machine code is warm, the section is not
  for (const [name, span] of sections) {
    const documents = documentsOf(span);
    const cold = await rate(documents, t.encode);
    let warm = 0;
    for (let i = 0; i < 3; i++) warm = Math.max(warm, await rate(documents, t.encode));
    const few = documents.slice(0, 32);
    const ids = await Promise.all(few.map((text) => t.encode(text)));
    row.ids += ids.reduce((sum, i) => sum + i.length, 0);
    const tokens = ids.reduce((sum, i) => sum + i.length, 0);
    start = cpuSeconds();
    let passes = 0;
    while (cpuSeconds() - start < 0.2) {
      for (const i of ids) await t.decode(i);
      passes++;
    }
    row[name] = { cold, warm, decode: (passes * tokens) / 1e6 / (cpuSeconds() - start) };
  }
  const short = 'The quick brown fox jumps over the lazy dog, and 42 more animals follow it home in the evening light';
  for (let i = 0; i < 2000; i++) await t.encode(short);
  start = cpuSeconds();
  let calls = 0;
  while (cpuSeconds() - start < 0.3) {
    for (let i = 0; i < 200; i++) {
      const ids = t.encode(short);
      if (ids instanceof Promise) await ids;
    }
    calls += 200;
  }
  row.short = ((cpuSeconds() - start) / calls) * 1e6;
  // Who takes quadratic time is not waited for: a tenth of the length says what the whole would take.
  const timeOf = async (length) => {
    const began = cpuSeconds();
    await t.encode('a'.repeat(length));
    return (cpuSeconds() - began) * 1e3;
  };
  // Twice: the first may find the garbage collector at work.
  row.run = Math.min(await timeOf(2000), await timeOf(2000)) > 30 ? Number.POSITIVE_INFINITY : await timeOf(20_000);
  return row;
}

const chosen = flags.only?.split(',');
const rows = [];
for (const encoding of flags.encodings.split(',')) {
  for (const [name, contender] of Object.entries(CONTENDERS)) {
    if (chosen && !chosen.some((c) => name.startsWith(c))) continue;
    if (name !== 'x (ours)' && !rivals) continue;
    const make = await contender(encoding);
    if (!make) continue;
    const row = { name, encoding, ...(await measure(make)) };
    rows.push(row);
    process.stderr.write(`${name} ${encoding}\n`);
  }
}

const names = sections.map(([name]) => name);
const n = (x) =>
  x === Number.POSITIVE_INFINITY ? '> 3000' : x >= 100 ? x.toFixed(0) : x >= 10 ? x.toFixed(1) : x.toFixed(2);
console.log(
  `${os.cpus()[0].model}, Node ${process.versions.node}; MB a CPU second, cold/warm; decode in million tokens a second\n`,
);
console.log(
  `| tokenizer | encoding | ${names.join(' | ')} | decode ${names.join('/')} | load ms | 100 B µs | 20 kB of "a", ms |`,
);
console.log(`|---|---|${names.map(() => '---:').join('|')}|---:|---:|---:|---:|`);
for (const row of rows) {
  const rates = names.map((s) => `${n(row[s].cold)}/${n(row[s].warm)}`).join(' | ');
  const decode = names.map((s) => n(row[s].decode)).join('/');
  console.log(
    `| ${row.name} | ${row.encoding} | ${rates} | ${decode} | ${n(row.load)} | ${n(row.short)} | ${n(row.run)} |`,
  );
}
const best = Math.max(...rows.map((row) => row.english.warm));
console.log('\nEnglish and CJK, warm, MB/s:\n');
for (const row of rows) {
  for (const section of ['english', 'cjk']) {
    const bar = '█'.repeat(Math.max(1, Math.round((60 * row[section].warm) / best)));
    console.log(`${`${row.name} ${row.encoding} ${section}`.padEnd(30)} ${bar} ${n(row[section].warm)}`);
  }
}
// The rivals must have done the same work.
for (const encoding of new Set(rows.map((row) => row.encoding))) {
  const counts = new Set(rows.filter((row) => row.encoding === encoding).map((row) => row.ids));
  if (counts.size > 1) console.log(`\n${encoding}: the numbers of ids differ: ${[...counts].join(', ')}`);
}
if (flags.svg) {
  const groups = flags.encodings.split(',').flatMap((encoding) =>
    names.map((section) => ({
      label: `${encoding}, ${section}`,
      bars: rows
        .filter((row) => row.encoding === encoding)
        .map((row) => ({ label: row.name, value: row[section].warm })),
    })),
  );
  writeFileSync(flags.svg, barChart('Encoding through the Node API, warm', groups, 'MB a CPU second'));
}
if (flags.json) writeFileSync(flags.json, `${JSON.stringify(rows, null, 1)}\n`);
