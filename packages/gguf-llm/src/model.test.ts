import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  DeviceUnavailableError,
  devices,
  InvalidArgumentError,
  InvalidFormatError,
  IoError,
  LimitExceededError,
  NotFoundError,
  UnsupportedError,
} from '@x/cuda-core';
import { afterAll, describe, expect, it } from 'vitest';
import { loadModel } from './index';
import { describeWithReference, reference } from './testing/reference';

const stories = (type: string) => reference(`reference/llm/stories260K-${type}.gguf`);
const scratch = mkdtempSync(join(tmpdir(), 'gguf-llm-'));
afterAll(() => rmSync(scratch, { recursive: true }));

function file(name: string, bytes: Uint8Array): string {
  const path = join(scratch, name);
  writeFileSync(path, bytes);
  return path;
}

describe('loading what is not a model', () => {
  it('names a missing file', async () => {
    await expect(loadModel(join(scratch, 'absent.gguf'))).rejects.toBeInstanceOf(NotFoundError);
  });

  it('refuses a folder and an empty file', async () => {
    await expect(loadModel(scratch)).rejects.toSatisfy((e) => e instanceof IoError || e instanceof InvalidFormatError);
    await expect(loadModel(file('empty.gguf', new Uint8Array()))).rejects.toBeInstanceOf(InvalidFormatError);
  });

  it('refuses bytes that are not GGUF, and names the file', async () => {
    const path = file('text.gguf', Buffer.from('not a model at all, just text'));
    await expect(loadModel(path)).rejects.toMatchObject({
      code: 'X_INVALID_FORMAT',
      message: expect.stringContaining(path),
    });
  });

  it('names wrong arguments before it looks at the file', async () => {
    await expect(loadModel('')).rejects.toBeInstanceOf(InvalidArgumentError);
    await expect(loadModel(7 as never)).rejects.toMatchObject({ field: 'path' });
    await expect(loadModel('x.gguf', { device: 'gpu' as never })).rejects.toMatchObject({ field: 'device' });
    for (const contextSize of [0, -1, 1.5, Number.NaN])
      await expect(loadModel('x.gguf', { contextSize })).rejects.toMatchObject({ field: 'contextSize' });
  });
});

