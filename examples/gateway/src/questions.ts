// The stream of questions: real ones, in an order that the seed decides.
import { readFileSync } from 'node:fs';
import { InvalidArgumentError, InvalidFormatError, IoError } from '@x/cuda-core';

export interface Question {
  /** Where the question comes from; for reporting only, the gateway never sees it. */
  domain: string;
  /** 1 to 5; for reporting only. */
  difficulty: number;
  question: string;
  answer: string;
}

/** Reads `questions.jsonl`. Throws InvalidFormatError with the line that is wrong. */
export function readQuestions(path: string): Question[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new IoError(`${path} cannot be read: ${(cause as Error).message}`, { field: 'pool', cause });
  }
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line, index) => {
      const where = `${path}, line ${index + 1}`;
      let row: Partial<Question>;
      try {
        row = JSON.parse(line);
      } catch (cause) {
        throw new InvalidFormatError(`${where} is not JSON: ${(cause as Error).message}`, { field: where, cause });
      }
      const { domain, difficulty, question, answer } = row ?? {};
      if (
        typeof domain !== 'string' ||
        typeof difficulty !== 'number' ||
        typeof question !== 'string' ||
        typeof answer !== 'string'
      ) {
        throw new InvalidFormatError(`${where} needs domain, difficulty, question and answer.`, { field: where });
      }
      return { domain, difficulty, question, answer };
    });
}

/** Uniform numbers in [0, 1): a Weyl sequence through a 32-bit mixer (the SplitMix scheme, Steele et al. 2014). */
export function splitMix(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return ((z ^ (z >>> 16)) >>> 0) / 2 ** 32;
  };
}

/** `count` questions, shuffled by `seed` (Fisher-Yates). */
export function questionStream(all: readonly Question[], count: number, seed: number): Question[] {
  if (!Number.isInteger(count) || count < 1 || count > all.length) {
    throw new InvalidArgumentError(`questions must be a whole number from 1 to ${all.length}, not ${count}.`, {
      field: 'questions',
    });
  }
  const random = splitMix(seed);
  const order = [...all];
  for (let i = order.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order.slice(0, count);
}

/** Whether a reply is right: the exact answer, nothing else. */
export function isRight(question: Question, reply: string): boolean {
  return reply.trim() === question.answer;
}
