// Greedy replies of the pool's models against the replies recorded from their bf16 weights, over questions of each
// model's own domains. Prints one line a model and ends with 1 when a rate is below what is required.
//
//   node bench/agreement.mjs [POOL_FOLDER] [--questions 1000] [--device cpu|cuda] [--models nano,small] [--show 5]
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { loadModel } from '../dist/index.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    questions: { type: 'string', default: '1000' },
    device: { type: 'string', default: 'cpu' },
    models: { type: 'string', default: '' },
    show: { type: 'string', default: '0' },
  },
});
const pool =
  positionals[0] ?? join(process.env.X_REFERENCE_DIR ?? join(import.meta.dirname, '../../../../shared'), 'pool');
const NUMERIC = ['sum', 'difference', 'product', 'remainder', 'extreme', 'sort-numbers', 'roman', 'binary', 'weekday'];
const own = {
  numbers: (domain) => NUMERIC.includes(domain),
  letters: (domain) => !NUMERIC.includes(domain),
};
const models = [
  { name: 'nano', file: 'pool-nano-q8_0.gguf', reply: 'nano', required: 0.88 },
  { name: 'small', file: 'pool-small-q8_0.gguf', reply: 'small', required: 0.96 },
  { name: 'numbers', file: 'pool-numbers-q8_0.gguf', reply: 'numbers', required: 0.96 },
  { name: 'letters', file: 'pool-letters-q8_0.gguf', reply: 'letters', required: 0.99 },
  { name: 'large-q4_0', file: 'pool-large-q4_0.gguf', reply: 'large', required: 0.96 },
  { name: 'large-q8_0', file: 'pool-large-q8_0.gguf', reply: 'large', required: 0.98 },
].filter((model) => !values.models || values.models.split(',').includes(model.name));

const questions = readFileSync(join(pool, 'questions.jsonl'), 'utf8')
  .split('\n')
  .filter(Boolean)
  .map((line) => JSON.parse(line));
const prompt = (question) => `<|im_start|>user\n${question}<|im_end|>\n<|im_start|>assistant\n`;

let failed = 0;
console.log('| model | questions | equal replies | required | correct | recorded correct | tokens | seconds |');
console.log('|---|---:|---:|---:|---:|---:|---:|---:|');
for (const { name, file, reply, required } of models) {
  const model = await loadModel(join(pool, file), { device: values.device });
  const session = model.createSession();
  const asked = questions.filter((q) => (own[reply] ?? (() => true))(q.domain)).slice(0, Number(values.questions));
  let equal = 0;
  let right = 0;
  let recordedRight = 0;
  let tokens = 0;
  let shown = 0;
  const start = performance.now();
  for (const { question, answer, replies } of asked) {
    const generation = session.generate(prompt(question), { maxTokens: 64 });
    const text = await generation.text();
    tokens += generation.stats.promptTokens + generation.stats.generatedTokens;
    right += text.trim() === answer;
    recordedRight += replies[reply].trim() === answer;
    if (text.trim() === replies[reply].trim()) equal++;
    else if (shown++ < Number(values.show))
      console.error(`${name}: ${question}\n  ${JSON.stringify(text)} recorded ${JSON.stringify(replies[reply])}`);
  }
  const seconds = (performance.now() - start) / 1000;
  const percent = (n) => `${((100 * n) / asked.length).toFixed(1)} %`;
  console.log(
    `| ${name} (${session.device}) | ${asked.length} | ${percent(equal)} | ${100 * required} % | ${percent(right)} | ${percent(recordedRight)} | ${tokens} | ${seconds.toFixed(1)} |`,
  );
  failed += equal / asked.length < required;
  await model.dispose();
}
process.exitCode = failed ? 1 : 0;
