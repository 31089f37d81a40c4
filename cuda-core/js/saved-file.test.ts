import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { InvalidArgumentError, InvalidFormatError, IoError, NotFoundError, UnsupportedError } from './errors';
import { readSaved, writeSaved } from './saved-file';

const FORMAT = { format: 'test state', version: 3 };
const STATE = { name: 'Grüße', values: [1, 2.5, null] };
let folder = '';
let path = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'saved-'));
  path = join(folder, 'state.json');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

it('reads what was written, and leaves nothing else in the folder', async () => {
  await writeSaved(path, FORMAT, { old: true });
  await writeSaved(path, FORMAT, STATE);
  expect(await readSaved(path, FORMAT)).toEqual(STATE);
  expect(await readdir(folder)).toEqual(['state.json']);
});

it('passes values through the hooks of JSON', async () => {
  await writeSaved(path, FORMAT, { big: 7n }, (_key, value) => (typeof value === 'bigint' ? `${value}n` : value));
  expect(await readSaved(path, FORMAT, (_key, value) => (value === '7n' ? 7n : value))).toEqual({ big: 7n });
});

it('a failed write keeps the old file', async () => {
  await writeSaved(path, FORMAT, STATE);
  await mkdir(join(folder, 'taken'));
  await expect(writeSaved(join(folder, 'taken'), FORMAT, STATE)).rejects.toBeInstanceOf(IoError);
  await expect(writeSaved(join(folder, 'absent', 'x'), FORMAT, STATE)).rejects.toBeInstanceOf(IoError);
  expect(await readSaved(path, FORMAT)).toEqual(STATE);
  expect((await readdir(folder)).sort()).toEqual(['state.json', 'taken']);
});

it('finds every truncation and every changed byte', async () => {
  await writeSaved(path, FORMAT, STATE);
  const whole = await readFile(path);
  for (let i = 0; i < whole.length - 1; i++) {
    await writeFile(path, whole.subarray(0, i));
    await expect(readSaved(path, FORMAT), `cut at ${i}`).rejects.toBeInstanceOf(InvalidFormatError);
    const changed = Buffer.from(whole);
    changed[i]! ^= 1;
    await writeFile(path, changed);
    // A changed digit of the version asks for another version, which is right.
    await expect(readSaved(path, FORMAT), `byte ${i}`).rejects.toMatchObject({
      code: expect.stringMatching(/^X_(INVALID_FORMAT|UNSUPPORTED)$/),
      field: path,
    });
  }
});

it('tells a missing file, a folder, another format and another version apart', async () => {
  await expect(readSaved(path, FORMAT)).rejects.toBeInstanceOf(NotFoundError);
  await expect(readSaved(folder, FORMAT)).rejects.toBeInstanceOf(IoError);
  await writeSaved(path, FORMAT, STATE);
  await expect(readSaved(path, { ...FORMAT, format: 'other' })).rejects.toBeInstanceOf(InvalidFormatError);
  await expect(readSaved(path, { ...FORMAT, version: 4 })).rejects.toBeInstanceOf(UnsupportedError);
  for (const bad of ['', 3, undefined]) {
    await expect(readSaved(bad as never, FORMAT)).rejects.toBeInstanceOf(InvalidArgumentError);
    await expect(writeSaved(bad as never, FORMAT, STATE)).rejects.toBeInstanceOf(InvalidArgumentError);
  }
});
