/**
 * RTP capabilities and parameters as applications write them: the dictionaries of ORTC with mediasoup's names.
 *
 * Knows fields, defaults and limits. Checks nothing: `ortc` does. Keys that are not listed here are ignored.
 */

/** Audio or video. */
export type MediaKind = 'audio' | 'video';

/** What a router or an endpoint can do. */
export type RtpCapabilities = {
  /** Media and RTX codecs; 128 at most. Default `[]`. */
  codecs?: RtpCodecCapability[];
  /** RFC 8285 header extensions; 64 at most. Default `[]`. */
  headerExtensions?: RtpHeaderExtension[];
};

/** A codec that a router or an endpoint can do. */
export type RtpCodecCapability = {
  /** Must be what `mimeType` begins with. */
  kind: MediaKind;
  /** For example `video/VP8`; compared without regard to case. 64 bytes at most. */
  mimeType: string;
  /** 0 to 127, when it matters. */
  preferredPayloadType?: number;
  /** Hertz of the RTP timestamp, not 0. */
  clockRate: number;
  /** Audio channels; 1 when absent. Ignored for video. */
  channels?: number;
  /**
   * Format parameters (fmtp): numbers and texts; 32 at most. `true` is 1 and `false` 0, any number that is not whole
   * its decimal text, `null` the empty text; lists and objects are refused. Default `{}`.
   */
  parameters?: Record<string, unknown>;
  /** Feedback that the receiver may send; 16 at most. Default `[]`. */
  rtcpFeedback?: RtcpFeedback[];
};

/** A media codec that a router is wanted to have. `preferredPayloadType` is chosen by the router when it is absent. */
export type RouterRtpCodecCapability = RtpCodecCapability;

/** What a router can do: every list is there and every codec has its payload type. */
export type RouterRtpCapabilities = {
  /** Media and RTX codecs. */
  codecs: (RtpCodecCapability & { preferredPayloadType: number })[];
  /** RFC 8285 header extensions. */
  headerExtensions: RtpHeaderExtension[];
};

/** Direction of a header extension, seen from whoever states the capability. */
export type RtpHeaderExtensionDirection = 'sendrecv' | 'sendonly' | 'recvonly' | 'inactive';

/**
 * Name of a header extension. Those that routers know are listed for editors; endpoints may have others, which are
 * ignored.
 */
export type RtpHeaderExtensionUri =
  | 'urn:ietf:params:rtp-hdrext:sdes:mid'
  | 'urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id'
  | 'urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id'
  | 'http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time'
  | 'http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01'
  | 'urn:ietf:params:rtp-hdrext:ssrc-audio-level'
  | 'https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension'
  | 'urn:3gpp:video-orientation'
  | 'urn:ietf:params:rtp-hdrext:toffset'
  | 'http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time'
  | 'http://www.webrtc.org/experiments/rtp-hdrext/playout-delay'
  | 'urn:mediasoup:params:rtp-hdrext:packet-id'
  | (string & Record<never, never>);

/** A header extension that a router or an endpoint can do. */
export type RtpHeaderExtension = {
  /** For which media. */
  kind: MediaKind;
  /** What it is; 256 bytes at most. */
  uri: RtpHeaderExtensionUri;
  /** Its id on the wire, 1 to 255 without 15. */
  preferredId: number;
  /** Whether encryption (RFC 6904) is wished for; this project never does it. Default false. */
  preferredEncrypt?: boolean;
  /** In which direction, seen from whoever states the capability. Default `sendrecv`. */
  direction?: RtpHeaderExtensionDirection;
};

/** What a producer sends or a consumer receives. */
export type RtpParameters = {
  /** Media identification (RFC 9143), unique within a transport; 32 bytes at most. */
  mid?: string;
  /** Names of the media stream and track (RFC 8830), for the receiver's information; not told to the worker. */
  msid?: string;
  /** Codecs; an RTX entry names its media codec with the parameter `apt`. 64 at most. */
  codecs: RtpCodecParameters[];
  /** RFC 8285 header extensions in use; 32 at most. Default `[]`. */
  headerExtensions?: RtpHeaderExtensionParameters[];
  /** Streams, in rising quality; 1 to 16. */
  encodings?: RtpEncodingParameters[];
  /** RTCP settings. */
  rtcp?: RtcpParameters;
};

/** One codec with its payload type. */
export type RtpCodecParameters = {
  /** For example `video/VP8`; compared without regard to case. 64 bytes at most. */
  mimeType: string;
  /** 0 to 127. */
  payloadType: number;
  /** Hertz of the RTP timestamp, not 0. */
  clockRate: number;
  /** Audio channels; 1 when absent. Ignored for video. */
  channels?: number;
  /** Format parameters (fmtp), as in {@link RtpCodecCapability}; 32 at most. Default `{}`. */
  parameters?: Record<string, unknown>;
  /** Feedback that the receiver may send; 16 at most. Default `[]`. */
  rtcpFeedback?: RtcpFeedback[];
};

/** RTCP feedback of a codec (RFC 4585 4.2), for example `nack` / `pli`. */
export type RtcpFeedback = {
  /** `nack`, `ccm`, `goog-remb`, `transport-cc`; 1 to 32 bytes. */
  type: string;
  /** `pli`, `fir` or empty; 32 bytes at most. Default `''`. */
  parameter?: string;
};

/** One stream. */
export type RtpEncodingParameters = {
  /** Its SSRC, when signalled. */
  ssrc?: number;
  /** Its restriction id (RFC 8851), when signalled; 32 bytes at most. */
  rid?: string;
  /** Payload type of its codec; the first media codec when absent. */
  codecPayloadType?: number;
  /** Its retransmissions (RFC 4588). */
  rtx?: { ssrc: number };
  /** Its forward error correction (FlexFEC-03). Received and counted, never forwarded. */
  fec?: { ssrc: number };
  /** Whether the sender pauses in silence. Default false. */
  dtx?: boolean;
  /** For example `L1T3`; 32 bytes at most. A text that is no scalability mode means one layer. */
  scalabilityMode?: string;
  /** Bits per second at most, for information. */
  maxBitrate?: number;
};

/** One header extension in use. */
export type RtpHeaderExtensionParameters = {
  /** What it is; 256 bytes at most. */
  uri: RtpHeaderExtensionUri;
  /** Its id on the wire, 1 to 255 without 15. */
  id: number;
  /** Encrypted extensions (RFC 6904) are not supported: must be false, the default. */
  encrypt?: boolean;
  /** Ignored, for none of the known extensions has any. */
  parameters?: Record<string, unknown>;
};

/** RTCP settings. */
export type RtcpParameters = {
  /**
   * Canonical name (RFC 3550 6.5.1), 255 bytes at most. The host gives a transport's producers the first one's, or a
   * random one if that is absent.
   */
  cname?: string;
  /** Whether reduced-size RTCP (RFC 5506) may be sent. Default true. */
  reducedSize?: boolean;
};
