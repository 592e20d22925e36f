import type { EnhancedEventEmitter } from '../emitter';
import type { MediaKind, RtpCapabilities, RtpEncodingParameters, RtpParameters } from '../rtp-parameters';
import type { AppData } from '../types';
import type { ProducerStat } from './producer-types';
import type { RtpStreamSendStats } from './stats-types';

export type ConsumerOptions<ConsumerAppData extends AppData = AppData> = {
  producerId: string;
  /** What the peer can receive. */
  rtpCapabilities: RtpCapabilities;
  /** Starts paused. Default false. Resume it when the peer is ready, so that no key frame is lost. */
  paused?: boolean;
  /** Unique within the transport. Default the next number of the transport, from 0 on. */
  mid?: string;
  /** Not supported by the worker yet: simulcast is refused, and SVC comes with all its layers. */
  preferredLayers?: ConsumerLayers;
  /** Whether lost packets are sent again when the peer asks, if it can. Default true for video, false for audio. */
  enableRtx?: boolean;
  /** Opus packets of silence are not forwarded. Default false. */
  ignoreDtx?: boolean;
  /** All streams of the producer side by side. Default false. */
  pipe?: boolean;
  appData?: ConsumerAppData;
};

export type ConsumerType = 'simple' | 'simulcast' | 'svc' | 'pipe';

export type ConsumerScore = {
  /** Of its own stream, 0 to 10. */
  score: number;
  /** Of the producer's stream that it gets, 0 to 10. */
  producerScore: number;
  /** Of all the producer's encodings, in order. */
  producerScores: number[];
};

export type ConsumerLayers = {
  spatialLayer: number;
  temporalLayer?: number;
};

export type ConsumerDump = SimpleConsumerDump | SimulcastConsumerDump | PipeConsumerDump;

export type SimpleConsumerDump = BaseConsumerDump & {
  type: string;
  rtpStream: RtpStreamDump;
};

export type SimulcastConsumerDump = BaseConsumerDump & {
  type: string;
  rtpStream: RtpStreamDump;
  preferredSpatialLayer: number;
  targetSpatialLayer: number;
  currentSpatialLayer: number;
  preferredTemporalLayer: number;
  targetTemporalLayer: number;
  currentTemporalLayer: number;
};

export type SvcConsumerDump = SimulcastConsumerDump;

export type PipeConsumerDump = BaseConsumerDump & {
  type: string;
  rtpStreams: RtpStreamDump[];
};

export type BaseConsumerDump = {
  id: string;
  producerId: string;
  kind: MediaKind;
  rtpParameters: RtpParameters;
  consumableRtpEncodings?: RtpEncodingParameters[];
  supportedCodecPayloadTypes: number[];
  traceEventTypes: string[];
  paused: boolean;
  producerPaused: boolean;
  priority: number;
};

export type RtpStreamDump = {
  params: RtpStreamParametersDump;
  score: number;
  rtxStream?: RtxStreamDump;
};

export type RtpStreamParametersDump = {
  encodingIdx: number;
  ssrc: number;
  payloadType: number;
  mimeType: string;
  clockRate: number;
  rid?: string;
  cname: string;
  rtxSsrc?: number;
  rtxPayloadType?: number;
  useNack: boolean;
  usePli: boolean;
  useFir: boolean;
  useInBandFec: boolean;
  useDtx: boolean;
  spatialLayers: number;
  temporalLayers: number;
};

export type RtxStreamDump = { params: RtxStreamParameters };

export type RtxStreamParameters = {
  ssrc: number;
  payloadType: number;
  mimeType: string;
  clockRate: number;
  rrid?: string;
  cname: string;
};

export type ConsumerStat = RtpStreamSendStats;

export type ConsumerTraceEventType = 'rtp' | 'keyframe' | 'nack' | 'pli' | 'fir';

export type ConsumerTraceEventData = {
  type: ConsumerTraceEventType;
  /** Milliseconds of the worker's monotonic clock. */
  timestamp: number;
  direction: 'in' | 'out';
  info: Record<string, unknown>;
};

export type ConsumerEvents = {
  transportclose: [];
  producerclose: [];
  producerpause: [];
  producerresume: [];
  score: [ConsumerScore];
  layerschange: [ConsumerLayers?];
  trace: [ConsumerTraceEventData];
  rtp: [Buffer];
  '@close': [];
};

export type ConsumerObserver = EnhancedEventEmitter<ConsumerObserverEvents>;

export type ConsumerObserverEvents = {
  close: [];
  pause: [];
  resume: [];
  score: [ConsumerScore];
  layerschange: [ConsumerLayers?];
  trace: [ConsumerTraceEventData];
};

/** What a router sends to a peer. */
export interface Consumer<
  ConsumerAppData extends AppData = AppData,
> extends EnhancedEventEmitter<ConsumerEvents> {
  get id(): string;
  get producerId(): string;
  get closed(): boolean;
  get kind(): MediaKind;
  /** What the peer receives: all that an SDP needs. */
  get rtpParameters(): RtpParameters;
  get type(): ConsumerType;
  get paused(): boolean;
  get producerPaused(): boolean;
  /** 1 to 255. */
  get priority(): number;
  get score(): ConsumerScore;
  get preferredLayers(): ConsumerLayers | undefined;
  get currentLayers(): ConsumerLayers | undefined;
  get appData(): ConsumerAppData;
  set appData(appData: ConsumerAppData);
  get observer(): ConsumerObserver;
  /** Closes it. Effective at once; the worker follows. */
  close(): void;
  /** @private */
  transportClosed(): void;
  dump(): Promise<ConsumerDump>;
  /** Its own stream and, once there is one, its producer's. */
  getStats(): Promise<(ConsumerStat | ProducerStat)[]>;
  /** Sends nothing until resumed. */
  pause(): Promise<void>;
  /** Sends again, with the next sequence number, from a key frame on. */
  resume(): Promise<void>;
  /** @throws UnsupportedError for consumers with layers: the worker does not choose layers yet. Does nothing for others. */
  setPreferredLayers(layers: ConsumerLayers): Promise<void>;
  /** Its share when bandwidth is scarce: 1 to 255. */
  setPriority(priority: number): Promise<void>;
  unsetPriority(): Promise<void>;
  requestKeyFrame(): Promise<void>;
  /** Tells these kinds of single packets as 'trace' events from now on, instead of those before. */
  enableTraceEvent(types?: ConsumerTraceEventType[]): Promise<void>;
}
