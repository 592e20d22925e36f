// Observers: what a router can tell about the loudness of its audio producers.
import type { Channel } from '../channel/channel';
import type { EnhancedEventEmitter } from '../emitter';
import { Entity } from '../entity';
import { NotFoundError } from '../errors';
import type { ProducerImpl } from '../media/producer';
import type { AppData } from '../types';
import type { Event } from '../wire/generated';
import type {
  ActiveSpeakerObserver,
  ActiveSpeakerObserverEvents,
  ActiveSpeakerObserverObserver,
  AudioLevelObserver,
  AudioLevelObserverEvents,
  AudioLevelObserverObserver,
  RtpObserverEvents,
  RtpObserverObserver,
  RtpObserverType,
} from './types';

/** What an observer needs of its router. */
export type RouterOfObserver = {
  producer(id: string): ProducerImpl | undefined;
  removeObserver(observer: { readonly id: string }): void;
};

export abstract class RtpObserverImpl<
  RtpObserverAppData extends AppData = AppData,
  Events extends RtpObserverEvents = RtpObserverEvents,
  Observer extends EnhancedEventEmitter = RtpObserverObserver,
> extends Entity<Events, Observer, RtpObserverAppData> {
  readonly #router: RouterOfObserver;
  #paused = false;

  constructor(
    channel: Channel,
    wireId: number,
    router: RouterOfObserver,
    given: { appData?: RtpObserverAppData },
  ) {
    super('observer', channel, wireId, given);
    this.#router = router;
  }

  abstract get type(): RtpObserverType;

  get paused(): boolean {
    return this.#paused;
  }

  close(): void {
    if (this.shut()) {
      this.channel.tell({ type: 'closeObserver', observer: this.wireId });
      this.#router.removeObserver(this);
      this.say('@close');
      this.sayToObserver('close');
    }
  }

  routerClosed(): void {
    if (this.shut()) {
      this.say('routerclose');
      this.sayToObserver('close');
    }
  }

  async pause(): Promise<void> {
    await this.done({ type: 'pauseObserver', observer: this.wireId }, () => {
      this.#setPaused(true);
    });
  }

  async resume(): Promise<void> {
    await this.done({ type: 'resumeObserver', observer: this.wireId }, () => {
      this.#setPaused(false);
    });
  }

  async addProducer({ producerId }: { producerId: string }): Promise<void> {
    const producer = this.#producer(producerId);
    await this.done({ type: 'addObservedProducer', observer: this.wireId, producer: producer.wireId }, () => {
      this.sayToObserver('addproducer', producer);
    });
  }

  async removeProducer({ producerId }: { producerId: string }): Promise<void> {
    const producer = this.#producer(producerId);
    await this.done(
      { type: 'removeObservedProducer', observer: this.wireId, producer: producer.wireId },
      () => {
        this.sayToObserver('removeproducer', producer);
      },
    );
  }

  #setPaused(paused: boolean): void {
    if (this.#paused !== paused) {
      this.#paused = paused;
      this.sayToObserver(paused ? 'pause' : 'resume');
    }
  }

  #producer(id: string): ProducerImpl {
    this.ensureOpen();
    const producer = this.#router.producer(id);
    if (!producer) {
      throw new NotFoundError(`Producer with id "${id}" not found`);
    }
    return producer;
  }

  /** The producer that the worker means, if it is still open. */
  protected producerOf(wireId: number): ProducerImpl | undefined {
    const id = this.channel.nameOf(wireId);
    return id === undefined ? undefined : this.#router.producer(id);
  }
}

export class AudioLevelObserverImpl<AudioLevelObserverAppData extends AppData = AppData>
  extends RtpObserverImpl<AudioLevelObserverAppData, AudioLevelObserverEvents, AudioLevelObserverObserver>
  implements AudioLevelObserver<AudioLevelObserverAppData>
{
  get type(): 'audiolevel' {
    return 'audiolevel';
  }

  protected onWorkerEvent(event: Event): void {
    if (event.type !== 'audioLevels') {
      return;
    }
    if (event.volumes.length === 0) {
      this.sayToBoth('silence');
      return;
    }
    const volumes = event.volumes.flatMap((level) => {
      const producer = this.producerOf(level.producer);
      return producer ? [{ producer, volume: level.volume }] : [];
    });
    if (volumes.length > 0) {
      this.sayToBoth('volumes', volumes);
    }
  }
}

export class ActiveSpeakerObserverImpl<ActiveSpeakerObserverAppData extends AppData = AppData>
  extends RtpObserverImpl<
    ActiveSpeakerObserverAppData,
    ActiveSpeakerObserverEvents,
    ActiveSpeakerObserverObserver
  >
  implements ActiveSpeakerObserver<ActiveSpeakerObserverAppData>
{
  get type(): 'activespeaker' {
    return 'activespeaker';
  }

  protected onWorkerEvent(event: Event): void {
    const producer = event.type === 'dominantSpeaker' ? this.producerOf(event.producer) : undefined;
    if (producer) {
      this.sayToBoth('dominantspeaker', { producer });
    }
  }
}
