import { loadAddon } from '@x/cuda-core/addon';
import type { MonitoredGpu, Sample } from './sample';

export interface NativeMonitor {
  readonly monitor: unique symbol;
}

interface Native {
  open(): NativeMonitor;
  dispose(monitor: NativeMonitor): void;
  describe(monitor: NativeMonitor): { gpus: MonitoredGpu[]; gpuReason: string; driverVersion: string };
  sample(monitor: NativeMonitor, slow: boolean): Promise<Omit<Sample, 'timestampMs'>>;
}

export const native = loadAddon<Native>({
  package: '@x/gpu-monitor',
  from: import.meta.url,
  domain: 'monitor',
  abi: 1,
});
