import { booleanIn, numberIn, objectIn, shown } from './check';
import { InvalidArgumentError } from './errors';
import { type NativeDevice, type NativeDeviceInfo, native } from './native';

/**
 * Where work runs. `'auto'` takes the GPU when there is one and the work is large enough to pay, and finishes on the
 * CPU when the GPU fails. `'cuda'` is `'cuda:0'`; a device asked for by name is used or the call fails.
 */
export type Device = 'auto' | 'cpu' | 'cuda' | `cuda:${number}`;

export interface DeviceInfo {
  /** `'cpu'` or `'cuda:N'`. */
  device: 'cpu' | `cuda:${number}`;
  name: string;
  /** NVML's UUID of a GPU; `undefined` for the CPU. */
  uuid: string | undefined;
  memoryTotalBytes: number;
  memoryFreeBytes: number;
  /** CUDA compute capability, e.g. `'9.0'`; `undefined` for the CPU. */
  computeCapability: string | undefined;
  /** Streaming multiprocessors of a GPU, worker threads of the CPU. */
  processors: number;
  /** What kernels are chosen by: `avx2`, `avx512`, `vnni`, `amx_int8`, `sm_90`, ... */
  features: string[];
}

const KINDS = { auto: 0, cpu: 1, cuda: 2 } as const;

/** Turns `'cuda:1'` into the native pair. Throws InvalidArgumentError for anything that is not a device name. */
export function parseDevice(device: Device | undefined): NativeDevice {
  if (device === undefined || device === 'auto') return { kind: KINDS.auto, index: 0 };
  if (device === 'cpu') return { kind: KINDS.cpu, index: 0 };
  const match = typeof device === 'string' ? /^cuda(?::(\d{1,4}))?$/.exec(device) : null;
  if (match) return { kind: KINDS.cuda, index: Number(match[1] ?? 0) };
  throw new InvalidArgumentError(
    `${shown(device)} is not a device. Use 'auto', 'cpu', 'cuda' or 'cuda:N' with N from 0.`,
    { field: 'device' },
  );
}

/** The name of a native device: `'cpu'` or `'cuda:N'`. */
export function deviceName(device: NativeDevice): 'cpu' | `cuda:${number}` {
  return device.kind === KINDS.cuda ? `cuda:${device.index}` : 'cpu';
}

function describe(info: NativeDeviceInfo): DeviceInfo {
  const isCuda = info.kind === KINDS.cuda;
  return {
    device: deviceName(info),
    name: info.name,
    uuid: info.uuid || undefined,
    memoryTotalBytes: info.memoryTotalBytes,
    memoryFreeBytes: info.memoryFreeBytes,
    computeCapability: isCuda ? `${info.computeMajor}.${info.computeMinor}` : undefined,
    processors: info.processors,
    features: info.features.split(',').filter(Boolean),
  };
}

/** The CPU first, then every CUDA device. No GPU or no driver is a normal state, not an error. */
export function devices(): DeviceInfo[] {
  return native.devices().map(describe);
}

/** Why CUDA cannot be used here, with the remedy; `undefined` when it can. */
export function cudaUnavailableReason(): string | undefined {
  return native.cudaUnavailableReason() || undefined;
}

/**
 * The device that a request means on this machine.
 * @param options.pays whether the work is large enough for a GPU; only `'auto'` looks at it. Default true.
 * @throws DeviceUnavailableError when a CUDA device asked for by name does not exist; names cause and remedy.
 * @throws InvalidArgumentError for anything that is not a device name.
 */
export function resolveDevice(device: Device = 'auto', options: { pays?: boolean } = {}): 'cpu' | `cuda:${number}` {
  objectIn(options, 'options');
  return deviceName(native.resolveDevice(parseDevice(device), booleanIn(options.pays ?? true, 'options.pays')));
}

/** Threads that native work may use, the calling one included. Results do not depend on it. */
export function threads(): number {
  return native.threadCount();
}

/**
 * Sets the number of threads, 1 to 256.
 * @throws InvalidArgumentError for any other number.
 */
export function setThreads(count: number): void {
  native.setThreadCount(numberIn(count, 'threads', { min: 1, max: 256, integer: true }));
}
