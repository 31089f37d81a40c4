import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InvalidArgumentError, InvalidFormatError, IoError, NotFoundError, UnsupportedError } from '@x/cuda-core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Consensus, type ConsensusOptions, schedules } from '../index';

let folder = '';
let path = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'thermo-'));
  path = join(folder, 'state.json');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const MODELS = [
  { name: 'small', cost: 1, latency: 2 },
  { name: 'large', cost: 9, latency: 3 },
];
const make = (options: Partial<ConsensusOptions> = {}) =>
  new Consensus({ models: MODELS, seed: 5, learning: { forgetting: 0.95 }, ...options });

function play(consensus: Consensus, from: number, to: number) {
  const decisions: object[] = [];
  for (let i = from; i < to; i++) {
    const decision = consensus.choose({ domain: i % 3 });
    const success = (i * 7) % 5 < 3;
    consensus.observe({ decision, success, latency: 1 + (i % 4), utility: Number(success) - 0.1 * (i % 3) });
    decisions.push(decision.toJSON());
  }
  return decisions;
}

/** A file whose checksum is right, with the state replaced in part by what `edit` gives. */
async function forge(edit: (state: Record<string, unknown>) => object) {
  const [head, body] = (await readFile(path, 'utf8')).split('\n');
  const state = JSON.parse(body!);
  const text = JSON.stringify({ ...state, ...edit(state) });
  const sha256 = createHash('sha256').update(text).digest('hex');
  await writeFile(path, `${JSON.stringify({ ...JSON.parse(head!), sha256 })}\n${text}\n`);
}

describe('save and load', () => {
  it.each<[string, Partial<ConsensusOptions>]>([
    ['boltzmann', { selection: 'boltzmann' }],
    ['thompson', { selection: 'thompson', energy: { latency: 0.2, uncertainty: 0.5 } }],
    ['adaptive', { schedule: schedules.adaptive({ start: 3 }) }],
    [
      'everything learnt',
      {
        selection: 'boltzmann',
        schedule: schedules.constant(0.1),
        energy: { latency: 0.1, risk: 0.2 },
        learning: { changeDetection: true, pooling: 'auto', weights: { rate: 0.05 } },
      },
    ],
    ['top-two', { selection: 'top-two' }],
    ['infinite temperature', { schedule: schedules.constant(Number.POSITIVE_INFINITY) }],
  ])('%s: the choices continue exactly', async (_name, options) => {
    const original = make(options);
    play(original, 0, 150);
    await original.save(path);
    const loaded = await Consensus.load(path);
    expect(loaded.step).toBe(150);
    expect(play(loaded, 150, 300)).toEqual(play(original, 150, 300));
  });

  it('what the first version wrote is read, and choices go on from it', async () => {
    const original = make({ energy: { uncertainty: 0.3 } });
    for (let i = 0; i < 40; i++) original.observe({ model: 'small', domain: i % 2, success: i % 3 > 0 });
    await original.save(path);
    await forge((s) => {
      const { beliefs, latencies, billed, utilities, previous, entropyProduction, ...kept } = s;
      const { totals, domains } = beliefs as Record<string, unknown>;
      return { ...kept, totals, domains, beliefs: undefined, latencies: undefined, billed: undefined };
    });
    const [head, body] = (await readFile(path, 'utf8')).split('\n');
    await writeFile(path, `${JSON.stringify({ ...JSON.parse(head!), version: 1 })}\n${body}\n`);
    const loaded = await Consensus.load(path);
    expect(loaded.posterior('small', 1).mean).toBe(original.posterior('small', 1).mean);
    expect(play(loaded, 0, 20)).toEqual(play(original, 0, 20));
  });

  it('a process that is killed while it saves leaves a file that loads', async () => {
    const original = make();
    play(original, 0, 200);
    await original.save(path);
    const script = `
      const { Consensus } = await import(${JSON.stringify(new URL('../../dist/index.js', import.meta.url).href)});
      const consensus = await Consensus.load(${JSON.stringify(path)});
      process.stdout.write('ready');
      for (;;) { consensus.choose(); await consensus.save(${JSON.stringify(path)}); }`;
    for (const wait of [0, 7, 19, 40]) {
      const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await new Promise((resolve) => child.stdout.once('data', resolve));
      await new Promise((resolve) => setTimeout(resolve, wait));
      child.kill('SIGKILL');
      await new Promise((resolve) => child.once('close', resolve));
      expect((await Consensus.load(path)).step).toBeGreaterThanOrEqual(200);
    }
  });

  it('a user-defined schedule is given to load again', async () => {
    const schedule = (step: number) => 1 / (1 + step);
    const original = make({ schedule });
    play(original, 0, 20);
    await original.save(path);
    await expect(Consensus.load(path)).rejects.toThrow(InvalidArgumentError);
    const loaded = await Consensus.load(path, { schedule });
    expect(play(loaded, 20, 60)).toEqual(play(original, 20, 60));
  });

  it('replaces the file as a whole, leaves nothing else behind, and the last save called stays', async () => {
    const consensus = make();
    const saves = [];
    for (let i = 0; i < 5; i++) {
      play(consensus, i * 10, i * 10 + 10);
      saves.push(consensus.save(path));
    }
    await Promise.all(saves);
    expect(await readdir(folder)).toEqual(['state.json']);
    expect((await Consensus.load(path)).step).toBe(50);
  });

  it('a failed save keeps the old file and does not block later ones', async () => {
    const consensus = make();
    await consensus.save(path);
    await expect(consensus.save(join(folder, 'absent', 'state.json'))).rejects.toThrow(IoError);
    await expect(consensus.save('')).rejects.toThrow(InvalidArgumentError);
    play(consensus, 0, 3);
    await consensus.save(path);
    expect((await Consensus.load(path)).step).toBe(3);
  });
});

