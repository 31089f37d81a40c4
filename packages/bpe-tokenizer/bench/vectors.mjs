// Every recorded result that the reference data has, line by line, as one table:
//   node bench/vectors.mjs [--out table.md]
// Rows: texts with ids of tiktoken and Hugging Face's tokenizers, texts with ids of llama.cpp beside its vocabularies, and those of
// kitoken's tests. A difference makes the exit code 1.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { parseArgs } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { Tokenizer } from '../dist/index.js';
import { ranksOf, referencePath, tokenizerJson } from './reference.mjs';

const { values: flags } = parseArgs({ options: { out: { type: 'string' } } });

// Hugging Face 0.23 gives an added token whose declared id leaves a gap the next free id (cl100k's <|endoftext|> 100256 for 100257). No
// recorded line is of such a file: those of cl100k and o200k are tiktoken's, and hold for their tokenizer.json files as well.
const rows = [];
const examples = [];
const same = (a, b) => a.length === b.length && Array.prototype.every.call(a, (x, i) => x === b[i]);
const shown = (x) => JSON.stringify(x).slice(0, 160);

class Row {
  constructor(name, source) {
    Object.assign(this, {
      name,
      source,
      lines: 0,
      ids: 0,
      counts: 0,
      texts: 0,
      offsets: [0, 0],
      throws: [0, 0],
      different: 0,
    });
    rows.push(this);
  }
  /** Counts a line of which `checks` are [what, holds, example]. */
  line(checks) {
    this.lines++;
    const wrong = checks.filter(([, holds]) => !holds);
    if (wrong.length === 0) return;
    this.different++;
    for (const [what, , example] of wrong)
      if (examples.length < 40) examples.push(`${this.name} (${this.source}), ${what}: ${example()}`);
  }
}

const packed = (...names) => gunzipSync(readFileSync(referencePath(...names)));
const lines = packed('vectors_public.jsonl.gz')
  .toString()
  .split('\n')
  .filter(Boolean)
  .map((line) => JSON.parse(line));
const groups = new Map();
for (const v of lines) {
  const key = `${v.tokenizer} ${v.src}`;
  if (!groups.has(key)) groups.set(key, []);
  groups.get(key).push(v);
}

function optionsOf(v, ranks) {
  if (v.src === 'hf') return { addSpecialTokens: v.add_special === true };
  if (v.special === 'ordinary') return { allowedSpecial: [], disallowedSpecial: [] };
  if (v.special === 'default') return ranks ? {} : { disallowedSpecial: 'all' };
  return { allowedSpecial: v.special, ...(v.special !== 'all' && { disallowedSpecial: [] }) };
}

function compare(row, tokenizer, vectors, ranks = false) {
  for (const v of vectors) {
    const options = optionsOf(v, ranks);
    if (v.throws) {
      let code;
      try {
        tokenizer.encode(v.text, options);
      } catch (error) {
        code = error.code;
      }
      row.throws[1]++;
      if (code === 'X_INVALID_ARGUMENT') row.throws[0]++;
      row.line([['error', code === 'X_INVALID_ARGUMENT', () => `${shown(v.text)} gave ${code}`]]);
      continue;
    }
    const ids = tokenizer.encode(v.text, options);
    const count = tokenizer.count(v.text, options);
    const text = tokenizer.decode(v.ids);
    const expected = v.decoded ?? Buffer.from(v.text).toString();
    const checks = [
      ['ids', same(ids, v.ids), () => `${shown(v.text)} gave ${shown([...ids])}, not ${shown(v.ids)}`],
      ['count', count === v.ids.length, () => `${shown(v.text)} gave ${count}, not ${v.ids.length}`],
      // With special tokens around it the text is not recorded unless it differs.
      ['text', v.add_special === true || text === expected, () => `${shown(text)}, not ${shown(expected)}`],
    ];
    if (v.decoded_skip !== undefined) {
      const skipped = tokenizer.decode(v.ids, { skipSpecialTokens: true });
      checks.push([
        'text without special tokens',
        skipped === v.decoded_skip,
        () => `${shown(skipped)}, not ${shown(v.decoded_skip)}`,
      ]);
    }
    if (v.offsets) {
      const both = tokenizer.encodeWithOffsets(v.text, 'codepoint', options);
      const holds = same(both.ids, v.ids) && same(both.offsets, v.offsets);
      row.offsets[1]++;
      if (holds) row.offsets[0]++;
      checks.push([
        'offsets',
        holds,
        () => `${shown(v.text)} gave ${shown([...both.offsets])}, not ${shown(v.offsets)}`,
      ]);
    }
    row.ids += checks[0][1];
    row.counts += checks[1][1];
    row.texts += checks.slice(2).every(([what, holds]) => what === 'offsets' || holds);
    row.line(checks);
  }
}

for (const [key, vectors] of groups) {
  const [name, source] = key.split(' ');
  if (source === 'tiktoken') {
    const tokenizer = Tokenizer.fromRanks(ranksOf(name));
    compare(new Row(name, 'tiktoken, rank file'), tokenizer, vectors, true);
    tokenizer.dispose();
    const json = referencePath('assets', 'tokenizer_json', `${name}.converted.json.gz`);
    if (!existsSync(json)) continue;
    const converted = Tokenizer.fromBytes(tokenizerJson(`${name}.converted`));
    compare(new Row(name, 'tiktoken, as tokenizer.json'), converted, vectors);
    converted.dispose();
  } else {
    const tokenizer = Tokenizer.fromBytes(tokenizerJson(name));
    compare(new Row(name, 'Hugging Face 0.23.2'), tokenizer, vectors);
    tokenizer.dispose();
  }
}

