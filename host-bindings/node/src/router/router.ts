import type { Channel } from '../channel/channel';
import { checkAppData, checkWhole } from '../check';
import { cloneOf } from '../clone';
import { Entity } from '../entity';
import { NotFoundError, UnsupportedError } from '../errors';
import { Logger } from '../log';
import type { ProducerImpl } from '../media/producer';
import { ActiveSpeakerObserverImpl, AudioLevelObserverImpl } from '../observer/observer';
import type {
  ActiveSpeakerObserver,
  ActiveSpeakerObserverOptions,
  AudioLevelObserver,
  AudioLevelObserverOptions,
  RtpObserver,
} from '../observer/types';
import * as ortc from '../ortc';
import type { RouterRtpCapabilities, RouterRtpCodecCapability, RtpCapabilities } from '../rtp-parameters';
import type { DirectTransport, DirectTransportOptions } from '../transport/direct-types';
import { plainOptionsToWire, webRtcOptionsToWire } from '../transport/options';
import type { PipeTransport, PipeTransportOptions } from '../transport/pipe-types';
import { PlainTransportImpl } from '../transport/plain';
import type { PlainTransport, PlainTransportOptions } from '../transport/plain-types';
import type { Transport } from '../transport/types';
import { WebRtcTransportImpl } from '../transport/webrtc';
import { WebRtcServerImpl } from '../transport/webrtc-server';
import type { WebRtcTransport, WebRtcTransportOptions } from '../transport/webrtc-types';
import type { AppData } from '../types';
import type { Command, Reply } from '../wire/generated';
import type {
  PipeToRouterOptions,
  PipeToRouterResult,
  Router,
  RouterDump,
  RouterEvents,
  RouterObserver,
} from './types';

const logger = new Logger('Router');

