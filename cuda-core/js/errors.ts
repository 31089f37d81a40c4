/** Stable codes of every error that an @x package throws; the same numbers cross the native boundary. */
const CODES = {
  1: 'X_INVALID_ARGUMENT',
  2: 'X_NOT_FOUND',
  3: 'X_IO',
  4: 'X_INVALID_FORMAT',
  5: 'X_UNSUPPORTED',
  6: 'X_LIMIT_EXCEEDED',
  7: 'X_OUT_OF_MEMORY',
  8: 'X_DEVICE_UNAVAILABLE',
  9: 'X_DEVICE_FAILED',
  10: 'X_CANCELLED',
  11: 'X_INTERNAL',
} as const;

export type XErrorCode = (typeof CODES)[keyof typeof CODES] | 'X_NATIVE_LOAD';

export interface XErrorDetails {
  /** The argument, metadata key, tensor, JSON path or file concerned. */
  field?: string;
  /** Byte offset in the file or buffer concerned. */
  offset?: number;
  cause?: unknown;
}

// One brand for every copy of this module: a process may hold the ESM build, the CommonJS build and, in a tree with two
// versions, another core. `instanceof` looks at the brand and the code, not at the copy.
const BRAND = Symbol.for('@x/cuda-core.XError');

/** The root of every error thrown by an @x package. Decide by `code`; the message is for people. */
export class XError extends Error {
  readonly code: XErrorCode;
  /** The argument, metadata key, tensor, JSON path or file concerned, when there is one. */
  readonly field: string | undefined;
  /** Byte offset in the file or buffer concerned, when there is one. */
  readonly offset: number | undefined;

  constructor(code: XErrorCode, message: string, details: XErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = new.target.name;
    this.code = code;
    this.field = details.field || undefined;
    this.offset = details.offset !== undefined && details.offset >= 0 ? details.offset : undefined;
    Object.defineProperty(this, BRAND, { value: true });
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    if (typeof value !== 'object' || value === null || !(BRAND in value)) return false;
    // biome-ignore lint/complexity/noThisInStatic: `this` is the subclass that instanceof was asked about.
    const wanted = (this as unknown as { code?: XErrorCode }).code;
    return wanted === undefined || (value as { code?: unknown }).code === wanted;
  }
}

/** An argument is outside its documented range or of the wrong type. */
export class InvalidArgumentError extends XError {
  static readonly code = 'X_INVALID_ARGUMENT';
  constructor(message: string, details?: XErrorDetails) {
    super('X_INVALID_ARGUMENT', message, details);
  }
}
/** A file or name does not exist. */
export class NotFoundError extends XError {
  static readonly code = 'X_NOT_FOUND';
  constructor(message: string, details?: XErrorDetails) {
    super('X_NOT_FOUND', message, details);
  }
}
/** The operating system refused to read, write or map something. */
export class IoError extends XError {
  static readonly code = 'X_IO';
  constructor(message: string, details?: XErrorDetails) {
    super('X_IO', message, details);
  }
}
/** A file or byte stream is truncated, corrupt or hostile; `offset` or `field` says where. */
export class InvalidFormatError extends XError {
  static readonly code = 'X_INVALID_FORMAT';
  constructor(message: string, details?: XErrorDetails) {
    super('X_INVALID_FORMAT', message, details);
  }
}
/** Well-formed, but not something this version can do. */
export class UnsupportedError extends XError {
  static readonly code = 'X_UNSUPPORTED';
  constructor(message: string, details?: XErrorDetails) {
    super('X_UNSUPPORTED', message, details);
  }
}
/** A context, capacity or size limit was reached. */
export class LimitExceededError extends XError {
  static readonly code = 'X_LIMIT_EXCEEDED';
  constructor(message: string, details?: XErrorDetails) {
    super('X_LIMIT_EXCEEDED', message, details);
  }
}
/** Host or device memory is exhausted; objects made before stay usable. */
export class OutOfMemoryError extends XError {
  static readonly code = 'X_OUT_OF_MEMORY';
  constructor(message: string, details?: XErrorDetails) {
    super('X_OUT_OF_MEMORY', message, details);
  }
}
/** An explicitly requested device does not exist or cannot be used; the message names the cause and the remedy. */
export class DeviceUnavailableError extends XError {
  static readonly code = 'X_DEVICE_UNAVAILABLE';
  constructor(message: string, details?: XErrorDetails) {
    super('X_DEVICE_UNAVAILABLE', message, details);
  }
}
/** A device failed while it worked. */
export class DeviceFailedError extends XError {
  static readonly code = 'X_DEVICE_FAILED';
  constructor(message: string, details?: XErrorDetails) {
    super('X_DEVICE_FAILED', message, details);
  }
}
/** A call ended because it was cancelled. With an AbortSignal, calls reject with `signal.reason` instead. */
export class CancelledError extends XError {
  static readonly code = 'X_CANCELLED';
  constructor(message: string, details?: XErrorDetails) {
    super('X_CANCELLED', message, details);
  }
}
/** A defect of the library; please report it. */
export class InternalError extends XError {
  static readonly code = 'X_INTERNAL';
  constructor(message: string, details?: XErrorDetails) {
    super('X_INTERNAL', message, details);
  }
}
/** The native part of a package could not be loaded; the message holds the command that fixes it. */
export class NativeLoadError extends XError {
  static readonly code = 'X_NATIVE_LOAD';
  constructor(message: string, details?: XErrorDetails) {
    super('X_NATIVE_LOAD', message, details);
  }
}

const CLASSES = {
  X_INVALID_ARGUMENT: InvalidArgumentError,
  X_NOT_FOUND: NotFoundError,
  X_IO: IoError,
  X_INVALID_FORMAT: InvalidFormatError,
  X_UNSUPPORTED: UnsupportedError,
  X_LIMIT_EXCEEDED: LimitExceededError,
  X_OUT_OF_MEMORY: OutOfMemoryError,
  X_DEVICE_UNAVAILABLE: DeviceUnavailableError,
  X_DEVICE_FAILED: DeviceFailedError,
  X_CANCELLED: CancelledError,
  X_INTERNAL: InternalError,
} as const;

/** Builds the error of a native status. Passed to every addon, so that native failures are these classes too. */
export function makeNativeError(status: number, message: string, field: string, offset: number): XError {
  const code = CODES[status as keyof typeof CODES] ?? 'X_INTERNAL';
  return new CLASSES[code](message, { field, offset });
}