// llama.cpp: special tokens parsed, none added.
const absent = [];
for (const file of readdirSync(referencePath('assets', 'gguf')).filter((f) => f.endsWith('.inp'))) {
  const path = referencePath('assets', 'gguf', file.slice(0, -4));
  const name = file.slice('ggml-vocab-'.length, -'.gguf.inp'.length);
  if (!existsSync(path)) {
    absent.push(name);
    continue;
  }
  let tokenizer;
  try {
    tokenizer = Tokenizer.fromFileSync(path);
  } catch (error) {
    absent.push(`${name} (${error.code}: ${error.message.replace(path, '').slice(0, 80)})`);
    continue;
  }
  const row = new Row(name, 'llama.cpp, GGUF');
  const inputs = readFileSync(`${path}.inp`, 'utf8').split('\n__ggml_vocab_test__\n');
  const outputs = readFileSync(`${path}.out`, 'utf8').split('\n').slice(0, -1);
  for (const [i, output] of outputs.entries()) {
    const expected = output.trim() === '' ? [] : output.trim().split(/\s+/).map(Number);
    const ids = tokenizer.encode(inputs[i], { addSpecialTokens: false });
    row.ids += same(ids, expected);
    row.line([
      ['ids', same(ids, expected), () => `${shown(inputs[i])} gave ${shown([...ids])}, not ${shown(expected)}`],
    ]);
  }
  tokenizer.dispose();
}

// kitoken: three files of texts; all but the last are read line by line, with newlines and blanks at the end written out.
const HF = { llama32: 'llama3.2', mistral2410: 'mistral_nemo', r1: 'deepseek_v3' };
const recorded = readdirSync(referencePath('assets', 'kitoken_expect'));
for (const kind of ['hf', 'spm', 'tiktoken']) {
  const names = new Set(
    recorded.filter((f) => f.startsWith(`${kind}_small_`)).map((f) => f.slice(kind.length + 7, -'.txt.gz'.length)),
  );
  for (const name of names) {
    let tokenizer;
    if (kind === 'hf') tokenizer = Tokenizer.fromBytes(tokenizerJson(HF[name] ?? name));
    else if (kind === 'spm')
      tokenizer = Tokenizer.fromFileSync(referencePath('assets', 'sentencepiece', `${name}.model`));
    else {
      const ranks = ranksOf(name);
      if (!ranks) {
        absent.push(`${name} (kitoken; its pattern and special tokens are not here)`);
        continue;
      }
      tokenizer = Tokenizer.fromRanks(ranks);
    }
    const options =
      kind === 'tiktoken' ? { allowedSpecial: 'all' } : { addSpecialTokens: false, parseSpecial: kind === 'hf' };
    const row = new Row(
      name,
      `kitoken, ${{ hf: 'tokenizer.json', spm: 'SentencePiece model', tiktoken: 'rank file' }[kind]}`,
    );
    for (const set of ['small', 'mixed', 'utf8']) {
      const parts = (file) => {
        const text = packed('assets', 'kitoken_expect', `${file}.txt.gz`).toString();
        return set === 'utf8' ? [text] : text.split('\n');
      };
      const expected = parts(`${kind}_${set}_${name}`);
      for (const [i, input] of parts(`${set}_input`).entries()) {
        const text = set === 'utf8' ? input : input.replaceAll('\\n', '\n').replaceAll('\\s', ' ');
        const ids = tokenizer.encode(text, options).join(', ');
        row.ids += ids === expected[i];
        row.line([['ids', ids === expected[i], () => `${shown(text)} gave ${shown(ids)}, not ${shown(expected[i])}`]]);
      }
    }
    tokenizer.dispose();
  }
}

const of = ([holds, all]) => (all ? `${holds} of ${all}` : '');
const recordsText = (row) => row.counts + row.texts > 0;
const table = [
  `${os.cpus()[0].model}, Node ${process.versions.node}. "Equal" counts the lines on which that holds; a refused line is one that must throw.`,
  '',
  '| tokenizer | recorded by | lines | ids equal | count equal | text equal | offsets equal | refused | different |',
  '|---|---|---:|---:|---:|---:|---:|---:|---:|',
  ...rows.map(
    (row) =>
      `| ${row.name} | ${row.source} | ${row.lines} | ${row.ids} | ${recordsText(row) ? row.counts : ''} | ${recordsText(row) ? row.texts : ''} | ${of(row.offsets)} | ${of(row.throws)} | ${row.different} |`,
  ),
  '',
  `Lines: ${rows.reduce((sum, row) => sum + row.lines, 0)}; different: ${rows.reduce((sum, row) => sum + row.different, 0)}. No difference had to be allowed where that is 0.`,
  ...(absent.length ? ['', `Recorded, but not comparable here: ${absent.join('; ')}.`] : []),
  ...(examples.length ? ['', ...examples.map((e) => `- ${e}`)] : []),
].join('\n');
console.log(table);
if (flags.out) writeFileSync(flags.out, `${table}\n`);
if (rows.some((row) => row.different > 0)) process.exitCode = 1;
