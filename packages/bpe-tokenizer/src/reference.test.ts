import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { Tokenizer } from './index';
import { reference } from './reference.test-util';

interface Vector {
  tokenizer: string;
  src: 'hf' | 'tiktoken';
  text: string;
  ids: number[];
  special?: string | string[];
  add_special?: boolean;
  decoded?: string;
  decoded_skip?: string;
  throws?: boolean;
}

const file = reference('reference/bpe/vectors_public.jsonl.gz');
const lines = file ? gunzipSync(readFileSync(file)).toString().split('\n').filter(Boolean) : [];
const vectors = lines.map((line) => JSON.parse(line) as Vector);

describe.skipIf(!file)('recorded ids of Hugging Face tokenizers and tiktoken', () => {
  for (const name of ['gpt2', 'llama3.2', 'qwen2.5']) {
    it(`${name}: every text encodes and decodes exactly`, () => {
      const bytes = gunzipSync(readFileSync(reference(`reference/bpe/assets/tokenizer_json/${name}.json.gz`)!));
      using tokenizer = Tokenizer.fromBytes(bytes);
      let checked = 0;
      for (const v of vectors) {
        if (v.tokenizer !== name || v.throws) continue;
        const options =
          v.src === 'hf'
            ? { addSpecialTokens: v.add_special === true }
            : { addSpecialTokens: false, parseSpecial: v.special !== 'ordinary' };
        const ids = tokenizer.encode(v.text, options);
        if (ids.length !== v.ids.length || v.ids.some((id, i) => id !== ids[i])) {
          expect([...ids], JSON.stringify(v.text)).toEqual(v.ids);
        }
        if (!v.add_special && tokenizer.decode(v.ids) !== (v.decoded ?? v.text)) {
          expect(tokenizer.decode(v.ids)).toBe(v.decoded ?? v.text);
        }
        if (v.decoded_skip !== undefined) {
          expect(tokenizer.decode(v.ids, { skipSpecialTokens: true })).toBe(v.decoded_skip);
        }
        checked++;
      }
      expect(checked).toBeGreaterThan(3000);
    });
  }
});

const pool = reference('pool/tokenizer.json');
describe.skipIf(!pool)('the example pool', () => {
  it('questions survive a round trip, and the GGUF vocabulary gives the same ids', async () => {
    using json = await Tokenizer.fromFile(pool!);
    using gguf = await Tokenizer.fromFile(reference('pool/pool-nano-q8_0.gguf')!);
    const questions = readFileSync(reference('pool/questions.jsonl')!, 'utf8').split('\n').filter(Boolean);
    const prompts = questions.map(
      (line) => `<|im_start|>user\n${JSON.parse(line).question}<|im_end|>\n<|im_start|>assistant\n`,
    );
    const [a, b] = await Promise.all([json.encodeBatch(prompts), gguf.encodeBatch(prompts)]);
    expect(prompts.length).toBeGreaterThan(3000);
    for (const [i, prompt] of prompts.entries()) {
      expect(a[i]).toEqual(b[i]);
      expect(json.decode(a[i]!)).toBe(prompt);
    }
    expect(gguf.endOfGeneration.has(json.idOf('<|im_end|>')!)).toBe(true);
    expect(gguf.eosId).toBe(json.idOf('<|im_end|>'));
  });

  it('the SentencePiece vocabulary of stories260K streams like it decodes', async () => {
    using tokenizer = await Tokenizer.fromFile(reference('reference/llm/stories260K-F32.gguf')!);
    const ids = tokenizer.encode('Zoo animals, café 😀.');
    expect([...ids.subarray(0, 4)]).toEqual([1, 410, 469, 347]);
    const stream = tokenizer.decodeStream({ skipSpecialTokens: true });
    const streamed = Array.from(ids, (id) => stream.push(id)).join('') + stream.end();
    expect(streamed).toBe('Zoo animals, café 😀.');
    expect(tokenizer.decode(ids, { skipSpecialTokens: true })).toBe(streamed);
  });
});
