export type { Device, DeviceInfo } from './devices';
export { cudaUnavailableReason, devices, resolveDevice, setThreads, threads } from './devices';
export type { XErrorCode, XErrorDetails } from './errors';
export {
  CancelledError,
  DeviceFailedError,
  DeviceUnavailableError,
  InternalError,
  InvalidArgumentError,
  InvalidFormatError,
  IoError,
  LimitExceededError,
  NativeLoadError,
  NotFoundError,
  OutOfMemoryError,
  UnsupportedError,
  XError,
} from './errors';
export type { FallbackEvent, TimingEvent } from './events';
export { events } from './events';
