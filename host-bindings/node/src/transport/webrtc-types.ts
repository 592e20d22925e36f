import type { EnhancedEventEmitter } from '../emitter';
import type { AppData, Either } from '../types';
import type {
  BaseTransportDump,
  BaseTransportStats,
  SctpNegotiatedCapabilities,
  SctpOptions,
  SctpParameters,
  SctpState,
  Transport,
  TransportEvents,
  TransportListenInfo,
  TransportListenIp,
  TransportObserverEvents,
  TransportProtocol,
  TransportTuple,
} from './types';
import type { WebRtcServer } from './webrtc-server-types';

/** One of `webRtcServer`, `listenInfos` and `listenIps` says where it listens. */
export type WebRtcTransportOptions<WebRtcTransportAppData extends AppData = AppData> =
  WebRtcTransportOptionsBase<WebRtcTransportAppData> & WebRtcTransportListen;

type WebRtcTransportOptionsBase<WebRtcTransportAppData> = SctpOptions & {
  /** Default true. */
  enableUdp?: boolean;
  /** Default true with a WebRtcServer, else false. */
  enableTcp?: boolean;
  /** UDP candidates get the higher priority. Default false. */
  preferUdp?: boolean;
  /** TCP candidates get the higher priority. Default false. */
  preferTcp?: boolean;
  /** Seconds of silence after which the peer counts as gone: 0 is never, else 10 to 60. Default 30. */
  iceConsentTimeout?: number;
  /** Bits per second to start with. Default 600,000. */
  initialAvailableOutgoingBitrate?: number;
  appData?: WebRtcTransportAppData;
};

type WebRtcTransportListen = Either<
  Either<WebRtcTransportListenIndividualListenInfo, WebRtcTransportListenIndividualListenIp>,
  WebRtcTransportListenServer
>;

type WebRtcTransportListenIndividualListenInfo = { listenInfos: TransportListenInfo[] };

type WebRtcTransportListenIndividualListenIp = {
  /** In order of preference. */
  listenIps: (TransportListenIp | string)[];
  port?: number;
};

type WebRtcTransportListenServer = { webRtcServer: WebRtcServer };

export type IceParameters = {
  usernameFragment: string;
  password: string;
  iceLite?: boolean;
};

export type IceCandidate = {
  foundation: string;
  priority: number;
  /** @deprecated Use `address` instead. */
  ip: string;
  /** An address, or the host name that was announced. */
  address: string;
  protocol: TransportProtocol;
  port: number;
  type: IceCandidateType;
  tcpType?: IceCandidateTcpType;
};

export type DtlsParameters = {
  /** Of whoever states it. Default 'auto'. */
  role?: DtlsRole;
  fingerprints: DtlsFingerprint[];
};

export type FingerprintAlgorithm = 'sha-1' | 'sha-224' | 'sha-256' | 'sha-384' | 'sha-512';

export type DtlsFingerprint = {
  algorithm: FingerprintAlgorithm;
  /** Pairs of hexadecimal digits with colons between them. */
  value: string;
};

export type IceRole = 'controlled' | 'controlling';

export type IceState = 'new' | 'connected' | 'completed' | 'disconnected' | 'closed';

export type IceCandidateType = 'host';

export type IceCandidateTcpType = 'passive';

export type DtlsRole = 'auto' | 'client' | 'server';

export type DtlsState = 'new' | 'connecting' | 'connected' | 'failed' | 'closed';

export type WebRtcTransportDump = BaseTransportDump & {
  iceRole: 'controlled';
  iceParameters: IceParameters;
  iceCandidates: IceCandidate[];
  iceState: IceState;
  iceSelectedTuple?: TransportTuple;
  dtlsParameters: DtlsParameters;
  dtlsState: DtlsState;
  dtlsRemoteCert?: string;
};

export type WebRtcTransportStat = BaseTransportStats & {
  type: string;
  iceRole: string;
  iceState: IceState;
  iceSelectedTuple?: TransportTuple;
  dtlsState: DtlsState;
};

export type WebRtcTransportEvents = TransportEvents & {
  icestatechange: [IceState];
  iceselectedtuplechange: [TransportTuple];
  dtlsstatechange: [DtlsState];
  sctpstatechange: [SctpState];
};

export type WebRtcTransportObserver = EnhancedEventEmitter<WebRtcTransportObserverEvents>;

export type WebRtcTransportObserverEvents = TransportObserverEvents & {
  icestatechange: [IceState];
  iceselectedtuplechange: [TransportTuple];
  dtlsstatechange: [DtlsState];
  sctpstatechange: [SctpState];
};

/** What a browser connects to: ICE-lite, DTLS and SRTP over UDP or TCP. */
export interface WebRtcTransport<WebRtcTransportAppData extends AppData = AppData> extends Transport<
  WebRtcTransportAppData,
  WebRtcTransportEvents,
  WebRtcTransportObserver
> {
  get type(): 'webrtc';
  get observer(): WebRtcTransportObserver;
  get iceRole(): 'controlled';
  get iceParameters(): IceParameters;
  get iceCandidates(): IceCandidate[];
  get iceState(): IceState;
  get iceSelectedTuple(): TransportTuple | undefined;
  get dtlsParameters(): DtlsParameters;
  get dtlsState(): DtlsState;
  /** The peer's certificate as PEM, once connected. */
  get dtlsRemoteCert(): string | undefined;
  get sctpParameters(): SctpParameters | undefined;
  get sctpState(): SctpState | undefined;
  get sctpNegotiatedCapabilities(): SctpNegotiatedCapabilities | undefined;
  dump(): Promise<WebRtcTransportDump>;
  getStats(): Promise<WebRtcTransportStat[]>;
  /** Says who the peer is: DTLS begins. Once only. */
  connect(options: { dtlsParameters: DtlsParameters }): Promise<void>;
  /** Makes new ICE credentials for the peer to use; the old ones stay good until it does. */
  restartIce(): Promise<IceParameters>;
}
