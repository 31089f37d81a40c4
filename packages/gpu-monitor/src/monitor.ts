import { InvalidArgumentError } from '@x/cuda-core';
import { booleanIn, numberIn, objectIn, signalIn } from '@x/cuda-core/addon';
import { type NativeMonitor, native } from './native';
import type { GpuSample, HostSample, MonitoredGpu, Sample } from './sample';

export interface MonitorOptions {
  /** Milliseconds between the samples of an iteration, 10 to 86,400,000. Default 1000. */
  intervalMs?: number;
  /** How many samples `history` and `summary()` remember, 0 to 1,000,000. Default 600. */
  history?: number;
  /** Also reads PCIe rates, which takes about 40 ms a GPU and sample (off the event loop). Default false. */
  pcie?: boolean;
  /** Stops the monitor when aborted. */
  signal?: AbortSignal;
}

/** Mean and maximum over the remembered samples in which the quantity was known; `null` when it never was. */
export interface SummaryOf {
  mean: number;
  max: number;
}

type Quantities<T> = {
  [K in keyof T as number extends T[K] ? (K extends 'index' ? never : K) : never]: SummaryOf | null;
};

export interface Summary {
  /** Samples the summary is made of. */
  samples: number;
  /** Time from the first to the last of them. */
  durationMs: number;
  host: Quantities<HostSample>;
  gpus: (Pick<GpuSample, 'index' | 'name' | 'uuid'> & Quantities<GpuSample>)[];
}

const HOST_QUANTITIES = [
  'cpuUtilisation',
  'load1',
  'load5',
  'load15',
  'memoryTotalBytes',
  'memoryUsedBytes',
  'processMemoryBytes',
  'processCpuCores',
  'temperatureCelsius',
] as const satisfies (keyof HostSample)[];

const GPU_QUANTITIES = [
  'utilisation',
  'memoryUtilisation',
  'memoryTotalBytes',
  'memoryUsedBytes',
  'temperatureCelsius',
  'powerWatts',
  'powerLimitWatts',
  'energyJoules',
  'graphicsClockHz',
  'smClockHz',
  'memoryClockHz',
  'pcieSendBytesPerSecond',
  'pcieReceiveBytesPerSecond',
] as const satisfies (keyof GpuSample)[];

function summarise<T, K extends keyof T>(readings: T[], keys: readonly K[]): Record<K, SummaryOf | null> {
  const out = {} as Record<K, SummaryOf | null>;
  for (const key of keys) {
    let sum = 0;
    let count = 0;
    let max = Number.NEGATIVE_INFINITY;
    for (const reading of readings) {
      const value = reading[key];
      if (typeof value !== 'number') continue;
      sum += value;
      count++;
      max = Math.max(max, value);
    }
    out[key] = count > 0 ? { mean: sum / count, max } : null;
  }
  return out;
}

/**
 * Samples the host and its GPUs without starting a process per sample. GPUs are read through NVIDIA's NVML, opened at
 * run time; a machine without one is a normal state (`gpus` is empty, `gpuUnavailableReason` says why).
 *
 * ```ts
 * const monitor = new Monitor({ intervalMs: 500 });
 * for await (const { host, gpus } of monitor) {
 *   console.log(host.cpuUtilisation, gpus[0]?.powerWatts);
 *   if (done) break;
 * }
 * console.log(monitor.summary());
 * monitor.stop();
 * ```
 *
 * The environment variable `XCORE_NVML` names another NVML library than `libnvidia-ml.so.1`.
 */
export class Monitor implements AsyncIterable<Sample> {
  readonly intervalMs: number;
  /** The GPUs found when the monitor was made; empty without any. */
  readonly devices: readonly MonitoredGpu[];
  /** Why there are no GPUs to sample, with the remedy where there is one; `undefined` when there are. */
  readonly gpuUnavailableReason: string | undefined;
  /** Version of the NVIDIA driver; `undefined` without one. */
  readonly driverVersion: string | undefined;
  readonly #capacity: number;
  readonly #pcie: boolean;
  readonly #handle: NativeMonitor;
  readonly #history: Sample[] = [];
  readonly #stopped = new AbortController();
  #inFlight: Promise<Sample> | undefined;

