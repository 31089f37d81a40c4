// route() on one core: requests per CPU second, untrained, trained online, and with a fitted text model.
//   node bench/routing_speed.mjs
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { QueryRouter } from '../dist/index.js';
import { load, present } from './routing/data.mjs';

const pool = readFileSync(
  join(dirname(fileURLToPath(import.meta.url)), '../../../examples/gateway/pool/questions.jsonl'),
  'utf8',
)
  .trim()
  .split('\n')
  .map((l) => JSON.parse(l));

function time(label, router, texts) {
  for (let i = 0; i < 3000; i++) router.route(texts[i % texts.length]);
  const rounds = [];
  for (let r = 0; r < 5; r++) {
    const start = process.cpuUsage();
    for (let i = 0; i < 6000; i++) router.route(texts[i % texts.length]);
    const used = process.cpuUsage(start);
    rounds.push(6000 / ((used.user + used.system) / 1e6));
  }
  rounds.sort((a, b) => a - b);
  const length = texts.reduce((s, t) => s + t.length, 0) / texts.length;
  console.log(`| ${label} | ${Math.round(length)} | ${Math.round(rounds[2])} | ${(1e6 / rounds[2]).toFixed(1)} |`);
}

console.log('| router, questions | mean characters | requests / CPU s (median of 5) | µs |\n| --- | --- | --- | --- |');
const short = pool.map((q) => q.question);
const five = ['nano', 'small', 'numbers', 'letters', 'large'].map((name, i) => ({ name, cost: 1 + i }));
const online = new QueryRouter({ models: five, refit: 'manual' });
pool.slice(0, 600).forEach((q, i) => {
  online.observe({ query: q.question, model: five[i % 5].name, quality: i % 3 ? 1 : 0 });
});
time('5 models, learnt online, gateway questions', online, short);
await online.refit();
time('5 models, with text model, gateway questions', online, short);
if (present) {
  for (const [name, file, take] of [
    ['MMLU', 'routellm_mmlu', 3000],
    ['GSM8K', 'routellm_gsm8k', 912],
    ['RouterBench', 'routerbench3_11models', 1000],
  ]) {
    const rows = load(file).filter((_, i, all) => i % Math.ceil(all.length / take) === 0);
    const models = Object.keys(rows[0].quality).map((m) => ({ name: m, cost: 1 }));
    const router = new QueryRouter({ models });
    await router.fit(rows.map(({ text, quality }) => ({ query: text, quality })));
    time(
      `${models.length} models, with text model, ${name}`,
      router,
      rows.map((r) => r.text),
    );
  }
}
