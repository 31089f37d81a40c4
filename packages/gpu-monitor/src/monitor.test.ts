import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { InvalidArgumentError } from '@x/cuda-core';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { Monitor, type Sample } from './index';

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

function withNvml(library: string, script = ''): Monitor {
  process.env.XCORE_NVML = library;
  process.env.FAKE_NVML = script;
  return new Monitor({ pcie: true });
}

afterEach(() => {
  delete process.env.XCORE_NVML;
  delete process.env.FAKE_NVML;
});

describe('the host', () => {
  it('has plausible figures, also on a machine without a GPU', async () => {
    using monitor = withNvml('/nowhere/libnvidia-ml.so.1');
    const { timestampMs, host, gpus } = await monitor.sample();
    expect(Math.abs(timestampMs - Date.now())).toBeLessThan(60_000);
    expect(host.coreUtilisation.length).toBeGreaterThan(0);
    expect(host.memoryTotalBytes).toBeGreaterThan(host.memoryUsedBytes!);
    expect(host.processMemoryBytes).toBeGreaterThan(1e6);
    expect(gpus).toEqual([]);
    expect(monitor.devices).toEqual([]);
    expect(monitor.gpuUnavailableReason).toContain('/nowhere/libnvidia-ml.so.1');
    expect(monitor.driverVersion).toBeUndefined();
  });

  it('sees the CPU time of this process', async () => {
    using monitor = new Monitor();
    await monitor.sample();
    for (const end = performance.now() + 200; performance.now() < end; );
    const { host } = await monitor.sample();
    expect(host.processCpuCores).toBeGreaterThan(0.05);
    expect(host.cpuUtilisation).toBeGreaterThan(0);
    expect(host.cpuUtilisation).toBeLessThanOrEqual(1);
  });
});

describe('the iterator', () => {
  it('samples at the interval until the loop is left, and remembers as much as asked', async () => {
    using monitor = new Monitor({ intervalMs: 20, history: 3 });
    const seen: Sample[] = [];
    for await (const sample of monitor) {
      seen.push(sample);
      if (seen.length === 5) break;
    }
    // Timers may fire late but not early (5 ms for the clocks' grain).
    expect(seen[4]!.timestampMs - seen[0]!.timestampMs).toBeGreaterThanOrEqual(4 * 20 - 20 - 5);
    expect(monitor.history).toEqual(seen.slice(-3));
    expect(monitor.stopped).toBe(false);
  });

  it('drops samples for a slow consumer instead of piling them up', async () => {
    using monitor = new Monitor({ intervalMs: 10 });
    let count = 0;
    for await (const _ of monitor) {
      await pause(100);
      if (++count === 3) break;
    }
    expect(monitor.history.length).toBe(3); // thirty intervals passed
  });

  it('ends at once when its signal aborts, also in the middle of an interval', async () => {
    const abort = new AbortController();
    const monitor = new Monitor({ intervalMs: 86_400_000, signal: abort.signal });
    let count = 0;
    for await (const _ of monitor) {
      count++;
      setTimeout(() => abort.abort(), 10);
    }
    expect(count).toBe(1);
    expect(monitor.stopped).toBe(true);
    await expect(monitor.sample()).rejects.toThrow(InvalidArgumentError);
    expect(monitor.summary().samples).toBe(1);
  });

  it('yields nothing when the signal was aborted before', async () => {
    const monitor = new Monitor({ signal: AbortSignal.abort() });
    for await (const _ of monitor) expect.unreachable();
    monitor.stop();
  });

  it('may be stopped while a sample is being taken', async () => {
    const monitor = new Monitor();
    const pending = monitor.sample();
    monitor.stop();
    expect((await pending).host.memoryTotalBytes).toBeGreaterThan(0);
  });
});

describe('calls', () => {
  it('that overlap share one sample', async () => {
    using monitor = new Monitor();
    const [a, b] = await Promise.all([monitor.sample(), monitor.sample()]);
    expect(a).toBe(b);
    expect(monitor.history.length).toBe(1);
  });

  it('with options out of range are refused by name', () => {
    for (const options of [{ intervalMs: 0 }, { intervalMs: Number.NaN }, { history: -1 }, { history: 1.5 }]) {
      expect(() => new Monitor(options)).toThrow(InvalidArgumentError);
      expect(() => new Monitor(options)).toThrow(Object.keys(options)[0]!);
    }
  });
});

// The scripted NVML of the core's own tests, compiled here: the compiler that built the addon is there.
const scratch = mkdtempSync(join(tmpdir(), 'x-fake-nvml-'));
const fake = join(scratch, 'fake_nvml.so');
const source = join(dirname(fileURLToPath(import.meta.url)), '../../../cuda-core/src/monitor/fake_nvml/fake_nvml.cpp');
execFileSync(process.env.CXX ?? 'c++', ['-std=c++17', '-shared', '-fPIC', '-o', fake, source]);
afterAll(() => rmSync(scratch, { recursive: true }));

describe('GPUs of a scripted NVML', () => {
  it('arrive with names, units and a summary', async () => {
    using monitor = withNvml(fake, 'gpus=2');
    expect(monitor.gpuUnavailableReason).toBeUndefined();
    expect(monitor.driverVersion).toBe('999.01');
    expect(monitor.devices).toEqual([
      { index: 0, name: 'Fake GPU 0', uuid: 'GPU-fake-0' },
      { index: 1, name: 'Fake GPU 1', uuid: 'GPU-fake-1' },
    ]);
    const { gpus } = await monitor.sample();
    expect(gpus[1]).toEqual({
      index: 1,
      name: 'Fake GPU 1',
      uuid: 'GPU-fake-1',
      status: 'ok',
      message: '',
      utilisation: 0.38,
      memoryUtilisation: 0.12,
      memoryTotalBytes: 16 * 2 ** 30,
      memoryUsedBytes: 3 * 2 ** 30,
      temperatureCelsius: 51,
      powerWatts: 123.456,
      powerLimitWatts: 700,
      energyJoules: 5,
      graphicsClockHz: 1.5e9,
      smClockHz: 1.515e9,
      memoryClockHz: 2.619e9,
      pcieSendBytesPerSecond: 2048 * 1024,
      pcieReceiveBytesPerSecond: 1024 * 1024,
    });
    await monitor.sample();
    const { gpus: summaries, samples } = monitor.summary();
    expect(samples).toBe(2);
    expect(summaries[0]!.utilisation).toEqual({ mean: 0.37, max: 0.37 });
  });

  it('give null, not 0, for what they do not have', async () => {
    using monitor = withNvml(fake, 'bare');
    const { gpus } = await monitor.sample();
    expect(gpus[0]).toMatchObject({ status: 'ok', utilisation: null, powerWatts: null, temperatureCelsius: 51 });
    expect(monitor.summary().gpus[0]!.powerWatts).toBeNull();
  });

  it('that are lost say so, and the others go on', async () => {
    using monitor = withNvml(fake, 'gpus=2');
    await monitor.sample();
    process.env.FAKE_NVML = 'gpus=2 lost=1';
    const { gpus } = await monitor.sample();
    expect(gpus[0]!.status).toBe('ok');
    expect(gpus[1]).toMatchObject({ status: 'lost', message: 'GPU is lost (15)', memoryUsedBytes: null });
  });
});
