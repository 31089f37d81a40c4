import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { loadAddon, parseDevice, runJob } from './addon';
import {
  cudaUnavailableReason,
  DeviceUnavailableError,
  devices,
  events,
  InvalidArgumentError,
  IoError,
  resolveDevice,
  setThreads,
  threads,
  XError,
} from './index';
import { native } from './native';

const hasCuda = devices().length > 1;

describe('devices', () => {
  it('lists the CPU first, with its features', () => {
    const [cpu] = devices();
    expect(cpu).toMatchObject({ device: 'cpu', uuid: undefined, computeCapability: undefined });
    expect(cpu!.processors).toBeGreaterThan(0);
    expect(cpu!.features.length).toBeGreaterThan(0);
  });

  it('resolves auto by whether the work pays', () => {
    expect(resolveDevice('auto', { pays: false })).toBe('cpu');
    expect(resolveDevice('auto')).toBe(hasCuda ? 'cuda:0' : 'cpu');
  });

  it('names cause and remedy when an explicit CUDA device is not there', () => {
    expect(cudaUnavailableReason() === undefined).toBe(hasCuda);
    try {
      resolveDevice('cuda:99');
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(DeviceUnavailableError);
      expect((error as XError).code).toBe('X_DEVICE_UNAVAILABLE');
      expect((error as XError).field).toBe('device');
    }
  });

  it.each(['gpu', 'cuda:', 'cuda:-1', 'cuda:x', 'CPU', 3, null])('refuses %j as a device', (device) => {
    expect(() => parseDevice(device as never)).toThrow(InvalidArgumentError);
  });

  it('sets and checks the number of threads', () => {
    const before = threads();
    setThreads(3);
    expect(threads()).toBe(3);
    setThreads(before);
    for (const bad of [0, 257, 1.5, Number.NaN, '3' as never])
      expect(() => setThreads(bad)).toThrow(InvalidArgumentError);
  });
});

describe('errors', () => {
  it('are told apart by class and by code', () => {
    const error = new IoError('disk full', { field: '/a/file', offset: 12 });
    expect(error).toBeInstanceOf(XError);
    expect(error).toBeInstanceOf(Error);
    expect(error).not.toBeInstanceOf(InvalidArgumentError);
    expect(error).toMatchObject({ name: 'IoError', code: 'X_IO', field: '/a/file', offset: 12 });
    expect(new Error('plain')).not.toBeInstanceOf(XError);
  });

  it('of native code are of the same classes', () => {
    expect(() => native.resolveDevice({ kind: 9, index: 0 }, true)).toThrow(InvalidArgumentError);
    expect(() => native.table('nonsense', 1)).toThrow(/no 'nonsense' table/);
    expect(() => native.table(7 as never, 1)).toThrow(InvalidArgumentError);
  });
});

describe('loadAddon', () => {
  it('says what was tried and which command builds the missing part', () => {
    try {
      // The core has no addon.node of its own, so this is a package without a prebuilt addon.
      loadAddon({ package: '@x/cuda-core', from: import.meta.url, domain: 'core', abi: 1 });
      expect.unreachable();
    } catch (error) {
      expect((error as XError).code).toBe('X_NATIVE_LOAD');
      expect((error as XError).message).toContain('x-build.mjs');
      expect((error as XError).message).toContain('not there');
    }
  });

  it('tells a bundled package from an installed one', () => {
    expect(() => loadAddon({ package: '@x/elsewhere', from: import.meta.url, domain: 'core', abi: 1 })).toThrow(
      /--external:@x/,
    );
  });
});

describe('runJob', () => {
  it('passes progress and result through', async () => {
    const seen: number[] = [];
    const result = await runJob({ onProgress: (done) => seen.push(done) }, async (control) => {
      control.onProgress?.(1, 2);
      return 'done';
    });
    expect(result).toBe('done');
    expect(seen).toEqual([1]);
  });

  it('does not start when the signal is aborted already', async () => {
    const reason = new Error('changed my mind');
    let called = false;
    await expect(
      runJob({ signal: AbortSignal.abort(reason) }, async () => {
        called = true;
      }),
    ).rejects.toBe(reason);
    expect(called).toBe(false);
  });

  it.each([{ signal: {} }, { signal: null }, { onProgress: 3 }])('refuses %j before it starts', async (options) => {
    await expect(runJob(options as never, () => expect.unreachable())).rejects.toBeInstanceOf(InvalidArgumentError);
  });
});

describe('events', () => {
  it('listen and stop listening, here and in a worker that ends', async () => {
    const listener = () => {};
    events.on('timing', listener);
    events.on('fallback', listener);
    events.off('timing', listener);
    events.off('fallback', listener);
    const code = `
      import('${new URL('../dist/index.js', import.meta.url).href}').then(({ events, devices }) => {
        events.on('timing', () => {});
        events.on('fallback', () => {});
        if (devices()[0].device !== 'cpu') throw new Error('no CPU');
      });`;
    for (let i = 0; i < 5; i++) {
      const exit = await new Promise((resolve, reject) => {
        new Worker(code, { eval: true }).on('exit', resolve).on('error', reject);
      });
      expect(exit).toBe(0);
    }
  });
});
