import { InvalidArgumentError, LimitExceededError, setThreads, threads } from '@x/cuda-core';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { type GeneratedToken, type GenerateOptions, loadModel, type Model, type Session } from './index';
import { describeWithReference, reference } from './testing/reference';

const path = 'reference/llm/stories260K-F32.gguf';

describeWithReference('a session', [path], () => {
  let model: Model;
  beforeAll(async () => {
    model = await loadModel(reference(path), { device: 'cpu' });
  });
  afterAll(() => model.dispose());

  async function tokensOf(session: Session, prompt: string | number[], options: GenerateOptions = {}) {
    const tokens: GeneratedToken[] = [];
    for await (const token of session.generate(prompt, options)) tokens.push(token);
    return tokens;
  }
  async function idsOf(session: Session, prompt: string | number[], options: GenerateOptions = {}) {
    return (await tokensOf(session, prompt, options)).map((token) => token.id);
  }
  const prompt = [1, 410, 469, 347];
  const hot = { temperature: 1, seed: 7, maxTokens: 40 };

  it('streams the text of its tokens', async () => {
    await using session = model.createSession();
    const tokens = await tokensOf(session, 'Once upon a time', { maxTokens: 60 });
    const ids = tokens.map((token) => token.id);
    expect(tokens.map((token) => token.text).join('')).toBe(model.tokenizer.decode(Uint32Array.from(ids)));
    expect(tokens.every((token) => token.logprob <= 0)).toBe(true);
    expect(await session.generate('Once upon a time', { maxTokens: 60 }).text()).toBe(
      tokens.map((token) => token.text).join(''),
    );
  });

  it('tells why and how it ended', async () => {
    await using session = model.createSession();
    const generation = session.generate(prompt, { maxTokens: 5 });
    expect(generation.finishReason).toBeUndefined();
    await generation.text();
    expect(generation.finishReason).toBe('length');
    expect(generation.stats).toMatchObject({ promptTokens: 4, cachedTokens: 0, generatedTokens: 5 });
    expect(generation.stats?.prefillMs).toBeGreaterThan(0);
    expect(generation.stats?.decodeMs).toBeGreaterThan(0);
    expect(session.length).toBe(8);
  });

  it('decides tokens by the seed, on any number of threads', async () => {
    await using session = model.createSession();
    const ids = await idsOf(session, prompt, hot);
    expect(await idsOf(session, prompt, hot)).toEqual(ids);
    expect(await idsOf(session, prompt, { ...hot, seed: 8 })).not.toEqual(ids);
    expect(await idsOf(session, prompt, { ...hot, seed: 7 + 2 ** 32 })).not.toEqual(ids);
    const before = threads();
    try {
      for (const count of [1, 4]) {
        setThreads(count);
        expect(await idsOf(session, prompt, hot)).toEqual(ids);
      }
    } finally {
      setThreads(before);
    }
  });

  it('reuses a shared prefix with the same result as a fresh session', async () => {
    await using used = model.createSession();
    await using fresh = model.createSession();
    const reply = await idsOf(used, prompt, { maxTokens: 10 });
    const next = [...prompt, ...reply, 410, 408];
    const again = used.generate(next, { maxTokens: 30 });
    const continued: number[] = [];
    for await (const token of again) continued.push(token.id);
    expect(again.stats?.cachedTokens).toBe(13);
    expect(continued).toEqual(await idsOf(fresh, next, { maxTokens: 30 }));
    used.reset();
    expect(used.length).toBe(0);
    expect(await idsOf(used, next, { maxTokens: 30 })).toEqual(continued);
  });

  it('ends before a stop string, shows nothing of it, and holds what was shown', async () => {
    await using session = model.createSession();
    const whole = await session.generate('Once upon a time', { maxTokens: 80 }).text();
    const stop = whole.slice(30, 37);
    const generation = session.generate('Once upon a time', { maxTokens: 80, stop: ['never to be seen', stop] });
    expect(await generation.text()).toBe(whole.slice(0, whole.indexOf(stop)));
    expect(generation.finishReason).toBe('stop');
    const { promptTokens, generatedTokens } = generation.stats as { promptTokens: number; generatedTokens: number };
    expect(generatedTokens).toBeLessThan(80);
    expect(session.length).toBe(promptTokens + generatedTokens - 1);
  });

  it('throws the reason of an abort and stays usable', async () => {
    await using session = model.createSession();
    const expected = await idsOf(session, prompt, { maxTokens: 200 });
    const controller = new AbortController();
    const reason = new Error('enough');
    let seen = 0;
    const generation = session.generate(prompt, { maxTokens: 400, signal: controller.signal });
    const run = (async () => {
      for await (const _ of generation) if (++seen === 3) controller.abort(reason);
    })();
    await expect(run).rejects.toBe(reason);
    expect(seen).toBeGreaterThanOrEqual(3);
    expect(generation.finishReason).toBeUndefined();
    expect(await idsOf(session, prompt, { maxTokens: 200 })).toEqual(expected);
    await expect(session.generate(prompt, { signal: AbortSignal.abort(reason) }).text()).rejects.toBe(reason);
  });

  it('stops when the loop is left', async () => {
    await using session = model.createSession();
    const generation = session.generate(prompt, { maxTokens: 400 });
    for await (const _ of generation) break;
    expect(generation.finishReason).toBe('stop');
    expect(generation.stats?.generatedTokens).toBe(1);
    expect(session.length).toBe(4);
    expect(await session.generate(prompt, { maxTokens: 1 }).text()).not.toBe('');
  });

  it('passes on the error of a token that cannot be decoded', async () => {
    await using session = model.createSession();
    const reason = new Error('no such token');
    const push = vi.fn(() => {
      if (push.mock.calls.length > 3) throw reason;
      return 'x';
    });
    const spy = vi.spyOn(model.tokenizer, 'decodeStream').mockReturnValue({ push, end: () => '' } as never);
    try {
      const seen: string[] = [];
      const run = (async () => {
        for await (const token of session.generate(prompt, { maxTokens: 200 })) seen.push(token.text);
      })();
      await expect(run).rejects.toBe(reason);
      expect(seen).toEqual(['x', 'x', 'x']);
    } finally {
      spy.mockRestore();
    }
    expect(await session.generate(prompt, { maxTokens: 1 }).text()).not.toBe('');
  });

  it('takes a prompt as text, with special tokens added, or as ids', async () => {
    await using session = model.createSession();
    expect(await idsOf(session, 'Zoo', { maxTokens: 16 })).toEqual(await idsOf(session, prompt, { maxTokens: 16 }));
    expect(await idsOf(session, new Uint32Array(prompt) as never, { maxTokens: 4 })).toEqual(
      await idsOf(session, prompt, { maxTokens: 4 }),
    );
  });

  it('runs sessions of one model side by side with the same results', async () => {
    const seeds = [1, 2, 3, 4];
    const alone: number[][] = [];
    for (const seed of seeds) {
      await using session = model.createSession();
      alone.push(await idsOf(session, prompt, { ...hot, seed, maxTokens: 100 }));
    }
    const together = await Promise.all(
      seeds.map(async (seed) => {
        await using session = model.createSession();
        return idsOf(session, prompt, { ...hot, seed, maxTokens: 100 });
      }),
    );
    expect(together).toEqual(alone);
  });

  it('refuses a second call while one runs', async () => {
    await using session = model.createSession();
    const first = session.generate(prompt, { maxTokens: 50 });
    expect(() => session.generate(prompt)).toThrow(InvalidArgumentError);
    expect(() => session.reset()).toThrow(InvalidArgumentError);
    await first.text();
    expect(await session.generate(prompt, { maxTokens: 1 }).text()).not.toBe('');
  });

  it('waits with dispose until a running reply has ended', async () => {
    const session = model.createSession();
    const generation = session.generate(prompt, { maxTokens: 50 });
    await session.dispose();
    expect(generation.stats?.generatedTokens).toBe(50);
    expect(await generation.text()).not.toBe('');
    expect(() => session.generate(prompt)).toThrow(/disposed/);
    expect(() => session.length).toThrow(/disposed/);
  });

  it('refuses a question longer than its context and ends a reply that fills it', async () => {
    await using session = model.createSession({ contextSize: 32 });
    expect(session.contextSize).toBe(32);
    const long = session.generate(new Array(32).fill(410));
    await expect(long.text()).rejects.toBeInstanceOf(LimitExceededError);
    const generation = session.generate(prompt, { maxTokens: 1000 });
    await generation.text();
    expect(generation.finishReason).toBe('length');
    expect(generation.stats?.generatedTokens).toBe(28);
  });

  it('names options and prompts outside their range at once', async () => {
    await using session = model.createSession();
    const wrong: [GenerateOptions, string][] = [
      [{ maxTokens: -1 }, 'maxTokens'],
      [{ maxTokens: 0 }, 'maxTokens'],
      [{ maxTokens: 1.5 }, 'maxTokens'],
      [{ temperature: Number.NaN }, 'temperature'],
      [{ temperature: -0.1 }, 'temperature'],
      [{ temperature: Number.POSITIVE_INFINITY }, 'temperature'],
      [{ topK: -1 }, 'topK'],
      [{ topP: 0 }, 'topP'],
      [{ topP: 1.01 }, 'topP'],
      [{ seed: -1 }, 'seed'],
      [{ seed: 2 ** 53 }, 'seed'],
      [{ stop: '' }, 'stop'],
      [{ stop: [1 as never] }, 'stop'],
      [{ signal: {} as never }, 'signal'],
    ];
    for (const [options, field] of wrong) {
      const call = () => session.generate(prompt, options);
      expect(call, field).toThrow(InvalidArgumentError);
      expect(call).toThrow(expect.objectContaining({ field }));
    }
    for (const ids of [[], [512], [-1], [0.5], null, {}, 7])
      expect(() => session.generate(ids as never)).toThrow(InvalidArgumentError);
  });
});