describeWithReference(
  'a model',
  [stories('F32'), stories('F16'), stories('Q8_0')].map((p) => p.slice(reference('').length)),
  () => {
    const greedy = [286, 261, 376, 298, 315, 421, 395, 317, 426, 338, 401, 396, 267, 337, 410, 408];

    for (const type of ['F32', 'F16', 'Q8_0'])
      it(`continues a story with the published ids from ${type} weights`, async () => {
        await using model = await loadModel(stories(type), { device: 'cpu' });
        await using session = model.createSession();
        const ids: number[] = [];
        for await (const token of session.generate([1, 410, 469, 347], { maxTokens: 16 })) ids.push(token.id);
        expect(ids).toEqual(greedy);
      });

    it('tells what it is', async () => {
      await using model = await loadModel(stories('F32'), { device: 'cpu' });
      expect(model.info).toMatchObject({
        architecture: 'llama',
        vocabulary: 512,
        width: 64,
        layers: 5,
        heads: 8,
        kvHeads: 4,
        fileBytes: readFileSync(stories('F32')).byteLength,
      });
      // 260 K in name: embedding 32768, five layers, norms.
      expect(model.info.parameters).toBeGreaterThan(255_000);
      expect(model.info.parameters).toBeLessThan(270_000);
      expect(model.device).toBe('cpu');
      expect(model.metadata.get('general.architecture')).toBe('llama');
      expect(model.metadata.get('llama.embedding_length')).toBe(64);
      expect(model.metadata.get('no.such.key')).toBeUndefined();
      expect(model.metadata.get('tokenizer.ggml.tokens')).toHaveLength(512);
      for (const key of model.metadata.keys()) expect(model.metadata.get(key)).toBeDefined();
    });

    it('gives the logits after every token, and the greedy reply follows them', async () => {
      await using model = await loadModel(stories('F32'), { device: 'cpu' });
      const ids = [1, 410, 469, 347, ...greedy];
      const logits = await model.logits(ids);
      expect([logits.rows, logits.columns, logits.data.length]).toEqual([20, 512, 20 * 512]);
      for (let i = 0; i < greedy.length; i++) {
        const row = logits.row(3 + i);
        expect(row.indexOf(Math.max(...row))).toBe(greedy[i]);
      }
      // The reported log-probability is log-softmax of these logits.
      await using session = model.createSession();
      let at = 3;
      for await (const token of session.generate(ids.slice(0, 4), { maxTokens: 16 })) {
        const row = [...logits.row(at++)];
        const top = Math.max(...row);
        const expected = (row[token.id] as number) - top - Math.log(row.reduce((s, l) => s + Math.exp(l - top), 0));
        expect(token.logprob).toBeCloseTo(expected, 2);
      }
      expect(() => logits.row(20)).toThrow(InvalidArgumentError);
    });

    it('refuses ids and lengths it cannot take', async () => {
      await using model = await loadModel(stories('F32'), { device: 'cpu' });
      for (const ids of [[], [512], [-1], [1.5], [Number.NaN], ['1'], 'Zoo', null])
        await expect(model.logits(ids as never)).rejects.toBeInstanceOf(InvalidArgumentError);
      await expect(model.logits(new Array(model.info.contextLength + 1).fill(1))).rejects.toBeInstanceOf(
        LimitExceededError,
      );
      for (const contextSize of [0, -1, 2.5, model.info.contextLength + 1])
        expect(() => model.createSession({ contextSize })).toThrow(InvalidArgumentError);
      await expect(loadModel(stories('F32'), { contextSize: model.info.contextLength + 1 })).rejects.toMatchObject({
        code: 'X_INVALID_ARGUMENT',
        field: 'contextSize',
      });
    });

    it('says why a GPU asked for by name cannot be used', async () => {
      if (devices().some((d) => d.device === 'cuda:0')) {
        await expect(loadModel(stories('F32'), { device: 'cuda:999' })).rejects.toBeInstanceOf(DeviceUnavailableError);
        return;
      }
      await expect(loadModel(stories('F32'), { device: 'cuda' })).rejects.toBeInstanceOf(DeviceUnavailableError);
    });

    it('refuses a truncated file wherever it was cut', async () => {
      const bytes = readFileSync(stories('Q8_0'));
      for (const length of [3, 4, 20, 100, 1000, 5000, 20_000, 100_000, bytes.length - 1])
        await expect(loadModel(file('cut.gguf', bytes.subarray(0, length)))).rejects.toBeInstanceOf(InvalidFormatError);
    });

    it('names another architecture', async () => {
      // Same length, so that all offsets stay right: "llama" is the value of general.architecture.
      const bytes = Buffer.from(readFileSync(stories('F32')));
      const at = bytes.indexOf('llama', bytes.indexOf('general.architecture'));
      bytes.write('mamba', at, 'latin1');
      const error = await loadModel(file('mamba.gguf', bytes)).catch((e: unknown) => e);
      expect(error).toBeInstanceOf(UnsupportedError);
      expect((error as Error).message).toContain('mamba');
    });

    it('reports progress and can be called off', async () => {
      const seen: [number, number][] = [];
      await using model = await loadModel(stories('F32'), { onProgress: (done, total) => seen.push([done, total]) });
      await expect.poll(() => seen.at(-1)).toEqual([model.info.fileBytes, model.info.fileBytes]);
      const reason = new Error('no longer needed');
      await expect(loadModel(stories('F32'), { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    });

    it('is gone after dispose, twice is once, and sessions go with it', async () => {
      const model = await loadModel(stories('F32'), { device: 'cpu' });
      const session = model.createSession();
      const generation = session.generate([1, 410], { maxTokens: 30 });
      await model.dispose();
      await model.dispose();
      expect(generation.stats?.generatedTokens).toBe(30);
      expect(() => model.createSession()).toThrow(InvalidArgumentError);
      await expect(model.logits([1])).rejects.toBeInstanceOf(InvalidArgumentError);
      expect(() => session.generate([1])).toThrow(InvalidArgumentError);
    });
  },
);
