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
  offsets?: number[];
}

const file = reference('reference/bpe/vectors_public.jsonl.gz');
const lines = file ? gunzipSync(readFileSync(file)).toString().split('\n').filter(Boolean) : [];
const vectors = lines.map((line) => JSON.parse(line) as Vector);

const FILES = [
  'gpt2',
  'gpt_neox',
  'llama2',
  'mistral01',
  'mistral03',
  'mistral_nemo',
  'llama3.2',
  'qwen2.5',
  'gemma3',
  'deepseek_v3',
  'modernbert',
];
const same = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  a.length === b.length && Array.prototype.every.call(a, (x: number, i: number) => x === b[i]);

describe.skipIf(!file)('recorded ids of Hugging Face tokenizers', () => {
  for (const name of FILES) {
    it(`${name}: every text encodes and decodes exactly, with its offsets`, { timeout: 60_000 }, () => {
      const bytes = gunzipSync(readFileSync(reference(`reference/bpe/assets/tokenizer_json/${name}.json.gz`)!));
      using tokenizer = Tokenizer.fromBytes(bytes);
      let checked = 0;
      let offsets = 0;
      const wrong: string[] = [];
      const report = (what: string, v: Vector, got: unknown, expected: unknown) => {
        const short = (x: unknown) => JSON.stringify(x).slice(0, 300);
        wrong.push(`${what} of ${short(v.text)}: ${short(got)} instead of ${short(expected)}`);
      };
      for (const v of vectors) {
        if (v.tokenizer !== name || v.src !== 'hf') continue;
        const options = { addSpecialTokens: v.add_special === true };
        const ids = tokenizer.encode(v.text, options);
        if (!same(ids, v.ids)) report('ids', v, [...ids], v.ids);
        if (tokenizer.count(v.text, options) !== v.ids.length) report('count', v, 0, v.ids.length);
        if (v.offsets) {
          const both = tokenizer.encodeWithOffsets(v.text, 'codepoint', options);
          if (!same(both.ids, v.ids)) report('ids with offsets', v, [...both.ids], v.ids);
          if (!same(both.offsets, v.offsets)) report('offsets', v, [...both.offsets], v.offsets);
          offsets++;
        }
        const expected = v.decoded ?? Buffer.from(v.text).toString();
        const decoded = tokenizer.decode(v.ids);
        if (!v.add_special && decoded !== expected) report('text', v, decoded, expected);
        if (v.decoded_skip !== undefined) {
          const skipped = tokenizer.decode(v.ids, { skipSpecialTokens: true });
          if (skipped !== v.decoded_skip) report('text without special tokens', v, skipped, v.decoded_skip);
        }
        checked++;
      }
      expect(wrong.slice(0, 12), `${wrong.length} differ`).toEqual([]);
      expect(checked).toBeGreaterThan(3000);
      expect(offsets).toBeGreaterThan(200);
    });
  }
});

// Recorded by kitoken's tests. Its lines write a newline as \\n and a blank at the end as \\s.
const KITOKEN = {
  gpt2: 'gpt2',
  gpt_neox: 'gpt_neox',
  llama2: 'llama2',
  llama32: 'llama3.2',
  mistral01: 'mistral01',
  mistral03: 'mistral03',
  mistral2410: 'mistral_nemo',
  modernbert: 'modernbert',
  mpt: 'mpt',
  gemma3: 'gemma3',
  r1: 'deepseek_v3',
};
describe.skipIf(!file)('recorded ids of kitoken', () => {
  const asset = (path: string) => gunzipSync(readFileSync(reference(`reference/bpe/assets/${path}.gz`)!));
  for (const [name, json] of Object.entries(KITOKEN)) {
    it(`${name}: three texts, by lines and whole`, { timeout: 30_000 }, () => {
      using tokenizer = Tokenizer.fromBytes(asset(`tokenizer_json/${json}.json`));
      for (const kind of ['small', 'mixed', 'utf8']) {
        const parts = (path: string) => {
          const text = asset(`kitoken_expect/${path}.txt`).toString();
          return kind === 'utf8' ? [text] : text.split('\n');
        };
        const inputs = parts(`${kind}_input`);
        const expected = parts(`hf_${kind}_${name}`);
        expect(inputs.length).toBe(expected.length);
        for (const [i, input] of inputs.entries()) {
          const text = kind === 'utf8' ? input : input.replaceAll('\\n', '\n').replaceAll('\\s', ' ');
          expect(tokenizer.encode(text, { addSpecialTokens: false }).join(', '), JSON.stringify(text)).toBe(
            expected[i],
          );
        }
      }
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
