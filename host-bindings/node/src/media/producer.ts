import type { Channel } from '../channel/channel';
import { cloneOf } from '../clone';
import { Entity } from '../entity';
import { UnsupportedError } from '../errors';
import type { RtpMapping } from '../ortc';
import type { MediaKind, RtpParameters } from '../rtp-parameters';
import type { AppData } from '../types';
import type { Event } from '../wire/generated';
import type {
  Producer,
  ProducerDump,
  ProducerEvents,
  ProducerObserver,
  ProducerScore,
  ProducerStat,
  ProducerTraceEventType,
  ProducerType,
} from './producer-types';
import {
  producerScoreFromWire,
  recvStatsFromWire,
  streamFromWire,
  traceFromWire,
  traceTypesFromWire,
  traceTypesToWire,
} from './told';

/** What is known of a producer when the worker has it. */
export type ProducerData = {
  kind: MediaKind;
  type: ProducerType;
  rtpParameters: RtpParameters;
  rtpMapping: RtpMapping;
  consumableRtpParameters: RtpParameters;
  paused: boolean;
};

export class ProducerImpl<ProducerAppData extends AppData = AppData>
  extends Entity<ProducerEvents, ProducerObserver, ProducerAppData>
  implements Producer<ProducerAppData>
{
  readonly #data: ProducerData;
  readonly #onClose: (producer: ProducerImpl) => void;
  #paused: boolean;
  #score: ProducerScore[] = [];

  constructor(
    channel: Channel,
    wireId: number,
    given: { id: string; appData?: ProducerAppData },
    data: ProducerData,
    onClose: (producer: ProducerImpl) => void,
  ) {
    super('producer', channel, wireId, given);
    this.#data = data;
    this.#paused = data.paused;
    this.#onClose = onClose;
  }

  get kind(): MediaKind {
    return this.#data.kind;
  }

  get rtpParameters(): RtpParameters {
    return cloneOf(this.#data.rtpParameters);
  }

  get type(): ProducerType {
    return this.#data.type;
  }

  get consumableRtpParameters(): RtpParameters {
    return cloneOf(this.#data.consumableRtpParameters);
  }

  get paused(): boolean {
    return this.#paused;
  }

  get score(): ProducerScore[] {
    return cloneOf(this.#score);
  }

  /** Just for testing purposes. */
  get channelForTesting(): Channel {
    return this.channel;
  }

  close(): void {
    if (this.shut()) {
      this.channel.tell({ type: 'closeProducer', producer: this.wireId });
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

  async dump(): Promise<ProducerDump> {
    const { kind, type, rtpParameters, rtpMapping } = this.#data;
    const dump = await this.request({ type: 'dumpProducer', producer: this.wireId }, (reply) =>
      reply.type === 'producerDump' ? reply.value : undefined,
    );
    return {
      id: this.id,
      kind,
      type,
      rtpParameters: cloneOf(rtpParameters),
      rtpMapping: cloneOf(rtpMapping),
      rtpStreams: dump.streams.map(streamFromWire),
      traceEventTypes: traceTypesFromWire(dump.traceEventTypes),
      paused: dump.paused,
    };
  }

  async getStats(): Promise<ProducerStat[]> {
    return this.request({ type: 'getProducerStats', producer: this.wireId }, (reply) =>
      reply.type === 'producerStats' ? reply.value.map(recvStatsFromWire) : undefined,
    );
  }

  async pause(): Promise<void> {
    await this.done({ type: 'pauseProducer', producer: this.wireId }, () => {
      this.#setPaused(true);
    });
  }

  async resume(): Promise<void> {
    await this.done({ type: 'resumeProducer', producer: this.wireId }, () => {
      this.#setPaused(false);
    });
  }

  async enableTraceEvent(types: ProducerTraceEventType[] = []): Promise<void> {
    const wanted = traceTypesToWire(types, ['rtp', 'keyframe', 'nack', 'pli', 'fir', 'sr']);
    await this.done({ type: 'enableProducerTrace', producer: this.wireId, types: wanted });
  }

  send(rtpPacket: Buffer): void {
    if (!Buffer.isBuffer(rtpPacket)) {
      throw new TypeError('rtpPacket must be a Buffer');
    }
    throw new UnsupportedError(
      'only producers of a DirectTransport take packets from the host, and this version of the worker has none',
    );
  }

  #setPaused(paused: boolean): void {
    if (this.#paused !== paused) {
      this.#paused = paused;
      this.sayToObserver(paused ? 'pause' : 'resume');
    }
  }

  protected onWorkerEvent(event: Event): void {
    switch (event.type) {
      case 'producerScore':
        this.#score = producerScoreFromWire(event.scores);
        this.sayToBoth('score', this.score);
        break;
      case 'producerVideoOrientation':
        this.sayToBoth('videoorientationchange', event.orientation);
        break;
      case 'producerTrace':
        this.sayToBoth('trace', traceFromWire(event.trace));
        break;
      default:
    }
  }
}
