// The five models of the pool, loaded from their files.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Device, NotFoundError } from '@x/cuda-core';
import { loadModel, type Model, type Session } from '@x/gguf-llm';
import { costOf, type ModelCard, type Pool } from './models';

const FILES = {
  nano: 'pool-nano-q8_0.gguf',
  small: 'pool-small-q8_0.gguf',
  numbers: 'pool-numbers-q8_0.gguf',
  letters: 'pool-letters-q8_0.gguf',
  large: 'pool-large-q4_0.gguf',
} as const;

// No question of the pool has an answer this long; a model that rambles is stopped.
const MAX_TOKENS = 48;

/** The chat form that the pool's models were trained on. */
export function prompt(question: string): string {
  return `<|im_start|>user\n${question}<|im_end|>\n<|im_start|>assistant\n`;
}

/** Loads the five models of `folder`. */
export async function openPool(folder: string, device: Device): Promise<Pool> {
  const loaded: { card: ModelCard; model: Model; session: Session }[] = [];
  try {
    for (const [name, file] of Object.entries(FILES)) {
      const path = join(folder, file);
      if (!existsSync(path)) {
        throw new NotFoundError(
          `${path} does not exist. The pool's models are part of the repository; point --pool at the folder that holds them.`,
          { field: 'pool' },
        );
      }
      const model = await loadModel(path, { device });
      loaded.push({ card: { name, parameters: model.info.parameters }, model, session: model.createSession() });
    }
  } catch (error) {
    await Promise.all(loaded.map(({ model }) => model.dispose()));
    throw error;
  }
  const byName = new Map(loaded.map((entry) => [entry.card.name, entry]));
  return {
    models: loaded.map(({ card }) => card),
    async ask(name, question) {
      const entry = byName.get(name);
      if (!entry) throw new NotFoundError(`There is no model ${JSON.stringify(name)} in the pool.`, { field: 'model' });
      const started = performance.now();
      const logprobs: number[] = [];
      let text = '';
      const generation = entry.session.generate(prompt(question), { maxTokens: MAX_TOKENS });
      for await (const token of generation) {
        text += token.text;
        logprobs.push(token.logprob);
      }
      const { promptTokens, generatedTokens } = generation.stats!;
      return {
        model: name,
        text: text.trim(),
        logprobs,
        promptTokens,
        generatedTokens,
        cost: costOf(entry.card, promptTokens + generatedTokens),
        seconds: (performance.now() - started) / 1000,
      };
    },
    async dispose() {
      await Promise.all(loaded.map(({ model }) => model.dispose()));
    },
  };
}