export class RouterImpl<RouterAppData extends AppData = AppData>
  extends Entity<RouterEvents, RouterObserver, RouterAppData>
  implements Router<RouterAppData>
{
  readonly #onClose: (router: RouterImpl) => void;
  #rtpCapabilities: RouterRtpCapabilities;
  readonly #transports = new Map<string, Transport>();
  readonly #observers = new Map<string, RtpObserver>();
  readonly #producers = new Map<string, ProducerImpl>();
  /** Ids of producers that are being made. */
  readonly #reserved = new Set<string>();

  constructor(
    channel: Channel,
    wireId: number,
    given: { appData?: RouterAppData; rtpCapabilities: RouterRtpCapabilities },
    onClose: (router: RouterImpl) => void,
  ) {
    super('router', channel, wireId, given);
    this.#rtpCapabilities = given.rtpCapabilities;
    this.#onClose = onClose;
  }

  get rtpCapabilities(): RouterRtpCapabilities {
    return cloneOf(this.#rtpCapabilities);
  }

  /** Just for testing purposes. */
  get transportsForTesting(): Map<string, Transport> {
    return this.#transports;
  }

  close(): void {
    if (this.#shutWithChildren()) {
      this.channel.tell({ type: 'closeRouter', router: this.wireId });
      this.#onClose(this);
      this.say('@close');
      this.sayToObserver('close');
    }
  }

  workerClosed(): void {
    if (this.#shutWithChildren()) {
      this.say('workerclose');
      this.sayToObserver('close');
    }
  }

  #shutWithChildren(): boolean {
    if (!this.shut()) {
      return false;
    }
    for (const transport of this.#transports.values()) {
      transport.routerClosed();
    }
    this.#transports.clear();
    this.#producers.clear();
    for (const observer of this.#observers.values()) {
      observer.routerClosed();
    }
    this.#observers.clear();
    return true;
  }

  async dump(): Promise<RouterDump> {
    const name = (id: number) => this.channel.nameOf(id) ?? `closed:${id}`;
    const dump = await this.request({ type: 'dumpRouter', router: this.wireId }, (reply) =>
      reply.type === 'routerDump' ? reply.value : undefined,
    );
    return {
      id: this.id,
      transportIds: dump.transportIds.map(name),
      rtpObserverIds: dump.observerIds.map(name),
      mapProducerIdConsumerIds: dump.producerConsumers.map(({ producer, consumers }) => ({
        key: name(producer),
        values: consumers.map(name),
      })),
      mapConsumerIdProducerId: dump.producerConsumers.flatMap(({ producer, consumers }) =>
        consumers.map((consumer) => ({ key: name(consumer), value: name(producer) })),
      ),
      mapProducerIdObserverIds: dump.producerObservers.map(({ producer, observers }) => ({
        key: name(producer),
        values: observers.map(name),
      })),
      mapDataProducerIdDataConsumerIds: [],
      mapDataConsumerIdDataProducerId: [],
    };
  }

  async createWebRtcTransport<WebRtcTransportAppData extends AppData = AppData>(
    options: WebRtcTransportOptions<WebRtcTransportAppData>,
  ): Promise<WebRtcTransport<WebRtcTransportAppData>> {
    const { webRtcServer, appData } = options;
    checkAppData(appData);
    const server = this.#serverOf(webRtcServer);
    const wire = webRtcOptionsToWire(options, server?.wireId);
    this.ensureOpen();
    server?.ensureOpen();
    const wireId = this.channel.newId();
    const value = { type: 'createTransport', router: this.wireId, transport: wireId, options: wire } as const;
    return this.#createTransport(
      { type: 'webRtc', value },
      wireId,
      (reply) => {
        if (reply.type !== 'webRtcTransport') {
          return undefined;
        }
        if (server?.closed) {
          throw new NotFoundError('the WebRTC server was closed in the meantime');
        }
        const given = { appData, server };
        return new WebRtcTransportImpl<WebRtcTransportAppData>(
          this.channel,
          wireId,
          this,
          given,
          reply.value,
        );
      },
      (transport) => {
        server?.handleWebRtcTransport(transport);
      },
    );
  }

  async createPlainTransport<PlainTransportAppData extends AppData = AppData>(
    options: PlainTransportOptions<PlainTransportAppData>,
  ): Promise<PlainTransport<PlainTransportAppData>> {
    const { appData } = options;
    checkAppData(appData);
    const wire = plainOptionsToWire(options);
    this.ensureOpen();
    const wireId = this.channel.newId();
    return this.#createTransport(
      { type: 'createPlainTransport', router: this.wireId, transport: wireId, options: wire },
      wireId,
      (reply) =>
        reply.type === 'plainTransport'
          ? new PlainTransportImpl<PlainTransportAppData>(
              this.channel,
              wireId,
              this,
              { appData },
              reply.value,
            )
          : undefined,
    );
  }

  async #createTransport<T extends { readonly id: string }>(
    command: Command,
    wireId: number,
    make: (reply: Reply) => T | undefined,
    onMade?: (transport: T) => void,
  ): Promise<T> {
    return this.channel.request(
      command,
      (reply) => {
        this.#ensureStillOpen();
        const transport = make(reply);
        if (transport) {
          this.#transports.set(transport.id, transport as unknown as Transport);
          this.sayToObserver('newtransport', transport);
          onMade?.(transport);
        }
        return transport;
      },
      { undo: { type: 'closeTransport', transport: wireId } },
    );
  }

  async createPipeTransport<PipeTransportAppData extends AppData = AppData>(
    options: PipeTransportOptions<PipeTransportAppData>,
  ): Promise<PipeTransport<PipeTransportAppData>> {
    const { listenInfo, listenIp, appData } = options;
    if (!listenInfo && !listenIp) {
      throw new TypeError('missing listenInfo and listenIp (one of them is mandatory)');
    }
    if (listenInfo && listenIp) {
      throw new TypeError('only one of listenInfo and listenIp must be given');
    }
    checkAppData(appData);
    this.ensureOpen();
    throw new UnsupportedError('this version of the worker has no pipe transports yet');
  }

  async createDirectTransport<DirectTransportAppData extends AppData = AppData>(
    options: DirectTransportOptions<DirectTransportAppData> = {},
  ): Promise<DirectTransport<DirectTransportAppData>> {
    checkAppData(options.appData);
    this.ensureOpen();
    throw new UnsupportedError('this version of the worker has no direct transports yet');
  }

  async pipeToRouter(options: PipeToRouterOptions): Promise<PipeToRouterResult> {
    const { producerId, dataProducerId, router, listenInfo, listenIp } = options;
    if (listenInfo && listenIp) {
      throw new TypeError('only one of listenInfo and listenIp must be given');
    }
    if (!producerId && !dataProducerId) {
      throw new TypeError('missing producerId or dataProducerId');
    }
    if (producerId && dataProducerId) {
      throw new TypeError('just producerId or dataProducerId can be given');
    }
    if (!(router as Router | undefined)) {
      throw new TypeError('missing router');
    }
    if (router === (this as unknown)) {
      throw new TypeError('cannot use this Router as destination');
    }
    this.ensureOpen();
    if (!producerId || !this.#producers.has(producerId)) {
      throw new NotFoundError(producerId ? 'Producer not found' : 'DataProducer not found');
    }
    throw new UnsupportedError('this version of the worker has no pipe transports yet');
  }

  async createActiveSpeakerObserver<ActiveSpeakerObserverAppData extends AppData = AppData>(
    options: ActiveSpeakerObserverOptions<ActiveSpeakerObserverAppData> = {},
  ): Promise<ActiveSpeakerObserver<ActiveSpeakerObserverAppData>> {
    const { interval = 300, appData } = options;
    const intervalMs = milliseconds(interval);
    checkAppData(appData);
    const wireId = this.channel.newId();
    return this.#createObserver(
      { type: 'createActiveSpeakerObserver', router: this.wireId, observer: wireId, intervalMs },
      wireId,
      () =>
        new ActiveSpeakerObserverImpl<ActiveSpeakerObserverAppData>(this.channel, wireId, this, { appData }),
    );
  }

  async createAudioLevelObserver<AudioLevelObserverAppData extends AppData = AppData>(
    options: AudioLevelObserverOptions<AudioLevelObserverAppData> = {},
  ): Promise<AudioLevelObserver<AudioLevelObserverAppData>> {
    const { maxEntries = 1, threshold = -80, interval = 1000, appData } = options;
    checkWhole(maxEntries, 'maxEntries', 1, 64);
    checkWhole(threshold, 'threshold', -127, 0);
    const intervalMs = milliseconds(interval);
    checkAppData(appData);
    const wireId = this.channel.newId();
    return this.#createObserver(
      {
        type: 'createAudioLevelObserver',
        router: this.wireId,
        observer: wireId,
        options: { maxEntries, threshold, intervalMs },
      },
      wireId,
      () => new AudioLevelObserverImpl<AudioLevelObserverAppData>(this.channel, wireId, this, { appData }),
    );
  }

  async #createObserver<T extends { readonly id: string }>(
    command: Command,
    wireId: number,
    make: () => T,
  ): Promise<T> {
    this.ensureOpen();
    return this.channel.request(
      command,
      (reply) => {
        if (reply.type !== 'done') {
          return undefined;
        }
        this.#ensureStillOpen();
        const observer = make();
        this.#observers.set(observer.id, observer as unknown as RtpObserver);
        this.sayToObserver('newrtpobserver', observer);
        return observer;
      },
      { undo: { type: 'closeObserver', observer: wireId } },
    );
  }

  canConsume({
    producerId,
    rtpCapabilities,
  }: {
    producerId: string;
    rtpCapabilities: RtpCapabilities;
  }): boolean {
    const producer = this.#producers.get(producerId);
    if (!producer) {
      logger.error(`canConsume(): Producer with id "${producerId}" not found`);
      return false;
    }
    try {
      return ortc.canConsume(producer.consumableRtpParameters, rtpCapabilities);
    } catch (error) {
      logger.error(`canConsume(): ${(error as Error).message}`);
      return false;
    }
  }

  updateMediaCodecs(mediaCodecs: RouterRtpCodecCapability[]): void {
    this.#rtpCapabilities = ortc.generateRouterRtpCapabilities(mediaCodecs);
  }

  /** @private */
  producer(id: string): ProducerImpl | undefined {
    return this.#producers.get(id);
  }

  /** @private */
  addProducer(producer: ProducerImpl): void {
    this.#producers.set(producer.id, producer);
  }

  /** @private */
  removeProducer(producer: ProducerImpl): void {
    this.#producers.delete(producer.id);
  }

  /** @private */
  reserveProducerId(id: string): boolean {
    if (this.#producers.has(id) || this.#reserved.has(id)) {
      return false;
    }
    this.#reserved.add(id);
    return true;
  }

  /** @private */
  releaseProducerId(id: string): void {
    this.#reserved.delete(id);
  }

  /** @private */
  removeTransport({ id }: { readonly id: string }): void {
    this.#transports.delete(id);
  }

  /** @private */
  removeObserver({ id }: { readonly id: string }): void {
    this.#observers.delete(id);
  }

  #serverOf(given: unknown): WebRtcServerImpl | undefined {
    if (given === undefined) {
      return undefined;
    }
    if (!(given instanceof WebRtcServerImpl) || !given.isOn(this.channel)) {
      throw new TypeError(
        "webRtcServer must be one of this router's own worker; make it with worker.createWebRtcServer()",
      );
    }
    return given;
  }

  /** An answer may come for a router that was closed in the meantime: the worker closes what it made. */
  #ensureStillOpen(): void {
    if (this.closed) {
      throw new NotFoundError('the router was closed in the meantime');
    }
  }

  protected onWorkerEvent(): void {
    // The worker tells nothing about routers.
  }
}

/** The worker takes what is out of its range to the nearest end. */
function milliseconds(interval: unknown): number {
  if (typeof interval !== 'number' || Number.isNaN(interval)) {
    throw new TypeError('if given, interval must be a number');
  }
  return Math.round(Math.min(Math.max(interval, 0), 0xffff));
}
