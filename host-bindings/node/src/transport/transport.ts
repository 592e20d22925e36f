// What transports of all kinds have in common.
import { randomBytes, randomUUID } from 'node:crypto';
import type { Channel } from '../channel/channel';
import { checkAppData, checkWhole } from '../check';
import { cloneOf } from '../clone';
import type { EnhancedEventEmitter } from '../emitter';
import { Entity } from '../entity';
import { NotFoundError, UnsupportedError } from '../errors';
import { Logger } from '../log';
import { ConsumerImpl } from '../media/consumer';
import type { Consumer, ConsumerOptions, ConsumerType } from '../media/consumer-types';
import type {
  DataConsumer,
  DataConsumerOptions,
  DataProducer,
  DataProducerOptions,
} from '../media/data-types';
import { mappingToWire, parametersToWire } from '../media/parameters';
import { ProducerImpl } from '../media/producer';
import type { Producer, ProducerOptions } from '../media/producer-types';
import { consumerScoreFromWire } from '../media/told';
import * as ortc from '../ortc';
import type { RtpCapabilities, RtpParameters } from '../rtp-parameters';
import type { AppData } from '../types';
import type { Event, TransportDump, TransportStats } from '../wire/generated';
import { bitrateToWire } from './options';
import type {
  BaseTransportDump,
  BaseTransportStats,
  TransportEvents,
  TransportObserver,
  TransportTraceEventType,
  TransportType,
} from './types';

/** What a transport needs of its router. */
export type RouterOfTransport = {
  readonly rtpCapabilities: RtpCapabilities;
  producer(id: string): ProducerImpl | undefined;
  addProducer(producer: ProducerImpl): void;
  removeProducer(producer: ProducerImpl): void;
  /** Keeps an id for a producer that is being made; false when it is another's. */
  reserveProducerId(id: string): boolean;
  releaseProducerId(id: string): void;
  removeTransport(transport: { readonly id: string }): void;
};

const logger = new Logger('Transport');

export abstract class TransportImpl<
  TransportAppData extends AppData = AppData,
  Events extends TransportEvents = TransportEvents,
  Observer extends EnhancedEventEmitter = TransportObserver,
