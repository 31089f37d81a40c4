// Worker threads end whenever their owner wants. These run the built package: a worker cannot load TypeScript.
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { expect, it } from 'vitest';
import { loadModel } from './index';
import { describeWithReference, reference } from './testing/reference';

const path = 'reference/llm/stories260K-F32.gguf';
const built = fileURLToPath(new URL('../dist/index.cjs', import.meta.url));
const code = `
  const { parentPort, workerData } = require('node:worker_threads');
  const { loadModel } = require(workerData.built);
  (async () => {
    const model = await loadModel(workerData.model, { device: 'cpu' });
    const session = model.createSession();
    for (let turn = 0; ; turn++) {
      let text = '';
      for await (const token of session.generate('Zoo', { maxTokens: 400, temperature: turn ? 2 : 0 })) {
        text += token.text;
        if (turn) parentPort.postMessage({ running: true });
      }
      if (!turn) parentPort.postMessage({ text });
    }
  })();
`;

describeWithReference('a worker thread', [path], () => {
  it('gives the same reply as the main thread and can be terminated in the middle of one', async () => {
    await using model = await loadModel(reference(path), { device: 'cpu' });
    await using session = model.createSession();
    const expected = await session.generate('Zoo', { maxTokens: 400 }).text();
    for (let i = 0; i < 3; i++) {
      const worker = new Worker(code, { eval: true, workerData: { built, model: reference(path) } });
      const texts: string[] = [];
      await new Promise<void>((resolve, reject) => {
        worker.on('message', (message: { text?: string; running?: boolean }) => {
          if (message.text !== undefined) texts.push(message.text);
          else resolve();
        });
        worker.on('error', reject);
      });
      expect(await worker.terminate()).toBe(1);
      expect(texts).toEqual([expected]);
    }
    expect(await session.generate('Zoo', { maxTokens: 400 }).text()).toBe(expected);
  });
});
