// What the gateway is measured against. Every baseline is the real replies of the real models to the same questions;
// nothing is recorded beforehand.
import { CHEAPEST, type ModelCard, type Pool, type Reply, STRONGEST } from './models';
import { isRight, type Question, splitMix } from './questions';

/** Accuracy and what it took, over a stream of questions. */
export interface Row {
  name: string;
  questions: number;
  right: number;
  /** Parameters read, summed over all replies. */
  cost: number;
  /** Measured time of the replies. */
  seconds: number;
  /** Prompt and generated tokens. */
  tokens: number;
}

/** Every model's reply to every question: `replies.get(model)![i]` answers `questions[i]`. */
export type AllReplies = ReadonlyMap<string, readonly Reply[]>;

/**
 * Asks every model every question. `cache` keeps replies from one stream to the next, so that several seeds over the
 * same questions do not ask twice; the gateway itself never reads it.
 */
export async function askEveryModel(
  pool: Pool,
  questions: readonly Question[],
  options: {
    cache?: Map<string, Reply>;
    onProgress?: (done: number, total: number) => void;
    signal?: AbortSignal;
  } = {},
): Promise<AllReplies> {
  const { cache = new Map<string, Reply>(), onProgress, signal } = options;
  const total = pool.models.length * questions.length;
  const all = new Map<string, Reply[]>();
  let done = 0;
  for (const { name } of pool.models) {
    const replies: Reply[] = [];
    for (const { question } of questions) {
      signal?.throwIfAborted();
      const key = `${name}\n${question}`;
      let reply = cache.get(key);
      if (!reply) {
        reply = await pool.ask(name, question);
        cache.set(key, reply);
      }
      replies.push(reply);
      onProgress?.(++done, total);
    }
    all.set(name, replies);
  }
  return all;
}

/** A row out of one reply per question. */
export function rowOf(name: string, questions: readonly Question[], replies: readonly Reply[]): Row {
  const row: Row = { name, questions: questions.length, right: 0, cost: 0, seconds: 0, tokens: 0 };
  for (const [i, reply] of replies.entries()) {
    if (isRight(questions[i]!, reply.text)) row.right++;
    row.cost += reply.cost;
    row.seconds += reply.seconds;
    row.tokens += reply.promptTokens + reply.generatedTokens;
  }
  return row;
}

/** The reply of a router that knows all answers: the cheapest right one, or the cheapest when none is right. */
function oracleReply(models: readonly ModelCard[], replies: AllReplies, question: Question, i: number): Reply {
  const byCost = models.map(({ name }) => replies.get(name)![i]!).sort((a, b) => a.cost - b.cost);
  return byCost.find((reply) => isRight(question, reply.text)) ?? byCost[0]!;
}

/** always-<model> for every model, random and oracle. */
export function baselineRows(
  models: readonly ModelCard[],
  questions: readonly Question[],
  replies: AllReplies,
  seed: number,
): Row[] {
  const random = splitMix(seed ^ 0x52414e44);
  const drawn = questions.map((_, i) => {
    const { name } = models[Math.floor(random() * models.length)]!;
    return replies.get(name)![i]!;
  });
  const best = questions.map((question, i) => oracleReply(models, replies, question, i));
  return [
    ...models.map(({ name }) => rowOf(`always-${name}`, questions, replies.get(name)!)),
    rowOf('random', questions, drawn),
    rowOf('oracle', questions, best),
  ];
}

/** The rows that the table shows; the report shows all. */
export const TABLE_ROWS = ['routed', `always-${CHEAPEST}`, `always-${STRONGEST}`, 'random', 'oracle'];
