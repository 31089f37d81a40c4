// For the authors of @x packages: how an addon is loaded, how its long calls are run, how arguments are checked and how
// states are saved. Not for applications.
import { join } from 'node:path';
import { refuse, shown, signalIn } from './check';
import { CancelledError, makeNativeError } from './errors';
import { loadNative, native, packageFolder, platform } from './native';

export {
  booleanIn,
  choiceIn,
  type NumberRange,
  numberIn,
  objectIn,
  refuse,
  SEED_MAX,
  shown,
  signalIn,
  textIn,
} from './check';
export { deviceName, parseDevice } from './devices';
export type { NativeDevice } from './native';
export { readSaved, type SavedFormat, writeSaved } from './saved-file';

interface Bindable {
  bind(table: object, makeError: typeof makeNativeError): void;
}

export interface AddonLocation {
  /** The package's name, e.g. `'@x/bpe-tokenizer'`. */
  package: string;
  /** `import.meta.url` of the calling module. */
  from: string;
  /** The function table the addon needs, and its ABI. */
  domain: string;
  abi: number;
}

/** Loads a package's addon and binds it to this core's table. Throws NativeLoadError or UnsupportedError. */
export function loadAddon<T>(location: AddonLocation): T {
  const folder = packageFolder(location.package, location.from);
  const addon = loadNative<T & Bindable>(location.package, folder, [join(folder, 'prebuilds', platform, 'addon.node')]);
  addon.bind(native.table(location.domain, location.abi), makeNativeError);
  return addon;
}

/** What a native long call receives as its control argument. */
export interface NativeControl {
  cancel: Int32Array;
  onProgress?: (done: number, total: number) => void;
}

export interface JobOptions {
  signal?: AbortSignal | undefined;
  onProgress?: ((done: number, total: number) => void) | undefined;
}

/**
 * Runs a native call that ends off the event loop. Aborting the signal cancels it; the promise then rejects with
 * `signal.reason`, after the native side has stopped. An error that onProgress throws cancels it as well, and is what the
 * promise rejects with.
 * @throws InvalidArgumentError (as a rejection) for a signal that is no AbortSignal or an onProgress that is no function.
 */
export async function runJob<T>(options: JobOptions, call: (control: NativeControl) => Promise<T>): Promise<T> {
  const { onProgress } = options;
  const signal = signalIn(options.signal);
  if (onProgress !== undefined && typeof onProgress !== 'function')
    refuse('onProgress', `onProgress is ${shown(onProgress)}; it must be a function.`);
  signal?.throwIfAborted();
  const cancel = new Int32Array(1);
  const onAbort = () => Atomics.store(cancel, 0, 1);
  signal?.addEventListener('abort', onAbort, { once: true });
  let thrown: { error: unknown } | undefined;
  const tell = (done: number, total: number) => {
    try {
      if (thrown === undefined) onProgress?.(done, total);
    } catch (error) {
      thrown = { error };
      onAbort();
    }
  };
  try {
    const result = await call(onProgress ? { cancel, onProgress: tell } : { cancel });
    if (thrown !== undefined) throw thrown.error;
    return result;
  } catch (error) {
    if (thrown !== undefined) throw thrown.error;
    if (error instanceof CancelledError && signal?.aborted) throw signal.reason;
    throw error;
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
}
