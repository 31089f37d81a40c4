// A pool for tests that answers by rule, so that what is right, what it costs and how sure it is are known.
import type { Pool, Reply } from './models';
import { costOf } from './models';
import type { Question } from './questions';

export const CARDS = [
  { name: 'nano', parameters: 1_000_000 },
  { name: 'numbers', parameters: 4_000_000 },
  { name: 'large', parameters: 20_000_000 },
];

/** Sums are easy for all but nano; reversals only for large. */
export function answerable(model: string, { domain, difficulty }: Question): boolean {
  if (model === 'large') return true;
  if (model === 'numbers') return domain === 'sum';
  return domain === 'sum' && difficulty < 2;
}

/** Alternating sums and reversals of three difficulties. */
export function someQuestions(count: number): Question[] {
  return Array.from({ length: count }, (_, i) => {
    const difficulty = 1 + (i % 3);
    if (i % 2 === 0) {
      const a = 10 ** difficulty + 7 * i;
      return { domain: 'sum', difficulty, question: `What is ${a} + ${i}?`, answer: String(a + i) };
    }
    const word = `w${'abcdefghij'[i % 10]}${'klmnop'[i % 6]}r${'qst'[i % 3]}${i % 7 ? 'x' : 'yz'}`;
    const answer = [...word].reverse().join('');
    return { domain: 'reverse', difficulty, question: `Reverse the word "${word}" (${i}).`, answer };
  });
}

/** A pool over `questions`; a right answer comes with high log-probabilities, a wrong one with low ones. */
export function rulePool(questions: readonly Question[]): Pool & { asked: { model: string; question: string }[] } {
  const byText = new Map(questions.map((question) => [question.question, question]));
  const asked: { model: string; question: string }[] = [];
  return {
    models: CARDS,
    asked,
    async ask(model, text): Promise<Reply> {
      asked.push({ model, question: text });
      const question = byText.get(text)!;
      const right = answerable(model, question);
      const reply = right ? question.answer : `not ${question.answer}`;
      const card = CARDS.find(({ name }) => name === model)!;
      const promptTokens = text.length;
      const generatedTokens = reply.length + 1;
      return {
        model,
        text: reply,
        logprobs: Array.from({ length: generatedTokens }, () => (right ? -0.01 : -1.2)),
        promptTokens,
        generatedTokens,
        cost: costOf(card, promptTokens + generatedTokens),
        seconds: 0.001,
      };
    },
    async dispose() {},
  };
}
