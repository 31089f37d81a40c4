// Nanoseconds of calls with short texts, through Node, the least of seven rounds of 30,000 calls each:
//   node bench/short.mjs
import os from 'node:os';
import { Tokenizer } from '../dist/index.js';
import { ranksOf, tokenizerJson } from './reference.mjs';

const CALLS = 30_000;
const kept = new Array(64); // results live on for a while, as they do in programs, so that none is optimised away
function nanoseconds(call) {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 8; round++) {
    const start = process.hrtime.bigint();
    for (let i = 0; i < CALLS; i++) kept[i & 63] = call();
    if (round > 0) best = Math.min(best, Number(process.hrtime.bigint() - start) / CALLS); // the first round compiles
  }
  return best.toFixed(0);
}

const sentence = 'The quick brown fox jumps over the lazy dog, and 42 more animals follow it home in the evening light';
const texts = {
  '"hello"': 'hello',
  [`${sentence.length} characters`]: sentence,
  '1,000 characters': sentence.repeat(10),
};
console.log(`${os.cpus()[0].model}, Node ${process.versions.node}; ns a call\n`);
console.log(`| tokenizer | text | ids | encode | count | decode |`);
console.log('|---|---|---:|---:|---:|---:|');
for (const name of ['cl100k_base', 'o200k_base', 'llama3.2', 'qwen2.5', 'llama2']) {
  const ranks = ranksOf(name);
  const tokenizer = ranks ? Tokenizer.fromRanks(ranks) : Tokenizer.fromBytes(tokenizerJson(name));
  for (const [label, text] of Object.entries(texts)) {
    const ids = tokenizer.encode(text);
    const encode = nanoseconds(() => tokenizer.encode(text));
    const count = nanoseconds(() => tokenizer.count(text));
    const decode = nanoseconds(() => tokenizer.decode(ids));
    console.log(`| ${name} | ${label} | ${ids.length} | ${encode} | ${count} | ${decode} |`);
  }
  tokenizer.dispose();
}
