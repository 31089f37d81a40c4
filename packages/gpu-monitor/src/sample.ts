/**
 * One reading of a GPU. A quantity that this GPU, its driver or this container does not give is `null`, never 0.
 */
export interface GpuSample {
  /** Number by NVML's order (PCI bus), which `CUDA_VISIBLE_DEVICES` does not change. */
  index: number;
  name: string;
  /** `GPU-…`; the lasting identity of the card. */
  uuid: string;
  /** `'lost'`: fell off the bus or needs a reset. `'error'`: the driver refuses to talk about it. */
  status: 'ok' | 'lost' | 'error';
  /** The driver's words when the status is not `'ok'`, else `''`. */
  message: string;
  /** Share of time, 0..1, in which some kernel ran; not how much of the GPU it filled. */
  utilisation: number | null;
  /** Share of time, 0..1, in which device memory was read or written. */
  memoryUtilisation: number | null;
  memoryTotalBytes: number | null;
  memoryUsedBytes: number | null;
  temperatureCelsius: number | null;
  /** An average over about a second on most GPUs; use differences of `energyJoules` for exact energy. */
  powerWatts: number | null;
  powerLimitWatts: number | null;
  /** Since the driver was loaded. */
  energyJoules: number | null;
  graphicsClockHz: number | null;
  smClockHz: number | null;
  memoryClockHz: number | null;
  /** From this GPU to the host; only with the option `pcie`. */
  pcieSendBytesPerSecond: number | null;
  /** From the host to this GPU; only with the option `pcie`. */
  pcieReceiveBytesPerSecond: number | null;
}

/** One reading of the host. What cannot be read here (another system than Linux, no sensor) is `null`. */
export interface HostSample {
  /** Busy share of all cores, 0..1, since the previous sample (the first: since the monitor was made). */
  cpuUtilisation: number | null;
  /** The same for each core. */
  coreUtilisation: (number | null)[];
  /** Load averages over 1, 5 and 15 minutes: runnable and waiting threads. */
  load1: number | null;
  load5: number | null;
  load15: number | null;
  memoryTotalBytes: number | null;
  /** Total minus what programs could still get without swapping. */
  memoryUsedBytes: number | null;
  /** Resident memory of this process. */
  processMemoryBytes: number | null;
  /** CPU time of this process over wall time since the previous sample: 2 means two busy cores. */
  processCpuCores: number | null;
  /** The hottest CPU sensor. */
  temperatureCelsius: number | null;
}

/** What the machine did at one moment. */
export interface Sample {
  /** When the sample was taken, milliseconds since 1970 (`Date.now()`). */
  timestampMs: number;
  host: HostSample;
  /** Empty without GPUs; `Monitor.gpuUnavailableReason` says why. */
  gpus: GpuSample[];
}

/** A GPU that the monitor found when it was made. */
export type MonitoredGpu = Pick<GpuSample, 'index' | 'name' | 'uuid'>;
