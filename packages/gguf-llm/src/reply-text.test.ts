import { describe, expect, it } from 'vitest';
import { type GeneratedToken, ReplyText } from './reply-text';

// Token i of `pieces` has these bytes.
function decoderOf(pieces: (string | number[])[]) {
  const bytes = pieces.map((piece) => (typeof piece === 'string' ? Buffer.from(piece) : Buffer.from(piece)));
  return {
    decode: (ids: ArrayLike<number>) => Buffer.concat(Array.from(ids, (id) => bytes[id] as Buffer)).toString('utf8'),
    decodeStream: () => {
      const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
      return { push: (id: number) => decoder.decode(bytes[id], { stream: true }), end: () => decoder.decode() };
    },
  };
}

/** Feeds all tokens in order, as a generation does; says after which push each item came. */
function feed(pieces: (string | number[])[], stops: string[] = []) {
  const reply = new ReplyText(decoderOf(pieces) as never, stops);
  const items: GeneratedToken[] = [];
  const at: number[] = [];
  for (let i = 0; i < pieces.length && !reply.stopped; i++) {
    for (const item of reply.push(i, -i)) {
      items.push(item);
      at[item.id] = i;
    }
  }
  items.push(...reply.end());
  return { items, at, text: items.map((item) => item.text).join(''), stopped: reply.stopped };
}

describe('text of a reply', () => {
  it('hands out whole tokens at once', () => {
    const { items, at } = feed(['Once', ' upon', ' a time']);
    expect(items.map((item) => item.text)).toEqual(['Once', ' upon', ' a time']);
    expect(at).toEqual([0, 1, 2]);
    expect(items.map((item) => item.logprob)).toEqual([-0, -1, -2]);
  });

  it('never yields half a character', () => {
    const { items } = feed([[0xf0, 0x9f], [0x98], [0x80], '!']);
    expect(items.map((item) => item.text)).toEqual(['', '', '😀', '!']);
  });

  it('puts what is left of an unfinished character into the last item', () => {
    const { items } = feed(['a', [0x62, 0xe2, 0x82]]);
    expect(items.map((item) => item.text)).toEqual(['a', 'b\uFFFD']);
  });

  it('ends before a stop string inside one token', () => {
    expect(feed(['abc\n\nQ: x'], ['\n\n'])).toMatchObject({ text: 'abc', stopped: true });
  });

  it('ends before a stop string spread over tokens and never shows its beginning', () => {
    const { items, text, stopped } = feed(['yes', ' <', '/s', '>', 'more'], ['</s>']);
    expect(stopped).toBe(true);
    expect(text).toBe('yes ');
    expect(items.map((item) => item.id)).toEqual([0, 1, 2, 3]);
  });

  it('gives back what only looked like a stop string', () => {
    const { text, stopped, items } = feed(['a', '<', '/', 'b', '<'], ['</s>']);
    expect(stopped).toBe(false);
    expect(text).toBe('a</b<');
    expect(items).toHaveLength(5);
    expect(items.at(-1)?.text).toBe('<');
  });

  it('takes the earliest of several stop strings', () => {
    expect(feed(['one two three'], ['three', 'two']).text).toBe('one ');
  });

  it('finds a stop string that overlaps its own false start', () => {
    expect(feed(['a', 'a', 'a', 'b', 'c'], ['aab'])).toMatchObject({ text: 'a', stopped: true });
    expect(feed([...'xababac'], ['abac'])).toMatchObject({ text: 'xab', stopped: true });
  });

  it('equals a plain search for every way of cutting the text into tokens', () => {
    const whole = 'abcabdabcé😀abce';
    const bytes = [...Buffer.from(whole)];
    for (const stops of [['abce'], ['bda', 'abcé'], ['nothing'], ['😀a'], ['e']]) {
      const at = Math.min(...stops.map((stop) => whole.indexOf(stop)).map((i) => (i < 0 ? whole.length : i)));
      for (let width = 1; width <= 7; width++) {
        const pieces: number[][] = [];
        for (let i = 0; i < bytes.length; i += width) pieces.push(bytes.slice(i, i + width));
        expect(feed(pieces, stops).text).toBe(whole.slice(0, at));
      }
    }
  });
});
