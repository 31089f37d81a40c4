// The command line, through the built program where there is one.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InvalidArgumentError } from '@x/cuda-core';
import { expect, test } from 'vitest';
import { numberOption } from './options';

const program = join(import.meta.dirname, '..', 'dist', 'main.js');
const demo = (...args: string[]) => spawnSync(process.execPath, [program, ...args], { encoding: 'utf8' });

test('numbers are read strictly', () => {
  const count = numberOption('questions', { integer: true, min: 1 });
  expect(count('600')).toBe(600);
  for (const text of ['', ' ', '1.5', '0', '-3', 'many', 'NaN', 'Infinity', '1e99']) {
    expect(() => count(text)).toThrow(InvalidArgumentError);
  }
  expect(() => numberOption('lambda', { min: 0, max: 1 })('1.5')).toThrow('--lambda takes a number from 0 to 1');
});

test('--json prints figures only, and the report is written where it is wanted', () => {
  const report = join(mkdtempSync(join(tmpdir(), 'gateway-')), 'r.html');
  const { status, stdout } = demo('--questions', '10', '--json', '--report', report);
  expect(status).toBe(0);
  const { seeds } = JSON.parse(stdout);
  expect(seeds.length).toBe(1);
  expect(seeds[0].rows[0]).toMatchObject({ name: 'routed', questions: 10 });
  expect(readFileSync(report, 'utf8')).toContain('</html>');
});

test('a wrong device, a wrong number and a missing pool are one line and exit code 1', () => {
  for (const [args, message] of [
    [['--device', 'tpu'], /X_INVALID_ARGUMENT: .*tpu/],
    [['--questions', 'many'], /X_INVALID_ARGUMENT: --questions/],
    [['--pool', '/nowhere'], /X_IO: .*nowhere/],
  ] as const) {
    const { status, stdout, stderr } = demo(...args);
    expect(status).toBe(1);
    expect(stdout).toBe('');
    expect(stderr).toMatch(message);
    expect(stderr).not.toContain('    at ');
  }
  expect(demo('--device', 'tpu', '--verbose').stderr).toContain('    at ');
});