describe('bad files', () => {
  it('a missing file and a folder are told apart', async () => {
    await expect(Consensus.load(path)).rejects.toThrow(NotFoundError);
    await mkdir(path);
    await expect(Consensus.load(path)).rejects.toThrow(IoError);
  });

  it('any truncation is found', async () => {
    const consensus = make();
    play(consensus, 0, 10);
    await consensus.save(path);
    const whole = await readFile(path);
    for (let length = 0; length < whole.length - 1; length += 17) {
      await writeFile(path, whole.subarray(0, length));
      await expect(Consensus.load(path), `cut at ${length}`).rejects.toThrow(InvalidFormatError);
    }
  });

  it('any changed byte is found', async () => {
    await make().save(path);
    const whole = await readFile(path);
    for (let i = 0; i < whole.length - 1; i += 5) {
      const changed = Buffer.from(whole);
      changed[i]! ^= 1;
      await writeFile(path, changed);
      const error = await Consensus.load(path).then(
        () => undefined,
        (e) => e,
      );
      // A changed digit of the version asks for another version, which is right.
      expect(error instanceof InvalidFormatError || error instanceof UnsupportedError, `byte ${i}`).toBe(true);
      expect(error.field).toBe(path);
    }
  });

  it('a later version is named as such', async () => {
    await writeFile(path, '{"format":"@x/thermo-consensus","version":4,"sha256":""}\n{}\n');
    await expect(Consensus.load(path)).rejects.toThrow(UnsupportedError);
  });

  it.each<[string, (state: Record<string, unknown>) => object]>([
    ['no models', () => ({ models: [] })],
    ['models that are no array', () => ({ models: 5 })],
    ['a negative cost', () => ({ models: [{ name: 'small', cost: -1 }, MODELS[1]] })],
    [
      'negative counts',
      (s) => ({ beliefs: { ...(s.beliefs as object), totals: { successes: [-1, 0], failures: [0, 0] } } }),
    ],
    [
      'counts that are no numbers',
      (s) => ({ beliefs: { ...(s.beliefs as object), totals: { successes: ['1', 0], failures: [0, 0] } } }),
    ],
    [
      'too few counts',
      (s) => ({ beliefs: { ...(s.beliefs as object), domains: [['x', { successes: [1], failures: [0, 0] }]] } }),
    ],
    [
      'a domain twice',
      (s) => {
        const beliefs = s.beliefs as { domains: [] };
        return { beliefs: { ...beliefs, domains: [...beliefs.domains, ...beliefs.domains] } };
      },
    ],
    ['a domain that is none', (s) => ({ beliefs: { ...(s.beliefs as object), domains: [5] } })],
    ['too few latencies', () => ({ latencies: [] })],
    [
      'impossible detectors',
      (s) => ({ beliefs: { ...(s.beliefs as object), detectors: [['x', 9, { older: [0, 0], recent: [] }]] } }),
    ],
    ['a broken step', () => ({ step: 1.5 })],
    ['a negative temperature', () => ({ heat: '-1' })],
    ['no learning', () => ({ learning: undefined })],
    ['an unknown selection', () => ({ selection: 'best' })],
    ['no schedule', () => ({ schedule: null })],
    ['a broken schedule', () => ({ schedule: { kind: 'linear', options: { start: -1 } } })],
  ])('a state with %s is refused even with a right checksum', async (_name, edit) => {
    const consensus = make();
    play(consensus, 0, 5);
    await consensus.save(path);
    await forge(edit);
    await expect(Consensus.load(path)).rejects.toThrow(InvalidFormatError);
  });
});
