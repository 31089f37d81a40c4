import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { Tokenizer } from './index';
import { GPT2_PATTERN as pattern, smallRanks } from './ranks.test-util';

const open = () => Tokenizer.fromRanks({ ranks: smallRanks(), pattern });
const bytes = (text: string) => Array.from(Buffer.from(text));

test('ids of one text do not change when other texts of any length are encoded', () => {
  using tokenizer = open();
  const texts = Array.from({ length: 600 }, (_, i) => 'xyz'.repeat(i).slice(0, 1 + ((i * 37) % 700)));
  const all = texts.map((text) => tokenizer.encode(text));
  for (const ids of all) ids.fill(ids[0]!, 0, 1); // writing to one leaves the others alone
  expect(all.map((ids) => Array.from(ids))).toEqual(texts.map(bytes));
});

test('a short text of many ids has them all', () => {
  using tokenizer = open();
  for (const text of ['好'.repeat(512), '👍🏽'.repeat(128), '\ud800'.repeat(511)])
    expect(Array.from(tokenizer.encode(text))).toEqual(bytes(text)); // lone surrogates are U+FFFD in both
});

test('ids that are sent to a worker are copied and stay usable here, with those of other texts', () => {
  using tokenizer = open();
  const { port1, port2 } = new MessageChannel();
  const text = 'xyz'.repeat(10);
  const [before, sent, after] = [tokenizer.encode(text), tokenizer.encode(text), tokenizer.encode(text)];
  port1.postMessage(sent, [sent.buffer as ArrayBuffer]);
  expect(Array.from(receiveMessageOnPort(port2)!.message)).toEqual(bytes(text));
  for (const ids of [before, sent, after, tokenizer.encode(text)]) expect(Array.from(ids!)).toEqual(bytes(text));
  port1.close();
});
