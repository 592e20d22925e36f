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
  TransportTuple,
} from './types';

/** What one end of a transport sends under. */
export type SrtpParameters = {
  cryptoSuite: SrtpCryptoSuite;
  /** Master key, then master salt, as base64. */
  keyBase64: string;
};

export type SrtpCryptoSuite =
  'AEAD_AES_256_GCM' | 'AEAD_AES_128_GCM' | 'AES_CM_128_HMAC_SHA1_80' | 'AES_CM_128_HMAC_SHA1_32';

/** Either `listenInfo` or `listenIp` says where it listens. */
export type PlainTransportOptions<PlainTransportAppData extends AppData = AppData> = SctpOptions & {
  /** RTP and RTCP on one port (RFC 5761). Default true. */
  rtcpMux?: boolean;
  /**
   * Learns the peer's address from its first packet. Default false. `connect()` must not be called then, unless with SRTP:
   * with the peer's SRTP parameters alone.
   */
  comedia?: boolean;
  /** SRTP in both directions. Default false. Connect with the peer's parameters. */
  enableSrtp?: boolean;
  /** Default 'AES_CM_128_HMAC_SHA1_80'. */
  srtpCryptoSuite?: SrtpCryptoSuite;
  appData?: PlainTransportAppData;
} & PlainTransportListen;

type PlainTransportListen = Either<PlainTransportListenInfo, PlainTransportListenIp>;

type PlainTransportListenInfo = {
  listenInfo: TransportListenInfo;
  /** Where RTCP is received; it takes rtcp-mux off. */
  rtcpListenInfo?: TransportListenInfo;
};

type PlainTransportListenIp = {
  listenIp: TransportListenIp | string;
  port?: number;
};

export type PlainTransportDump = BaseTransportDump & {
  rtcpMux: boolean;
  comedia: boolean;
  tuple: TransportTuple;
  rtcpTuple?: TransportTuple;
  srtpParameters?: SrtpParameters;
};

export type PlainTransportStat = BaseTransportStats & {
  type: string;
  rtcpMux: boolean;
  comedia: boolean;
  tuple: TransportTuple;
  rtcpTuple?: TransportTuple;
};

export type PlainTransportEvents = TransportEvents & {
  tuple: [TransportTuple];
  rtcptuple: [TransportTuple];
  sctpstatechange: [SctpState];
};

export type PlainTransportObserver = EnhancedEventEmitter<PlainTransportObserverEvents>;

export type PlainTransportObserverEvents = TransportObserverEvents & {
  tuple: [TransportTuple];
  rtcptuple: [TransportTuple];
  sctpstatechange: [SctpState];
};

/** RTP over UDP without ICE and DTLS: ffmpeg, GStreamer, cameras, other servers. */
export interface PlainTransport<PlainTransportAppData extends AppData = AppData> extends Transport<
  PlainTransportAppData,
  PlainTransportEvents,
  PlainTransportObserver
> {
  get type(): 'plain';
  get observer(): PlainTransportObserver;
  get tuple(): TransportTuple;
  /** Undefined with rtcp-mux. */
  get rtcpTuple(): TransportTuple | undefined;
  get sctpParameters(): SctpParameters | undefined;
  get sctpState(): SctpState | undefined;
  get sctpNegotiatedCapabilities(): SctpNegotiatedCapabilities | undefined;
  /** What it sends under, for the peer. Undefined without SRTP. */
  get srtpParameters(): SrtpParameters | undefined;
  dump(): Promise<PlainTransportDump>;
  getStats(): Promise<PlainTransportStat[]>;
  /** Says where it sends to and, with SRTP, what the peer sends under. Once only. */
  connect(options: {
    ip?: string;
    port?: number;
    rtcpPort?: number;
    srtpParameters?: SrtpParameters;
  }): Promise<void>;
}
