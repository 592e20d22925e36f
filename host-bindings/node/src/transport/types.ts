import type { EnhancedEventEmitter } from '../emitter';
import type { Consumer, ConsumerOptions } from '../media/consumer-types';
import type {
  DataConsumer,
  DataConsumerOptions,
  DataProducer,
  DataProducerOptions,
} from '../media/data-types';
import type { Producer, ProducerOptions } from '../media/producer-types';
import type { AppData } from '../types';

export type TransportType = 'webrtc' | 'plain' | 'pipe' | 'direct';

/** Where a transport listens. */
export type TransportListenInfo = {
  /** Plain and pipe transports take 'udp' only. */
  protocol: TransportProtocol;
  /** The address to bind, IPv4 or IPv6; an unspecified one answers from the address that it was called on. */
  ip: string;
  /** @deprecated Use `announcedAddress` instead. */
  announcedIp?: string;
  /** What peers are told instead of `ip`: an address or a host name. */
  announcedAddress?: string;
  /** Also offers `ip` itself, at a lower priority. Default false; WebRTC transports only. */
  exposeInternalIp?: boolean;
  /** This port and no other. `portRange` takes its place. */
  port?: number;
  /** A free port of this range. */
  portRange?: TransportPortRange;
  flags?: TransportSocketFlags;
  /**
   * Shares the socket with other plain transports that name the same `ip`, `port` and this. Peers are told apart by their
   * address, before that by announced SSRC. Default false.
   */
  shared?: boolean;
  /** SO_SNDBUF in bytes; 0, the default, leaves the system's. */
  sendBufferSize?: number;
  /** SO_RCVBUF in bytes; 0, the default, leaves the system's. */
  recvBufferSize?: number;
};

/** @deprecated Use `TransportListenInfo` instead. */
export type TransportListenIp = {
  ip: string;
  announcedIp?: string;
};

export type TransportProtocol = 'udp' | 'tcp';

export type TransportPortRange = {
  /** The lowest. */
  min: number;
  /** The highest. */
  max: number;
};

export type TransportSocketFlags = {
  /** IPV6_V6ONLY. Default false. */
  ipv6Only?: boolean;
  /** SO_REUSEPORT. Default false. */
  udpReusePort?: boolean;
};

/** The two ends of a transport. */
export type TransportTuple = {
  /** @deprecated Use `localAddress` instead. */
  localIp: string;
  /** The announced address where there is one, else the bound one. */
  localAddress: string;
  localPort: number;
  remoteIp?: string;
  remotePort?: number;
  protocol: TransportProtocol;
};

export type SctpState = 'new' | 'connecting' | 'connected' | 'failed' | 'closed';

export type SctpParameters = {
  port: number;
  maxSendMessageSize: number;
  maxReceiveMessageSize: number;
  sendBufferSize: number;
  perStreamSendQueueLimit: number;
  maxReceiverWindowBufferSize: number;
  isDataChannel: boolean;
  OS: number;
  MIS: number;
  maxMessageSize: number;
};

export type SctpNegotiatedCapabilities = {
  negotiatedMaxOutboundStreams: number;
  negotiatedMaxInboundStreams: number;
};

/** @deprecated Streams are not counted any more. */
export type NumSctpStreams = { OS: number; MIS: number };

/** Options of transports with data channels. The worker has none yet: `enableSctp` is refused. */
export type SctpOptions = {
  /** Default false. */
  enableSctp?: boolean;
  maxSendMessageSize?: number;
  maxReceiveMessageSize?: number;
  sctpSendBufferSize?: number;
  sctpPerStreamSendQueueLimit?: number;
  sctpMaxReceiverWindowBufferSize?: number;
  sctpDefaultStreamBufferedAmountLowThreshold?: number;
  /** @deprecated Taken and left out of account. */
  numSctpStreams?: NumSctpStreams;
  /** @deprecated Use `maxSendMessageSize` and `maxReceiveMessageSize` instead. */
  maxSctpMessageSize?: number;
};

export type RtpListenerDump = {
  ssrcTable: { key: number; value: string }[];
  midTable: { key: string; value: string }[];
  ridTable: { key: string; value: string }[];
};

export type SctpListenerDump = {
  streamIdTable: { key: number; value: string }[];
};

export type RecvRtpHeaderExtensions = {
  mid?: number;
  rid?: number;
  rrid?: number;
  absSendTime?: number;
  transportWideCc01?: number;
};

