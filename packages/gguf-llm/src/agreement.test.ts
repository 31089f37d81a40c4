// A quick form of bench/agreement.mjs: replies of the pool's models equal those recorded from their bf16 weights.
import { readFileSync } from 'node:fs';
import { beforeAll, expect, it } from 'vitest';
import { loadModel } from './index';
import { describeWithReference, reference } from './testing/reference';

const NUMERIC = ['sum', 'difference', 'product', 'remainder', 'extreme', 'sort-numbers', 'roman', 'binary', 'weekday'];
const QUESTIONS = 60;

// Of 60 questions; the rates over 1,000 are in bench/agreement.mjs. Two or three more may part by chance here.
const models: [file: string, reply: string, atLeast: number][] = [
  ['pool/pool-nano-q8_0.gguf', 'nano', 50],
  ['pool/pool-small-q8_0.gguf', 'small', 55],
  ['pool/pool-numbers-q8_0.gguf', 'numbers', 55],
  ['pool/pool-letters-q8_0.gguf', 'letters', 58],
  ['pool/pool-large-q4_0.gguf', 'large', 55],
  ['pool/pool-large-q8_0.gguf', 'large', 57],
];

interface Question {
  domain: string;
  question: string;
  replies: Record<string, string>;
}

describeWithReference('the pool of models', ['pool/questions.jsonl', ...models.map(([file]) => file)], () => {
  let questions: Question[];
  beforeAll(() => {
    const lines = readFileSync(reference('pool/questions.jsonl'), 'utf8').split('\n').filter(Boolean);
    questions = lines.map((line) => JSON.parse(line));
  });

  for (const [file, reply, atLeast] of models)
    it(`${file} answers as recorded`, async () => {
      await using model = await loadModel(reference(file), { device: 'cpu' });
      await using session = model.createSession();
      const own = questions
        .filter(({ domain }) =>
          reply === 'numbers' || reply === 'letters' ? NUMERIC.includes(domain) === (reply === 'numbers') : true,
        )
        .slice(0, QUESTIONS);
      let equal = 0;
      for (const { question, replies } of own) {
        const prompt = `<|im_start|>user\n${question}<|im_end|>\n<|im_start|>assistant\n`;
        const generation = session.generate(prompt, { maxTokens: 64 });
        if ((await generation.text()) === replies[reply]) equal++;
        if (generation.stats) expect(generation.stats.generatedTokens).toBeLessThanOrEqual(64);
      }
      expect(equal).toBeGreaterThanOrEqual(atLeast);
    });
});
