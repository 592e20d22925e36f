// Event emitters whose events have types, and whose listeners' mistakes stay theirs.
import { EventEmitter, once } from 'node:events';

/** Names of events and the arguments of their listeners. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- any arguments at all
export type Events = Record<string, any[]>;

/** An emitter of `E`'s events, and of `listenererror` when a listener of another one threw. */
export class EnhancedEventEmitter<
  E extends Events = Events,
  BuiltInEvents extends Events = { listenererror: [keyof E, Error] },
  E2 extends Events = E & BuiltInEvents,
> extends EventEmitter {
  constructor() {
    super();
    // An application may well wait for one event of one entity in many places.
    this.setMaxListeners(Infinity);
  }

  override emit<K extends keyof E2 & string>(eventName: K, ...args: E2[K]): boolean {
    return super.emit(eventName, ...args);
  }

  /**
   * Emits like `emit()`. What a listener throws goes to the listeners of `listenererror` (with the event's name) and
   * not to the caller.
   */
  safeEmit<K extends keyof E2 & string>(eventName: K, ...args: E2[K]): boolean {
    try {
      return super.emit(eventName, ...args);
    } catch (error) {
      try {
        super.emit('listenererror', eventName, error);
      } catch {
        // Whoever listens to this throws in vain.
      }
      return super.listenerCount(eventName) > 0;
    }
  }

  override on<K extends keyof E2 & string>(eventName: K, listener: (...args: E2[K]) => void): this {
    return super.on(eventName, listener as (...args: unknown[]) => void);
  }

  override off<K extends keyof E2 & string>(eventName: K, listener: (...args: E2[K]) => void): this {
    return super.off(eventName, listener as (...args: unknown[]) => void);
  }

  override addListener<K extends keyof E2 & string>(eventName: K, listener: (...args: E2[K]) => void): this {
    return super.addListener(eventName, listener as (...args: unknown[]) => void);
  }

  override prependListener<K extends keyof E2 & string>(
    eventName: K,
    listener: (...args: E2[K]) => void,
  ): this {
    return super.prependListener(eventName, listener as (...args: unknown[]) => void);
  }

  override once<K extends keyof E2 & string>(eventName: K, listener: (...args: E2[K]) => void): this {
    return super.once(eventName, listener as (...args: unknown[]) => void);
  }

  override prependOnceListener<K extends keyof E2 & string>(
    eventName: K,
    listener: (...args: E2[K]) => void,
  ): this {
    return super.prependOnceListener(eventName, listener as (...args: unknown[]) => void);
  }

  override removeListener<K extends keyof E2 & string>(
    eventName: K,
    listener: (...args: E2[K]) => void,
  ): this {
    return super.removeListener(eventName, listener as (...args: unknown[]) => void);
  }

  override removeAllListeners(eventName?: keyof E2 & string): this {
    // Node tells a missing argument from one that is undefined.
    return eventName === undefined ? super.removeAllListeners() : super.removeAllListeners(eventName);
  }

  override listenerCount(eventName: keyof E2 & string): number {
    return super.listenerCount(eventName);
  }

  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- as in the base class
  override listeners(eventName: keyof E2 & string): ((...args: any[]) => void)[] {
    return super.listeners(eventName) as ((...args: unknown[]) => void)[];
  }

  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- as in the base class
  override rawListeners(eventName: keyof E2 & string): ((...args: any[]) => void)[] {
    return super.rawListeners(eventName) as ((...args: unknown[]) => void)[];
  }
}

/** Node's `events.once()` with the names of the emitter's events: resolves with the arguments of the next one. */
export async function enhancedOnce<E extends Events = Events>(
  emitter: EnhancedEventEmitter<E>,
  eventName: keyof E & string,
  options?: { signal?: AbortSignal },
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- as Node's own
): Promise<any[]> {
  return once(emitter, eventName, options) as Promise<unknown[]>;
}
