// Finds and loads xcore.node: this folder's own build first, then the platform package.
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeNativeError, NativeLoadError } from './errors';

export interface NativeDevice {
  kind: number;
  index: number;
}

export interface NativeDeviceInfo extends NativeDevice {
  name: string;
  uuid: string;
  memoryTotalBytes: number;
  memoryFreeBytes: number;
  computeMajor: number;
  computeMinor: number;
  processors: number;
  features: string;
}

export interface NativeEvent extends NativeDevice {
  op: string;
  reason: string;
  durationMs: number;
  bytes: number;
}

export interface NativeCore {
  version: string;
  setErrorFactory(factory: typeof makeNativeError): void;
  table(domain: string, abi: number): object;
  devices(): NativeDeviceInfo[];
  cudaUnavailableReason(): string;
  resolveDevice(device: NativeDevice, pays: boolean): NativeDevice;
  threadCount(): number;
  setThreadCount(threads: number): void;
  setListener(kind: number, listener?: (event: NativeEvent) => void): void;
}

export const platform = `${process.platform}-${process.arch}`;

/** The folder of the package `name` that contains the module at `from` (a file URL). */
export function packageFolder(name: string, from: string): string {
  let folder: string;
  try {
    folder = dirname(fileURLToPath(from));
  } catch (cause) {
    throw new NativeLoadError(
      `${name} was bundled, so it cannot find its native part. Keep @x packages external, e.g. esbuild --external:@x/*.`,
      { cause },
    );
  }
  for (let at = folder; ; at = dirname(at)) {
    try {
      if (JSON.parse(readFileSync(join(at, 'package.json'), 'utf8')).name === name) return at;
    } catch {
      // No package.json here: look further up.
    }
    if (dirname(at) === at) {
      throw new NativeLoadError(
        `${name} runs from ${folder}, outside its own package, so it cannot find its native part. If a bundler moved ` +
          'it, keep @x packages external, e.g. esbuild --external:@x/*.',
      );
    }
  }
}

const coreFolder = packageFolder('@x/cuda-core', import.meta.url);

function isMusl(): boolean {
  if (process.platform !== 'linux') return false;
  const report = process.report?.getReport() as { header?: { glibcVersionRuntime?: string } } | undefined;
  return report?.header !== undefined && report.header.glibcVersionRuntime === undefined;
}

/** Loads the first of `candidates` that exists, or says what was tried and which command repairs it. */
export function loadNative<T>(name: string, folder: string, candidates: string[]): T {
  const require = createRequire(join(folder, 'package.json'));
  const tried: string[] = [];
  let cause: unknown;
  for (const candidate of candidates) {
    if (!existsSync(candidate)) {
      tried.push(`${candidate}: not there`);
      continue;
    }
    try {
      return require(candidate) as T;
    } catch (error) {
      cause = error;
      tried.push(`${candidate}: ${(error as Error).message}`);
    }
  }
  const system = `${platform}${isMusl() ? ' (musl)' : ''}, Node ${process.versions.node}`;
  throw new NativeLoadError(
    [
      `Could not load the native part of ${name} on ${system}.`,
      ...tried.map((line) => `  - ${line}`),
      'Build it from source (needs a C++17 compiler and CMake; uses CUDA when nvcc is installed):',
      '',
      `    node "${join(coreFolder, 'bin', 'x-build.mjs')}" "${folder}"`,
      '',
      name === '@x/cuda-core'
        ? `or install the prebuilt core if your package manager skipped optional dependencies: npm install @x/cuda-core-${platform}`
        : `or reinstall ${name} if its prebuilds folder was removed.`,
    ].join('\n'),
    { cause },
  );
}

function coreCandidates(): string[] {
  const candidates = [join(coreFolder, 'prebuilds', platform, 'xcore.node')];
  try {
    candidates.push(createRequire(join(coreFolder, 'package.json')).resolve(`@x/cuda-core-${platform}/xcore.node`));
  } catch {
    candidates.push(`@x/cuda-core-${platform}/xcore.node`);
  }
  return candidates;
}

function load(): NativeCore {
  const core = loadNative<NativeCore>('@x/cuda-core', coreFolder, coreCandidates());
  core.setErrorFactory(makeNativeError);
  return core;
}

export const native: NativeCore = load();
