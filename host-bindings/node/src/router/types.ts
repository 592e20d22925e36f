import type { EnhancedEventEmitter } from '../emitter';
import type { Consumer } from '../media/consumer-types';
import type { DataConsumer, DataProducer } from '../media/data-types';
import type { Producer } from '../media/producer-types';
import type {
  ActiveSpeakerObserver,
  ActiveSpeakerObserverOptions,
  AudioLevelObserver,
  AudioLevelObserverOptions,
  RtpObserver,
} from '../observer/types';
import type { RouterRtpCapabilities, RouterRtpCodecCapability, RtpCapabilities } from '../rtp-parameters';
import type { DirectTransport, DirectTransportOptions } from '../transport/direct-types';
import type { PipeTransport, PipeTransportOptions } from '../transport/pipe-types';
import type { PlainTransport, PlainTransportOptions } from '../transport/plain-types';
import type { SctpOptions, Transport, TransportListenInfo, TransportListenIp } from '../transport/types';
import type { WebRtcTransport, WebRtcTransportOptions } from '../transport/webrtc-types';
import type { AppData, Either } from '../types';

export type RouterOptions<RouterAppData extends AppData = AppData> = {
  /** The codecs that it can forward, of those in `getSupportedRtpCapabilities()`. Video codecs get their RTX. */
  mediaCodecs?: RouterRtpCodecCapability[];
  appData?: RouterAppData;
};

export type PipeToRouterOptions = SctpOptions & {
  /** The producer to consume; this or `dataProducerId`. */
  producerId?: string;
  dataProducerId?: string;
  /** Where it is to be consumed. */
  router: Router;
  /** Whether the new producer has the id of the old one. Default true; then the routers must be of two workers. */
  keepId?: boolean;
  /** Repairs losses between the routers. Default false. */
  enableRtx?: boolean;
  /** Default false. */
  enableSrtp?: boolean;
} & PipeToRouterListen;

type PipeToRouterListen = Either<PipeToRouterListenInfo, PipeToRouterListenIp>;

type PipeToRouterListenInfo = { listenInfo: TransportListenInfo };

type PipeToRouterListenIp = {
  /** Default '127.0.0.1'. */
  listenIp?: TransportListenIp | string;
};

export type PipeToRouterResult = {
  /** In the origin router. */
  pipeConsumer?: Consumer;
  /** In the target router. */
  pipeProducer?: Producer;
  /** In the origin router. */
  pipeDataConsumer?: DataConsumer;
  /** In the target router. */
  pipeDataProducer?: DataProducer;
};

export type PipeTransportPair = { [key: string]: PipeTransport };

export type RouterDump = {
  id: string;
  transportIds: string[];
  rtpObserverIds: string[];
  mapProducerIdConsumerIds: { key: string; values: string[] }[];
  mapConsumerIdProducerId: { key: string; value: string }[];
  mapProducerIdObserverIds: { key: string; values: string[] }[];
  mapDataProducerIdDataConsumerIds: { key: string; values: string[] }[];
  mapDataConsumerIdDataProducerId: { key: string; value: string }[];
};

export type RouterEvents = {
  workerclose: [];
  '@close': [];
};

export type RouterObserver = EnhancedEventEmitter<RouterObserverEvents>;

export type RouterObserverEvents = {
  close: [];
  newtransport: [Transport];
  newrtpobserver: [RtpObserver];
};

/** Forwards from producers to consumers; what one room is to an application. */
export interface Router<RouterAppData extends AppData = AppData> extends EnhancedEventEmitter<RouterEvents> {
  get id(): string;
  get closed(): boolean;
  /** What it can forward: what endpoints make their parameters and capabilities from. */
  get rtpCapabilities(): RouterRtpCapabilities;
  get appData(): RouterAppData;
  set appData(appData: RouterAppData);
  get observer(): RouterObserver;
  /** Closes it and everything in it. Effective at once; the worker follows. */
  close(): void;
  /** @private */
  workerClosed(): void;
  dump(): Promise<RouterDump>;
  createWebRtcTransport<WebRtcTransportAppData extends AppData = AppData>(
    options: WebRtcTransportOptions<WebRtcTransportAppData>,
  ): Promise<WebRtcTransport<WebRtcTransportAppData>>;
  createPlainTransport<PlainTransportAppData extends AppData = AppData>(
    options: PlainTransportOptions<PlainTransportAppData>,
  ): Promise<PlainTransport<PlainTransportAppData>>;
  /** @throws UnsupportedError: the worker has no pipe transports yet. */
  createPipeTransport<PipeTransportAppData extends AppData = AppData>(
    options: PipeTransportOptions<PipeTransportAppData>,
  ): Promise<PipeTransport<PipeTransportAppData>>;
  /** @throws UnsupportedError: the worker has no direct transports yet. */
  createDirectTransport<DirectTransportAppData extends AppData = AppData>(
    options?: DirectTransportOptions<DirectTransportAppData>,
  ): Promise<DirectTransport<DirectTransportAppData>>;
  /** @throws UnsupportedError: the worker has no pipe transports yet. */
  pipeToRouter(options: PipeToRouterOptions): Promise<PipeToRouterResult>;
  createActiveSpeakerObserver<ActiveSpeakerObserverAppData extends AppData = AppData>(
    options?: ActiveSpeakerObserverOptions<ActiveSpeakerObserverAppData>,
  ): Promise<ActiveSpeakerObserver<ActiveSpeakerObserverAppData>>;
  createAudioLevelObserver<AudioLevelObserverAppData extends AppData = AppData>(
    options?: AudioLevelObserverOptions<AudioLevelObserverAppData>,
  ): Promise<AudioLevelObserver<AudioLevelObserverAppData>>;
  /** Whether an endpoint with these capabilities can consume that producer. The worker is not asked. */
  canConsume(options: { producerId: string; rtpCapabilities: RtpCapabilities }): boolean;
  /** Replaces the media codecs for producers and consumers to come. The worker is not asked. */
  updateMediaCodecs(mediaCodecs: RouterRtpCodecCapability[]): void;
}