  /**
   * Opens NVML, which takes some milliseconds where there is a driver (longer when the driver sleeps between clients:
   * `nvidia-smi -pm 1` keeps it awake).
   * @throws InvalidArgumentError for an option outside its range.
   */
  constructor(options: MonitorOptions = {}) {
    objectIn(options, 'options');
    this.intervalMs = numberIn(options.intervalMs ?? 1000, 'intervalMs', { min: 10, max: 86_400_000, integer: true });
    this.#capacity = numberIn(options.history ?? 600, 'history', { min: 0, max: 1_000_000, integer: true });
    this.#pcie = booleanIn(options.pcie ?? false, 'pcie');
    const signal = signalIn(options.signal);
    this.#handle = native.open();
    const { gpus, gpuReason, driverVersion } = native.describe(this.#handle);
    this.devices = gpus;
    this.gpuUnavailableReason = gpuReason || undefined;
    this.driverVersion = driverVersion || undefined;
    if (signal?.aborted) this.stop();
    else {
      const onAbort = () => this.stop();
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#stopped.signal.addEventListener('abort', () => signal?.removeEventListener('abort', onAbort), {
        once: true,
      });
    }
  }

  /** Whether `stop()` was called or the signal aborted. */
  get stopped(): boolean {
    return this.#stopped.signal.aborted;
  }

  /** The remembered samples, oldest first. */
  get history(): readonly Sample[] {
    return this.#history;
  }

  /**
   * Takes one sample, off the event loop, and remembers it. Calls that overlap share one sample.
   * @throws InvalidArgumentError after `stop()`.
   */
  sample(): Promise<Sample> {
    this.#inFlight ??= this.#take().finally(() => {
      this.#inFlight = undefined;
    });
    return this.#inFlight;
  }

  async #take(): Promise<Sample> {
    if (this.stopped) throw new InvalidArgumentError('this Monitor was stopped; make a new one', { field: 'Monitor' });
    const timestampMs = Date.now();
    const sample = { timestampMs, ...(await native.sample(this.#handle, this.#pcie)) };
    this.#history.push(sample);
    if (this.#history.length > this.#capacity) this.#history.splice(0, this.#history.length - this.#capacity);
    return sample;
  }

  /**
   * Samples at the interval, the first at once. A consumer slower than the interval misses samples; none pile up. Ends
   * when the loop is left, the monitor is stopped or its signal aborted. Several iterations share the monitor.
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<Sample, void, void> {
    for (let due = performance.now(); !this.stopped; ) {
      const sample = await this.sample().catch((error: unknown) => {
        if (this.stopped) return undefined;
        throw error;
      });
      if (!sample) return;
      yield sample;
      // The next tick of the grid that lies ahead: ticks that passed meanwhile are dropped.
      const behind = performance.now() - due;
      due += (Math.floor(behind / this.intervalMs) + 1) * this.intervalMs;
      await this.#sleep(due - performance.now());
    }
  }

  #sleep(ms: number): Promise<void> {
    const { signal } = this.#stopped;
    return new Promise((resolve) => {
      if (signal.aborted) return resolve();
      const wake = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      const timer = setTimeout(wake, ms);
      signal.addEventListener('abort', wake, { once: true });
    });
  }

  /** Mean and maximum of every quantity over the remembered samples. */
  summary(): Summary {
    const samples = this.#history;
    const byGpu = new Map<number, GpuSample[]>();
    for (const { gpus } of samples) {
      for (const gpu of gpus) {
        const readings = byGpu.get(gpu.index);
        if (readings) readings.push(gpu);
        else byGpu.set(gpu.index, [gpu]);
      }
    }
    return {
      samples: samples.length,
      durationMs: samples.length > 0 ? samples[samples.length - 1]!.timestampMs - samples[0]!.timestampMs : 0,
      host: summarise(
        samples.map((s) => s.host),
        HOST_QUANTITIES,
      ),
      gpus: [...byGpu.values()].map((readings) => {
        const { index, name, uuid } = readings[readings.length - 1]!;
        return { index, name, uuid, ...summarise(readings, GPU_QUANTITIES) };
      }),
    };
  }

  /** Ends all iterations and releases the native side. `history` and `summary()` stay. Calling it again does nothing. */
  stop(): void {
    if (this.stopped) return;
    this.#stopped.abort();
    native.dispose(this.#handle);
  }

  [Symbol.dispose](): void {
    this.stop();
  }
}