export type BaseTransportDump = {
  id: string;
  producerIds: string[];
  consumerIds: string[];
  mapSsrcConsumerId: { key: number; value: string }[];
  mapRtxSsrcConsumerId: { key: number; value: string }[];
  recvRtpHeaderExtensions: RecvRtpHeaderExtensions;
  rtpListener: RtpListenerDump;
  maxSendMessageSize: number;
  maxReceiveMessageSize: number;
  dataProducerIds: string[];
  dataConsumerIds: string[];
  sctpParameters?: SctpParameters;
  sctpState?: SctpState;
  sctpNegotiatedCapabilities?: SctpNegotiatedCapabilities;
  sctpListener?: SctpListenerDump;
  traceEventTypes?: string[];
};

/** Counters of a transport. Rates are bits per second. */
export type BaseTransportStats = {
  transportId: string;
  /** Milliseconds of the worker's monotonic clock. */
  timestamp: number;
  sctpState?: SctpState;
  bytesReceived: number;
  recvBitrate: number;
  bytesSent: number;
  sendBitrate: number;
  rtpBytesReceived: number;
  rtpRecvBitrate: number;
  rtpBytesSent: number;
  rtpSendBitrate: number;
  rtxBytesReceived: number;
  rtxRecvBitrate: number;
  rtxBytesSent: number;
  rtxSendBitrate: number;
  probationBytesSent: number;
  probationSendBitrate: number;
  availableOutgoingBitrate?: number;
  availableIncomingBitrate?: number;
  maxIncomingBitrate?: number;
  maxOutgoingBitrate?: number;
  minOutgoingBitrate?: number;
  /** 0 to 1. */
  rtpPacketLossReceived?: number;
  /** 0 to 1. */
  rtpPacketLossSent?: number;
  /** Packets that were thrown away, by reason. */
  droppedPackets: Record<string, number>;
};

export type TransportTraceEventType = 'probation' | 'bwe';

export type TransportTraceEventData = {
  type: TransportTraceEventType;
  timestamp: number;
  direction: 'in' | 'out';
  info: unknown;
};

export type TransportEvents = {
  routerclose: [];
  listenserverclose: [];
  trace: [TransportTraceEventData];
  /** A defect of the worker was contained by closing this transport. Please report the message. */
  internalerror: [Error];
  '@close': [];
};

export type TransportObserver = EnhancedEventEmitter<TransportObserverEvents>;

export type TransportObserverEvents = {
  close: [];
  newproducer: [Producer];
  newconsumer: [Consumer];
  newdataproducer: [DataProducer];
  newdataconsumer: [DataConsumer];
  trace: [TransportTraceEventData];
};

/** Where media comes in and goes out. What all kinds have in common. */
export interface Transport<
  TransportAppData extends AppData = AppData,
  Events extends TransportEvents = TransportEvents,
  Observer extends TransportObserver = TransportObserver,
> extends EnhancedEventEmitter<Events> {
  get id(): string;
  get closed(): boolean;
  get type(): TransportType;
  get appData(): TransportAppData;
  set appData(appData: TransportAppData);
  get observer(): Observer;
  /** Closes it, its producers (and their consumers) and its consumers. Effective at once; the worker follows. */
  close(): void;
  /** @private */
  routerClosed(): void;
  /** @private */
  listenServerClosed(): void;
  dump(): Promise<unknown>;
  getStats(): Promise<unknown[]>;
  connect(params: unknown): Promise<void>;
  /** Limits what all streams of the peer together may take, in bits per second; 0 ends that. */
  setMaxIncomingBitrate(bitrate: number): Promise<void>;
  /** Caps what is sent to the peer, in bits per second; 0 ends that. WebRTC transports only. */
  setMaxOutgoingBitrate(bitrate: number): Promise<void>;
  /** The least that may be sent to the peer, in bits per second; 0 ends that. WebRTC transports only. */
  setMinOutgoingBitrate(bitrate: number): Promise<void>;
  /** Receives a stream (or several of one source) from the peer. */
  produce<ProducerAppData extends AppData = AppData>(
    options: ProducerOptions<ProducerAppData>,
  ): Promise<Producer<ProducerAppData>>;
  /** Sends a producer of this router to the peer. */
  consume<ConsumerAppData extends AppData = AppData>(
    options: ConsumerOptions<ConsumerAppData>,
  ): Promise<Consumer<ConsumerAppData>>;
  /** @throws UnsupportedError: the worker has no data channels yet. */
  produceData<DataProducerAppData extends AppData = AppData>(
    options?: DataProducerOptions<DataProducerAppData>,
  ): Promise<DataProducer<DataProducerAppData>>;
  /** @throws UnsupportedError: the worker has no data channels yet. */
  consumeData<DataConsumerAppData extends AppData = AppData>(
    options: DataConsumerOptions<DataConsumerAppData>,
  ): Promise<DataConsumer<DataConsumerAppData>>;
  /** @throws UnsupportedError for any type: the worker does not trace transports yet. */
  enableTraceEvent(types?: TransportTraceEventType[]): Promise<void>;
}
