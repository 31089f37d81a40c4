import { EventEmitter } from 'node:events';
import { deviceName } from './devices';
import { type NativeEvent, native } from './native';

/** `'auto'` work was moved from a failing GPU to the CPU. The same op and reason are told once a process. */
export interface FallbackEvent {
  op: string;
  from: `cuda:${number}` | 'cpu';
  to: 'cpu';
  reason: string;
}

/** One op has run. */
export interface TimingEvent {
  op: string;
  device: 'cpu' | `cuda:${number}`;
  durationMs: number;
  /** Bytes the op had to move, where it states them; otherwise 0. */
  bytes: number;
}

interface EventMap {
  fallback: [FallbackEvent];
  timing: [TimingEvent];
}

const KIND = { fallback: 1, timing: 2 } as const;

function toFallback(e: NativeEvent): FallbackEvent {
  return { op: e.op, from: deviceName(e), to: 'cpu', reason: e.reason };
}

function toTiming(e: NativeEvent): TimingEvent {
  return { op: e.op, device: deviceName(e), durationMs: e.durationMs, bytes: e.bytes };
}

/** Connects to the native hook of an event while somebody listens, so that nobody pays for it otherwise. */
class CoreEvents extends EventEmitter<EventMap> {
  constructor() {
    super();
    this.on(
      'newListener' as never,
      ((name: string) => this.connect(name, this.listenerCount(name as 'timing') + 1)) as never,
    );
    this.on(
      'removeListener' as never,
      ((name: string) => this.connect(name, this.listenerCount(name as 'timing'))) as never,
    );
  }

  private connect(name: string, listeners: number): void {
    if (name === 'fallback') {
      native.setListener(KIND.fallback, listeners > 0 ? (e) => this.emit('fallback', toFallback(e)) : undefined);
    } else if (name === 'timing') {
      native.setListener(KIND.timing, listeners > 0 ? (e) => this.emit('timing', toTiming(e)) : undefined);
    }
  }
}

/**
 * What the core has to tell: `'fallback'` when `auto` work left a failing GPU, `'timing'` for every op while anybody
 * listens. Events of both arrive asynchronously on this thread's event loop and do not keep the process alive.
 */
export const events: EventEmitter<EventMap> = new CoreEvents();
