import type { Channel } from '../channel/channel';
import { checkWhole } from '../check';
import { cloneOf } from '../clone';
import { Entity } from '../entity';
import { UnsupportedError } from '../errors';
import type { MediaKind, RtpEncodingParameters, RtpParameters } from '../rtp-parameters';
import type { AppData } from '../types';
import type { Event } from '../wire/generated';
import type {
  Consumer,
  ConsumerDump,
  ConsumerEvents,
  ConsumerLayers,
  ConsumerObserver,
  ConsumerScore,
  ConsumerStat,
  ConsumerTraceEventType,
  ConsumerType,
} from './consumer-types';
import type { ProducerStat } from './producer-types';
import {
  consumerScoreFromWire,
  recvStatsFromWire,
  sendStatsFromWire,
  streamFromWire,
  traceFromWire,
  traceTypesFromWire,
  traceTypesToWire,
} from './told';

/** What is known of a consumer when the worker has it. */
export type ConsumerData = {
  producerId: string;
  kind: MediaKind;
  type: ConsumerType;
  rtpParameters: RtpParameters;
  consumableRtpEncodings: RtpEncodingParameters[] | undefined;
  paused: boolean;
  producerPaused: boolean;
  score: ConsumerScore;
};

export class ConsumerImpl<ConsumerAppData extends AppData = AppData>
  extends Entity<ConsumerEvents, ConsumerObserver, ConsumerAppData>
  implements Consumer<ConsumerAppData>
{
  readonly #data: ConsumerData;
  readonly #onClose: (consumer: ConsumerImpl) => void;
  #paused: boolean;
  #producerPaused: boolean;
  #priority = PRIORITY_DEFAULT;
  #score: ConsumerScore;

  constructor(
    channel: Channel,
    wireId: number,
    given: { appData?: ConsumerAppData },
    data: ConsumerData,
    onClose: (consumer: ConsumerImpl) => void,
  ) {
    super('consumer', channel, wireId, given);
    this.#data = data;
    this.#paused = data.paused;
    this.#producerPaused = data.producerPaused;
    this.#score = data.score;
    this.#onClose = onClose;
  }

  get producerId(): string {
    return this.#data.producerId;
  }

  get kind(): MediaKind {
    return this.#data.kind;
  }

  get rtpParameters(): RtpParameters {
    return cloneOf(this.#data.rtpParameters);
  }

  get type(): ConsumerType {
    return this.#data.type;
  }

  get paused(): boolean {
    return this.#paused;
  }

  get producerPaused(): boolean {
    return this.#producerPaused;
  }

  get priority(): number {
    return this.#priority;
  }

  get score(): ConsumerScore {
    return cloneOf(this.#score);
  }

  /** None: the worker does not choose layers yet. */
  get preferredLayers(): ConsumerLayers | undefined {
    return undefined;
  }

  /** None: the worker does not choose layers yet. */
  get currentLayers(): ConsumerLayers | undefined {
    return undefined;
  }

  /** Just for testing purposes. */
  get channelForTesting(): Channel {
    return this.channel;
  }

  close(): void {
    if (this.shut()) {
      this.channel.tell({ type: 'closeConsumer', consumer: this.wireId });
      this.#onClose(this);
      this.say('@close');
      this.sayToObserver('close');
    }
  }

  transportClosed(): void {
    if (this.shut()) {
      this.say('transportclose');
      this.sayToObserver('close');
    }
  }

  async dump(): Promise<ConsumerDump> {
    const { producerId, kind, type, rtpParameters, consumableRtpEncodings } = this.#data;
    const dump = await this.request({ type: 'dumpConsumer', consumer: this.wireId }, (reply) =>
      reply.type === 'consumerDump' ? reply.value : undefined,
    );
    return {
      id: this.id,
      producerId,
      kind,
      type,
      rtpParameters: cloneOf(rtpParameters),
      consumableRtpEncodings: cloneOf(consumableRtpEncodings),
      supportedCodecPayloadTypes: Array.from(dump.supportedCodecPayloadTypes),
      traceEventTypes: traceTypesFromWire(dump.traceEventTypes),
      paused: dump.paused,
      producerPaused: dump.producerPaused,
      priority: dump.priority,
      rtpStream: streamFromWire(dump.stream),
    };
  }

  async getStats(): Promise<(ConsumerStat | ProducerStat)[]> {
    return this.request({ type: 'getConsumerStats', consumer: this.wireId }, (reply) => {
      if (reply.type !== 'consumerStats') {
        return undefined;
      }
      const { own, producer } = reply.value;
      return producer ? [sendStatsFromWire(own), recvStatsFromWire(producer)] : [sendStatsFromWire(own)];
    });
  }

  async pause(): Promise<void> {
    await this.done({ type: 'pauseConsumer', consumer: this.wireId }, () => {
      this.#set(() => (this.#paused = true));
    });
  }

  async resume(): Promise<void> {
    await this.done({ type: 'resumeConsumer', consumer: this.wireId }, () => {
      this.#set(() => (this.#paused = false));
    });
  }

  async setPreferredLayers({ spatialLayer, temporalLayer }: ConsumerLayers): Promise<void> {
    const spatial: unknown = spatialLayer;
    const temporal: unknown = temporalLayer;
    if (typeof spatial !== 'number') {
      throw new TypeError('spatialLayer must be a number');
    }
    if (temporal !== undefined && temporal !== null && typeof temporal !== 'number') {
      throw new TypeError('if given, temporalLayer must be a number');
    }
    this.ensureOpen();
    if (this.#data.type !== 'simple' && this.#data.type !== 'pipe') {
      throw new UnsupportedError('this version of the worker does not choose layers yet');
    }
  }

  async setPriority(priority: number): Promise<void> {
    if (checkWhole(priority, 'priority', 1, 255) === undefined) {
      throw new TypeError('priority must be a number from 1 to 255');
    }
    await this.done({ type: 'setConsumerPriority', consumer: this.wireId, priority }, () => {
      this.#priority = priority;
    });
  }

  async unsetPriority(): Promise<void> {
    await this.setPriority(PRIORITY_DEFAULT);
  }

  async requestKeyFrame(): Promise<void> {
    await this.done({ type: 'requestKeyFrame', consumer: this.wireId });
  }

  async enableTraceEvent(types: ConsumerTraceEventType[] = []): Promise<void> {
    const wanted = traceTypesToWire(types, ['rtp', 'keyframe', 'nack', 'pli', 'fir']);
    await this.done({ type: 'enableConsumerTrace', consumer: this.wireId, types: wanted });
  }

  /** The observer is told when nothing, or something again, is sent, whoever paused it. */
  #set(change: () => void): void {
    const wasPaused = this.#paused || this.#producerPaused;
    change();
    const isPaused = this.#paused || this.#producerPaused;
    if (wasPaused !== isPaused) {
      this.sayToObserver(isPaused ? 'pause' : 'resume');
    }
  }

  #producerSet(paused: boolean): void {
    if (this.#producerPaused !== paused) {
      this.#set(() => {
        this.#producerPaused = paused;
        this.say(paused ? 'producerpause' : 'producerresume');
      });
    }
  }

  protected onWorkerEvent(event: Event): void {
    switch (event.type) {
      case 'consumerProducerClosed':
        if (this.shut()) {
          this.#onClose(this);
          this.say('producerclose');
          this.sayToObserver('close');
        }
        break;
      case 'consumerProducerPaused':
        this.#producerSet(true);
        break;
      case 'consumerProducerResumed':
        this.#producerSet(false);
        break;
      case 'consumerScore':
        this.#score = consumerScoreFromWire(event.score);
        this.sayToBoth('score', this.score);
        break;
      case 'consumerTrace':
        this.sayToBoth('trace', traceFromWire(event.trace));
        break;
      default:
    }
  }
}

/** What consumers start with. */
const PRIORITY_DEFAULT = 1;
