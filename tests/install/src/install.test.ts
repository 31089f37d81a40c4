// Publishing, proved: what a user gets from a registry, in empty folders, with npm and with pnpm.
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { foreignPackages, installedPackages, type Manifest, mustRun, Registry, run } from './registry';

const PACKAGES = ['active-inference', 'bpe-tokenizer', 'gguf-llm', 'gpu-monitor', 'te-router', 'thermo-consensus'];
const CORE = ['@x/cuda-core', '@x/cuda-core-linux-x64'];
const PNPM = ['--yes', 'pnpm@10.34.9'];

const registry = new Registry();
const unpacked = new Map<string, string>();

// A byte-level vocabulary small enough to read: "ab" merges, everything else stays bytes.
const TOKENIZER = JSON.stringify({
  model: { type: 'BPE', vocab: { a: 0, b: 1, c: 2, ab: 3 }, merges: ['a b'] },
  pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, use_regex: true },
  decoder: { type: 'ByteLevel' },
});
const ENCODE = `Array.from(Tokenizer.fromBytes(new TextEncoder().encode(${JSON.stringify(TOKENIZER)})).encode('abcab')).join()`;
const ESM = `import { Tokenizer } from '@x/bpe-tokenizer'; console.log(${ENCODE});`;
const CJS = `const { Tokenizer } = require('@x/bpe-tokenizer'); console.log(${ENCODE});`;

function evaluate(project: string, code: string, type = 'module') {
  const file = join(project, type === 'module' ? 'main.mjs' : 'main.cjs');
  writeFileSync(file, code);
  return run(process.execPath, [file], project);
}

beforeAll(async () => {
  await registry.start();
  for (const folder of ['cuda-core', 'cuda-core/platform/linux-x64', ...PACKAGES.map((p) => `packages/${p}`)]) {
    unpacked.set(folder, registry.pack(folder));
    registry.publish(unpacked.get(folder)!);
  }
}, 300_000);

afterAll(() => {
  for (const { name, version, bytes } of registry.published) {
    console.log(`${name}@${version}`.padEnd(36), `${(bytes / 1024).toFixed(0)} KiB`);
  }
  registry.stop();
});

// What the command lines and templates bring along, with all that it needs itself. A new name here is a choice, not an accident.
const COMMAND_LINE = [
  'ansi-regex',
  'cli-progress',
  'commander',
  'emoji-regex',
  'is-fullwidth-code-point',
  'string-width',
  'strip-ansi',
];
const FOREIGN: Record<string, string[]> = {
  '@x/bpe-tokenizer': ['@huggingface', ...COMMAND_LINE],
  '@x/te-router': ['hyparquet', 'papaparse', ...COMMAND_LINE],
};

describe('one package alone', () => {
  it.each(PACKAGES)('@x/%s installs with npm, brings only what it binds to, and loads', (name) => {
    const project = registry.project(`npm-${name}`);
    mustRun('npm', ['install', `@x/${name}`, '--no-audit', '--no-fund'], project);
    // A GGUF file holds its tokenizer, so the LLM package brings the tokenizer package.
    const own = name === 'gguf-llm' ? ['@x/bpe-tokenizer', '@x/gguf-llm'] : [`@x/${name}`];
    expect(installedPackages(project)).toEqual([...CORE, ...own].sort());
    expect(foreignPackages(project)).toEqual([...new Set(own.flatMap((p) => FOREIGN[p] ?? []))].sort());
    const loaded = evaluate(project, `import * as p from '@x/${name}'; console.log(Object.keys(p).length > 0);`);
    expect(loaded).toMatchObject({ status: 0, stdout: 'true\n' });
  });

  it('runs as ESM and as CommonJS', () => {
    const project = join(registry.folder, 'projects', 'npm-bpe-tokenizer');
    expect(evaluate(project, ESM)).toMatchObject({ status: 0, stdout: '3,2,3\n' });
    expect(evaluate(project, CJS, 'commonjs')).toMatchObject({ status: 0, stdout: '3,2,3\n' });
  });

  it('installs and runs with pnpm', () => {
    const project = registry.project('pnpm-bpe');
    mustRun('npx', [...PNPM, 'add', '@x/bpe-tokenizer'], project);
    expect(installedPackages(project)).toEqual([...CORE, '@x/bpe-tokenizer'].sort());
    expect(evaluate(project, ESM)).toMatchObject({ status: 0, stdout: '3,2,3\n' });
  });

  it('runs no install script', () => {
    for (const folder of unpacked.values()) {
      const { scripts = {} } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
      for (const hook of ['preinstall', 'install', 'postinstall', 'prepare']) expect(scripts).not.toHaveProperty(hook);
      expect(readdirSync(folder)).not.toContain('binding.gyp'); // npm would compile it without being asked
    }
  });
});

