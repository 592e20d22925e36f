/** Counters of a stream that a producer's peer sends. */
export type RtpStreamRecvStats = BaseRtpStreamStats & {
  /** 'inbound-rtp' */
  type: string;
  packetCount: number;
  byteCount: number;
  /** Bits per second. */
  bitrate: number;
  /** Bits per second by 'spatial.temporal'. */
  bitrateByLayer: BitrateByLayer;
};

/** Counters of a stream that a consumer sends. */
export type RtpStreamSendStats = BaseRtpStreamStats & {
  /** 'outbound-rtp' */
  type: string;
  packetCount: number;
  byteCount: number;
  /** Bits per second. */
  bitrate: number;
};

export type BaseRtpStreamStats = {
  /** Milliseconds of the worker's monotonic clock. */
  timestamp: number;
  ssrc: number;
  rtxSsrc?: number;
  rid?: string;
  kind: string;
  mimeType: string;
  /** Duplicates make it negative. */
  packetsLost: number;
  /** Of the last interval, in 1/256. */
  fractionLost: number;
  /** In timestamp units. */
  jitter: number;
  packetsDiscarded: number;
  packetsRetransmitted: number;
  packetsRepaired: number;
  nackCount: number;
  nackPacketCount: number;
  pliCount: number;
  firCount: number;
  /** Milliseconds; absent until measured. */
  roundTripTime?: number;
  rtxPacketsDiscarded?: number;
  /** 0 to 10. */
  score: number;
};

export type BitrateByLayer = { [key: string]: number };
