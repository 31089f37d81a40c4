export { Monitor, type MonitorOptions, type Summary, type SummaryOf } from './monitor';
export type { GpuSample, HostSample, MonitoredGpu, Sample } from './sample';
