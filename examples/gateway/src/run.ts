// One stream of questions through the gateway, with the outcome of every answer revealed to it.
import type { Row } from './baselines';
import type { Decision, Gateway } from './gateway';
import { isRight, type Question } from './questions';

/** What happened to one question. */
export interface Answered {
  question: Question;
  decision: Decision;
  right: boolean;
}

export interface RunOptions {
  onProgress?: (done: number, total: number) => void;
  signal?: AbortSignal;
}

/** Asks the gateway every question in turn; it learns from each before it sees the next. */
export async function run(
  gateway: Pick<Gateway, 'ask' | 'feedback'>,
  questions: readonly Question[],
  options: RunOptions = {},
): Promise<Answered[]> {
  const answered: Answered[] = [];
  for (const question of questions) {
    options.signal?.throwIfAborted();
    const decision = await gateway.ask(question.question);
    const right = isRight(question, decision.answer);
    gateway.feedback(decision, right);
    answered.push({ question, decision, right });
    options.onProgress?.(answered.length, questions.length);
  }
  return answered;
}

/** The table row of a run. */
export function routedRow(answered: readonly Answered[]): Row {
  const row: Row = { name: 'routed', questions: answered.length, right: 0, cost: 0, seconds: 0, tokens: 0 };
  for (const { decision, right } of answered) {
    if (right) row.right++;
    row.cost += decision.cost;
    row.seconds += decision.seconds;
    row.tokens += decision.tokens;
  }
  return row;
}
