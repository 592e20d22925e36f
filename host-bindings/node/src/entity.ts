// What routers, transports, producers, consumers, observers and servers have in common: names, the end, listeners.
//
// Knows one entity's life. Does not know its kind. Invariant: an entity closes exactly once, and what the worker says about
// it afterwards is dropped.
import { randomUUID } from 'node:crypto';
import type { Channel } from './channel/channel';
import { EnhancedEventEmitter, type Events } from './emitter';
import { NotFoundError } from './errors';
import { Logger } from './log';
import type { AppData } from './types';
import type { Command, Event, Reply } from './wire/generated';

const logger = new Logger('Entity');

/** The common part of an entity. `E` are its events, `O` is its observer, `A` what the application attaches. */
export abstract class Entity<
  E extends Events,
  O extends EnhancedEventEmitter,
  A extends AppData,
> extends EnhancedEventEmitter<E> {
  readonly #kind: string;
  readonly #id: string;
  /** Its number on the wire. */
  readonly wireId: number;
  protected readonly channel: Channel;
  readonly #observer: O;
  #appData: A;
  #closed = false;

  protected constructor(kind: string, channel: Channel, wireId: number, given: { id?: string; appData?: A }) {
    super();
    this.#kind = kind;
    this.#id = given.id ?? randomUUID();
    this.#appData = given.appData ?? ({} as A);
    this.wireId = wireId;
    this.channel = channel;
    this.#observer = new EnhancedEventEmitter() as O;
    channel.register(wireId, this.#id, (event) => {
      this.onWorkerEvent(event);
    });
    EnhancedEventEmitter.prototype.on.call(this, 'listenererror', (eventName: string, error: Error) => {
      logger.error(`a listener of ${kind} ${this.#id} threw at '${eventName}'`, error);
    });
  }

  /** Its id, random where the application chose none. */
  get id(): string {
    return this.#id;
  }

  /** Whether it is closed: by this host, with its parent, or with what it depends on. */
  get closed(): boolean {
    return this.#closed;
  }

  /** What the application attached. */
  get appData(): A {
    return this.#appData;
  }

  set appData(appData: A) {
    this.#appData = appData;
  }

  /** A second emitter, for tools that watch applications. */
  get observer(): O {
    return this.#observer;
  }

  /** What the worker tells about it. */
  protected abstract onWorkerEvent(event: Event): void;

  /** Marks it closed, and drops what is still said about it; false when it was closed already. */
  protected shut(): boolean {
    if (this.#closed) {
      return false;
    }
    this.#closed = true;
    this.channel.forget(this.wireId);
    return true;
  }

  /** Emits an event of this class to its listeners; what they throw is theirs. */
  protected say(eventName: string, ...args: unknown[]): void {
    EnhancedEventEmitter.prototype.safeEmit.call(this, eventName, ...args);
  }

  /** Emits an event to the observer's listeners. */
  protected sayToObserver(eventName: string, ...args: unknown[]): void {
    (this.#observer as EnhancedEventEmitter).safeEmit(eventName, ...args);
  }

  /** Emits an event that both have. */
  protected sayToBoth(eventName: string, ...args: unknown[]): void {
    this.say(eventName, ...args);
    this.sayToObserver(eventName, ...args);
  }

  /** @throws NotFoundError when it is closed, WorkerClosedError when all of the worker is. */
  ensureOpen(): void {
    if (this.channel.ended) {
      throw this.channel.ended;
    }
    if (this.#closed) {
      throw new NotFoundError(`this ${this.#kind} is closed; create a new one`);
    }
  }

  /** A request about this entity. */
  protected async request<T>(command: Command, take: (reply: Reply) => T | undefined): Promise<T> {
    this.ensureOpen();
    return this.channel.request(command, take);
  }

  /** Likewise, where a plain yes is the answer; `effect` runs on it. */
  protected async done(command: Command, effect?: () => void): Promise<void> {
    this.ensureOpen();
    await this.channel.done(command, effect);
  }
}