> extends Entity<Events, Observer, TransportAppData> {
  protected readonly router: RouterOfTransport;
  readonly #producers = new Map<string, ProducerImpl>();
  readonly #consumers = new Map<string, ConsumerImpl>();
  #cname: string | undefined;
  #nextMid = 0;

  constructor(
    channel: Channel,
    wireId: number,
    router: RouterOfTransport,
    given: { appData?: TransportAppData },
  ) {
    super('transport', channel, wireId, given);
    this.router = router;
  }

  abstract get type(): TransportType;

  /** Just for testing purposes. */
  get channelForTesting(): Channel {
    return this.channel;
  }

  close(): void {
    if (!this.#shutWithChildren()) {
      return;
    }
    this.channel.tell({ type: 'closeTransport', transport: this.wireId });
    this.router.removeTransport(this);
    this.say('@close');
    this.sayToObserver('close');
  }

  routerClosed(): void {
    if (this.#shutWithChildren()) {
      this.say('routerclose');
      this.sayToObserver('close');
    }
  }

  listenServerClosed(): void {
    if (this.#shutWithChildren()) {
      this.router.removeTransport(this);
      this.say('listenserverclose');
      this.sayToObserver('close');
    }
  }

  #shutWithChildren(): boolean {
    if (!this.shut()) {
      return false;
    }
    this.onShut();
    for (const producer of this.#producers.values()) {
      this.router.removeProducer(producer);
      producer.transportClosed();
    }
    this.#producers.clear();
    for (const consumer of this.#consumers.values()) {
      consumer.transportClosed();
    }
    this.#consumers.clear();
    return true;
  }

  /** What a kind of transport does when it closes, before anybody is told. */
  protected onShut(): void {
    // Nothing to do for most.
  }

  async setMaxIncomingBitrate(bitrate: number): Promise<void> {
    const checked = bitrateToWire(bitrate, 'bitrate');
    await this.done({ type: 'setMaxIncomingBitrate', transport: this.wireId, bitrate: checked });
  }

  async setMaxOutgoingBitrate(bitrate: number): Promise<void> {
    bitrateToWire(bitrate, 'bitrate');
    this.ensureOpen();
    throw new UnsupportedError('setMaxOutgoingBitrate() is for WebRTC transports only');
  }

  async setMinOutgoingBitrate(bitrate: number): Promise<void> {
    bitrateToWire(bitrate, 'bitrate');
    this.ensureOpen();
    throw new UnsupportedError('setMinOutgoingBitrate() is for WebRTC transports only');
  }

  async produce<ProducerAppData extends AppData = AppData>(
    options: ProducerOptions<ProducerAppData>,
  ): Promise<Producer<ProducerAppData>> {
    const { id = randomUUID(), kind, paused = false, appData, keyFrameRequestDelay } = options;
    if (typeof id !== 'string' || id === '') {
      throw new TypeError('if given, id must be a non empty string');
    }
    if (this.#producers.has(id)) {
      throw new TypeError(`a Producer with same id "${id}" already exists`);
    }
    if (!['audio', 'video'].includes(kind)) {
      throw new TypeError(`invalid kind "${kind}"`);
    }
    checkAppData(appData);
    const keyFrameRequestDelayMs =
      checkWhole(keyFrameRequestDelay, 'keyFrameRequestDelay', 0, 0xffff_ffff) ?? 0;
    if (options.enableMediasoupPacketIdHeaderExtension) {
      throw new UnsupportedError('the worker does not write the packet-id header extension');
    }
    this.ensureOpen();
    const negotiated = this.#negotiateProducer(options);
    if (!this.router.reserveProducerId(id)) {
      throw new Error(`a Producer with same id "${id}" already exists in the Router`);
    }
    const wireId = this.channel.newId();
    try {
      return await this.channel.request(
        {
          type: 'produce',
          transport: this.wireId,
          producer: wireId,
          kind,
          rtpParameters: parametersToWire(negotiated.rtpParameters),
          rtpMapping: mappingToWire(negotiated.rtpMapping),
          paused: Boolean(paused),
          keyFrameRequestDelayMs,
        },
        (reply) => {
          if (reply.type !== 'produced' || reply.producerType === 'pipe') {
            return undefined;
          }
          this.#ensureStillOpen();
          const data = { ...negotiated, kind, type: reply.producerType, paused: Boolean(paused) };
          const producer = new ProducerImpl<ProducerAppData>(
            this.channel,
            wireId,
            { id, appData },
            data,
            (closed) => {
              this.#producers.delete(closed.id);
              this.router.removeProducer(closed);
            },
          );
          this.#producers.set(id, producer);
          this.router.addProducer(producer);
          this.sayToObserver('newproducer', producer);
          return producer;
        },
        { undo: { type: 'closeProducer', producer: wireId } },
      );
    } finally {
      this.router.releaseProducerId(id);
    }
  }

  /** What is known of a producer before the worker is asked. */
  #negotiateProducer({ kind, rtpParameters: given }: ProducerOptions) {
    const rtpParameters: RtpParameters = cloneOf(given);
    if (typeof rtpParameters === 'object' && !rtpParameters.encodings?.length) {
      rtpParameters.encodings = [{}];
    }
    ortc.validateAndNormalizeRtpParameters(rtpParameters, kind);
    // One peer is one endpoint, whose streams are played in step (RFC 3550 6.5.1); browsers name it for some streams only.
    const cname = this.#cname ?? (rtpParameters.rtcp?.cname || randomBytes(12).toString('hex'));
    rtpParameters.rtcp = { ...rtpParameters.rtcp, cname };
    const capabilities = this.router.rtpCapabilities;
    const firstMappedSsrc = this.channel.newSsrcs(rtpParameters.encodings?.length ?? 1);
    const rtpMapping = ortc.getProducerRtpParametersMapping(rtpParameters, capabilities, {
      kind,
      firstMappedSsrc,
    });
    const consumableRtpParameters = ortc.getConsumableRtpParameters(
      kind,
      rtpParameters,
      capabilities,
      rtpMapping,
    );
    this.#cname = cname;
    return { rtpParameters, rtpMapping, consumableRtpParameters };
  }

  async consume<ConsumerAppData extends AppData = AppData>(
    options: ConsumerOptions<ConsumerAppData>,
  ): Promise<Consumer<ConsumerAppData>> {
    const { producerId, paused = false, ignoreDtx = false, pipe = false, appData } = options;
    const mid: unknown = options.mid;
    if (typeof producerId !== 'string' || producerId === '') {
      throw new TypeError('missing producerId');
    }
    checkAppData(appData);
    if (mid !== undefined && (typeof mid !== 'string' || mid === '')) {
      throw new TypeError('if given, mid must be non empty string');
    }
    this.ensureOpen();
    ortc.validateAndNormalizeRtpCapabilities(cloneOf(options.rtpCapabilities));
    const producer = this.router.producer(producerId);
    if (!producer) {
      throw new NotFoundError(`Producer with id "${producerId}" not found`);
    }
    if (options.preferredLayers && !pipe && producer.type !== 'simple') {
      throw new UnsupportedError(
        'this version of the worker does not choose layers yet; leave preferredLayers out',
      );
    }
    const consumable = producer.consumableRtpParameters;
    const rtpParameters = this.#negotiateConsumer(options, producer, consumable);
    const wireId = this.channel.newId();
    const type: ConsumerType = pipe ? 'pipe' : producer.type;
    return this.channel.request(
      {
        type: 'consume',
        transport: this.wireId,
        consumer: wireId,
        producer: producer.wireId,
        kind: producer.kind,
        rtpParameters: parametersToWire(rtpParameters),
        consumerType: type,
        consumableSsrcs: (consumable.encodings ?? []).map(({ ssrc }) => ssrc ?? 0),
        paused: Boolean(paused),
        ignoreDtx: Boolean(ignoreDtx),
      },
      (reply) => {
        if (reply.type !== 'consumed') {
          return undefined;
        }
        this.#ensureStillOpen();
        const { paused, producerPaused, score } = reply;
        const data = {
          producerId,
          kind: producer.kind,
          type,
          rtpParameters,
          consumableRtpEncodings: consumable.encodings,
          paused,
          producerPaused,
          score: consumerScoreFromWire(score),
        };
        const consumer = new ConsumerImpl<ConsumerAppData>(
          this.channel,
          wireId,
          { appData },
          data,
          (closed) => {
            this.#consumers.delete(closed.id);
          },
        );
        this.#consumers.set(consumer.id, consumer);
        this.sayToObserver('newconsumer', consumer);
        return consumer;
      },
      { undo: { type: 'closeConsumer', consumer: wireId } },
    );
  }

  /** What the peer will receive. */
  #negotiateConsumer(
    options: ConsumerOptions,
    producer: ProducerImpl,
    consumable: RtpParameters,
  ): RtpParameters {
    const { rtpCapabilities, pipe = false, enableRtx = producer.kind === 'video' } = options;
    const streams = consumable.encodings?.length ?? 1;
    // RTX of a single stream has the SSRC after the stream's.
    const ssrc = this.channel.newSsrcs(pipe ? streams : 2);
    const rtpParameters = ortc.getConsumerRtpParameters({
      consumableRtpParameters: consumable,
      remoteRtpCapabilities: rtpCapabilities,
      pipe,
      enableRtx,
      ssrc,
      ...(pipe ? { rtxSsrc: this.channel.newSsrcs(streams) } : { mid: options.mid }),
    });
    if (!pipe && rtpParameters.mid === undefined) {
      rtpParameters.mid = String(this.#nextMid);
      this.#nextMid = (this.#nextMid + 1) % MIDS;
    }
    return rtpParameters;
  }

  async produceData<DataProducerAppData extends AppData = AppData>(
    options: DataProducerOptions<DataProducerAppData> = {},
  ): Promise<DataProducer<DataProducerAppData>> {
    checkAppData(options.appData);
    this.ensureOpen();
    throw new UnsupportedError('this version of the worker has no data channels (SCTP) yet');
  }

  async consumeData<DataConsumerAppData extends AppData = AppData>(
    options: DataConsumerOptions<DataConsumerAppData>,
  ): Promise<DataConsumer<DataConsumerAppData>> {
    if (typeof options.dataProducerId !== 'string' || options.dataProducerId === '') {
      throw new TypeError('missing dataProducerId');
    }
    checkAppData(options.appData);
    this.ensureOpen();
    throw new UnsupportedError('this version of the worker has no data channels (SCTP) yet');
  }

  async enableTraceEvent(types: TransportTraceEventType[] = []): Promise<void> {
    if (!Array.isArray(types)) {
      throw new TypeError('types must be an array');
    }
    if (types.some((type: unknown) => typeof type !== 'string')) {
      throw new TypeError('every type must be a string');
    }
    this.ensureOpen();
    if (types.length > 0) {
      logger.warn(
        `enableTraceEvent(): the worker does not trace transports yet, no event will come [id:${this.id}]`,
      );
    }
  }

  /** An answer may come for a transport that was closed in the meantime: the worker closes what it made. */
  #ensureStillOpen(): void {
    if (this.closed) {
      throw new NotFoundError('the transport was closed in the meantime');
    }
  }

  protected onWorkerEvent(event: Event): void {
    if (event.type === 'transportInternalError') {
      const error = new Error(
        `a defect of the worker was contained by closing this transport: ${event.message}`,
      );
      logger.error(`${error.message} [id:${this.id}]`);
      if (this.#shutWithChildren()) {
        this.router.removeTransport(this);
        this.say('internalerror', error);
        this.sayToObserver('close');
      }
    }
  }

  protected async dumpOfWorker(): Promise<TransportDump> {
    return this.request({ type: 'dumpTransport', transport: this.wireId }, (reply) =>
      reply.type === 'transportDump' ? reply.value : undefined,
    );
  }

  protected async statsOfWorker(): Promise<TransportStats> {
    return this.request({ type: 'getTransportStats', transport: this.wireId }, (reply) =>
      reply.type === 'transportStats' ? reply.value : undefined,
    );
  }

  /** What a dump of every kind has. */
  protected baseDump(dump: TransportDump): BaseTransportDump {
    const name = (id: number) => this.channel.nameOf(id) ?? `closed:${id}`;
    const { mid, rid, rrid, absSendTime, transportWideCc } = dump.recvRtpHeaderExtensions;
    return {
      id: this.id,
      producerIds: dump.producerIds.map(name),
      consumerIds: dump.consumerIds.map(name),
      mapSsrcConsumerId: dump.ssrcConsumers.map(({ ssrc, consumer }) => ({
        key: ssrc,
        value: name(consumer),
      })),
      mapRtxSsrcConsumerId: dump.rtxSsrcConsumers.map(({ ssrc, consumer }) => ({
        key: ssrc,
        value: name(consumer),
      })),
      recvRtpHeaderExtensions: { mid, rid, rrid, absSendTime, transportWideCc01: transportWideCc },
      rtpListener: {
        ssrcTable: dump.ssrcTable.map(({ ssrc, producer }) => ({ key: ssrc, value: name(producer) })),
        midTable: dump.midTable.map((entry) => ({ key: entry.name, value: name(entry.producer) })),
        ridTable: dump.ridTable.map((entry) => ({ key: entry.name, value: name(entry.producer) })),
      },
      maxSendMessageSize: 0,
      maxReceiveMessageSize: 0,
      dataProducerIds: [],
      dataConsumerIds: [],
      traceEventTypes: [],
    };
  }

  /** What statistics of every kind have. */
  protected baseStats(stats: TransportStats): BaseTransportStats {
    const share = (ppm: number | undefined) => (ppm === undefined ? undefined : ppm / 1_000_000);
    const setting = (bitrate: number | undefined) => (bitrate === 0 ? undefined : bitrate);
    return {
      transportId: this.id,
      timestamp: stats.timestampMs,
      bytesReceived: stats.received.bytes,
      recvBitrate: stats.received.bitrate,
      bytesSent: stats.sent.bytes,
      sendBitrate: stats.sent.bitrate,
      rtpBytesReceived: stats.rtpReceived.bytes,
      rtpRecvBitrate: stats.rtpReceived.bitrate,
      rtpBytesSent: stats.rtpSent.bytes,
      rtpSendBitrate: stats.rtpSent.bitrate,
      rtxBytesReceived: stats.rtxReceived.bytes,
      rtxRecvBitrate: stats.rtxReceived.bitrate,
      rtxBytesSent: stats.rtxSent.bytes,
      rtxSendBitrate: stats.rtxSent.bitrate,
      probationBytesSent: stats.probationSent?.bytes ?? 0,
      probationSendBitrate: stats.probationSent?.bitrate ?? 0,
      availableOutgoingBitrate: stats.availableOutgoingBitrate,
      availableIncomingBitrate: stats.availableIncomingBitrate,
      maxIncomingBitrate: setting(stats.maxIncomingBitrate),
      maxOutgoingBitrate: setting(stats.webrtc?.maxOutgoingBitrate),
      minOutgoingBitrate: setting(stats.webrtc?.minOutgoingBitrate),
      rtpPacketLossReceived: share(stats.rtpPacketLossReceivedPpm),
      rtpPacketLossSent: share(stats.rtpPacketLossSentPpm),
      droppedPackets: { ...stats.dropped },
    };
  }
}

/** How many media identifications a transport gives before it begins again: eight digits, for they go with every packet. */
const MIDS = 100_000_000;
