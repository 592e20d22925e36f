import type { EnhancedEventEmitter } from '../emitter';
import type { MediaKind, RtpParameters } from '../rtp-parameters';
import type { AppData } from '../types';
import type { RtpStreamRecvStats } from './stats-types';

export type ProducerOptions<ProducerAppData extends AppData = AppData> = {
  /** Default random. */
  id?: string;
  kind: MediaKind;
  /** What the peer sends. */
  rtpParameters: RtpParameters;
  /** Starts paused. Default false. */
  paused?: boolean;
  /** Least milliseconds between two key frame requests to the peer; 0, the default, is the worker's 500. */
  keyFrameRequestDelay?: number;
  /** Not supported by the worker: true is refused. */
  enableMediasoupPacketIdHeaderExtension?: boolean;
  appData?: ProducerAppData;
};

export type ProducerType = 'simple' | 'simulcast' | 'svc';

export type ProducerScore = {
  /** Index of its encoding. */
  encodingIdx: number;
  ssrc: number;
  rid?: string;
  /** 0 (nothing arrives) to 10 (nothing is lost). */
  score: number;
};

/** How a camera is held. */
export type ProducerVideoOrientation = {
  /** The back camera, which looks away from the user. */
  camera: boolean;
  /** The picture is mirrored. */
  flip: boolean;
  /** Degrees: 0, 90, 180 or 270. */
  rotation: number;
};

export type ProducerDump = {
  id: string;
  kind: string;
  type: ProducerType;
  rtpParameters: RtpParameters;
  rtpMapping: unknown;
  rtpStreams: unknown;
  traceEventTypes: string[];
  paused: boolean;
};

export type ProducerStat = RtpStreamRecvStats;

export type ProducerTraceEventType = 'rtp' | 'keyframe' | 'nack' | 'pli' | 'fir' | 'sr';

export type ProducerTraceEventData = {
  type: ProducerTraceEventType;
  /** Milliseconds of the worker's monotonic clock. */
  timestamp: number;
  direction: 'in' | 'out';
  info: Record<string, unknown>;
};

export type ProducerEvents = {
  transportclose: [];
  score: [ProducerScore[]];
  videoorientationchange: [ProducerVideoOrientation];
  trace: [ProducerTraceEventData];
  '@close': [];
};

export type ProducerObserver = EnhancedEventEmitter<ProducerObserverEvents>;

export type ProducerObserverEvents = {
  close: [];
  pause: [];
  resume: [];
  score: [ProducerScore[]];
  videoorientationchange: [ProducerVideoOrientation];
  trace: [ProducerTraceEventData];
};

/** What a peer sends into a router. */
export interface Producer<
  ProducerAppData extends AppData = AppData,
> extends EnhancedEventEmitter<ProducerEvents> {
  get id(): string;
  get closed(): boolean;
  get kind(): MediaKind;
  get rtpParameters(): RtpParameters;
  get type(): ProducerType;
  /** @private */
  get consumableRtpParameters(): RtpParameters;
  get paused(): boolean;
  get score(): ProducerScore[];
  get appData(): ProducerAppData;
  set appData(appData: ProducerAppData);
  get observer(): ProducerObserver;
  /** Closes it and its consumers. Effective at once; the worker follows. */
  close(): void;
  /** @private */
  transportClosed(): void;
  dump(): Promise<ProducerDump>;
  /** One entry a stream. */
  getStats(): Promise<ProducerStat[]>;
  /** Forwards nothing until resumed. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Tells these kinds of single packets as 'trace' events from now on, instead of those before. */
  enableTraceEvent(types?: ProducerTraceEventType[]): Promise<void>;
  /** @throws UnsupportedError: producers of direct transports alone take packets, and the worker has none yet. */
  send(rtpPacket: Buffer): void;
}