describe('two versions of the core in one tree', () => {
  it('live side by side in one process, each package with its own', () => {
    const bump = (m: Manifest) => {
      m.version = '0.2.0';
      for (const group of [m.dependencies ?? {}, m.optionalDependencies ?? {}]) {
        for (const name of Object.keys(group)) group[name] = '0.2.0';
      }
    };
    for (const folder of ['cuda-core', 'cuda-core/platform/linux-x64', 'packages/gpu-monitor']) {
      registry.publish(unpacked.get(folder)!, bump);
    }
    const project = registry.project('two-cores');
    mustRun('npm', ['install', '@x/bpe-tokenizer@0.1.0', '@x/gpu-monitor@0.2.0', '--no-audit', '--no-fund'], project);
    const result = evaluate(
      project,
      `import { readFileSync } from 'node:fs';
       import { Tokenizer } from '@x/bpe-tokenizer';
       import { Monitor } from '@x/gpu-monitor';
       console.log(${ENCODE});
       const monitor = new Monitor({ intervalMs: 50 });
       console.log((await monitor.sample()) !== undefined);
       monitor.stop();
       const maps = readFileSync('/proc/self/maps', 'utf8');
       console.log(new Set(maps.match(/\\S*xcore\\.node/g)).size);`,
    );
    expect(result).toMatchObject({ status: 0, stdout: '3,2,3\ntrue\n2\n' });
  });
});

describe('worker threads', () => {
  it('load, use and leave the native code in any order', () => {
    const project = join(registry.folder, 'projects', 'npm-bpe-tokenizer');
    writeFileSync(
      join(project, 'worker.mjs'),
      `import { parentPort, workerData } from 'node:worker_threads';
       import { Tokenizer } from '@x/bpe-tokenizer';
       parentPort.postMessage(${ENCODE});
       if (workerData % 3 === 0) process.exit(0);`,
    );
    const result = evaluate(
      project,
      `import { Worker } from 'node:worker_threads';
       for (let round = 0; round < 5; round++) {
         const answers = await Promise.all([0, 1, 2, 3].map((i) => new Promise((resolve, reject) => {
           const worker = new Worker(new URL('./worker.mjs', import.meta.url), { workerData: i + round });
           let answer;
           worker.on('message', (m) => { answer = m; });
           worker.on('error', reject);
           worker.on('exit', () => resolve(answer));
         })));
         // A worker that calls process.exit at once may end before its message leaves it.
         if (answers.some((a) => a !== undefined && a !== '3,2,3')) throw new Error(answers.join(' | '));
       }
       console.log('ok');`,
    );
    expect(result).toMatchObject({ status: 0, stdout: 'ok\n' });
  });
});

describe('without a prebuilt binary', () => {
  it('the error of an addon holds the command that builds it, and the command works', () => {
    const project = registry.project('no-addon');
    mustRun('npm', ['install', '@x/bpe-tokenizer', '--no-audit', '--no-fund'], project);
    rmSync(join(project, 'node_modules', '@x', 'bpe-tokenizer', 'prebuilds'), { recursive: true });
    const broken = evaluate(project, ESM);
    expect(broken.status).not.toBe(0);
    expect(broken.stderr).toContain('X_NATIVE_LOAD');
    const command = /node "([^"]*x-build\.mjs)" "([^"]*)"/.exec(broken.stderr);
    expect(command).not.toBeNull();
    mustRun(process.execPath, [command![1]!, command![2]!], project);
    expect(evaluate(project, ESM)).toMatchObject({ status: 0, stdout: '3,2,3\n' });
  });

  it('the error of the core holds the command that builds it, and the command works', () => {
    const project = registry.project('no-core');
    mustRun('npm', ['install', '@x/bpe-tokenizer', '--no-audit', '--no-fund', '--omit=optional'], project);
    const broken = evaluate(project, ESM);
    expect(broken.status).not.toBe(0);
    expect(broken.stderr).toContain('npm install @x/cuda-core-linux-x64');
    const command = /node "([^"]*x-build\.mjs)" "([^"]*)"/.exec(broken.stderr);
    expect(command).not.toBeNull();
    // The published sources are complete: the domain in use builds from them. The other domains only cost time here.
    mustRun(process.execPath, [command![1]!, command![2]!], project, {
      XCORE_MODULES: 'runtime;gguf;tokenizer',
      XCORE_CUDA: 'OFF',
    });
    expect(evaluate(project, ESM)).toMatchObject({ status: 0, stdout: '3,2,3\n' });
  });
});
