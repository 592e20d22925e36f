/**
 * What this project can forward: codecs and header extensions, as routers offer them.
 *
 * One table of each. H265 (RFC 7798), RED (RFC 2198) and FlexFEC-03 are on top of mediasoup 3.27's list; ids of
 * extensions are its. Knows names, rates, feedback and directions. Does not know what a router was asked for.
 * Invariant: the order is part of the interface; it decides what a router's capabilities look like.
 */
import type { MediaKind, RtpHeaderExtensionDirection } from '../rtp-parameters';
import type { Capabilities, CodecCapability, Feedback } from './dictionary';
import { sameName } from './text';
import type { Parameters } from './value';

export const MID_URI = 'urn:ietf:params:rtp-hdrext:sdes:mid';
export const ABS_SEND_TIME_URI = 'http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time';
export const TRANSPORT_CC_URI = 'http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01';
export const DEPENDENCY_DESCRIPTOR_URI =
  'https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension';
export const ABS_CAPTURE_TIME_URI = 'http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time';
const PLAYOUT_DELAY_URI = 'http://www.webrtc.org/experiments/rtp-hdrext/playout-delay';
const PACKET_ID_URI = 'urn:mediasoup:params:rtp-hdrext:packet-id';

/** The dependency descriptor's id in every router. */
export const DEPENDENCY_DESCRIPTOR_ID = 7;

/**
 * Everything that a router can be asked for; every call makes a new copy. Codecs with a static payload type (RFC 3551)
 * state it; the others get theirs from the router.
 */
export function getSupportedRtpCapabilities(): Capabilities {
  return {
    codecs: CODECS.map(capability),
    headerExtensions: EXTENSIONS.map(([preferredId, kind, uri, direction]) => ({
      kind,
      uri,
      preferredId,
      preferredEncrypt: false,
      direction,
    })),
  };
}

/** Whether a media codec of this name is in the list, at any clock rate. */
export function isKnown(mimeType: string): boolean {
  return CODECS.some((codec) => sameName(codec.mimeType, mimeType));
}

/** What to do about a codec that is not in the list, where there is more to say than that. */
export function advice(mimeType: string): string | undefined {
  if (sameName(mimeType, 'video/ulpfec') || sameName(mimeType, 'video/red')) {
    return (
      "repairs by the numbers of the sender's own packets (RFC 5109), which no consumer gets; leave it out and " +
      'negotiate NACK with RTX'
    );
  }
  return sameName(mimeType, 'video/flexfec')
    ? 'is not in use as RFC 8627 has it; name video/flexfec-03, or leave it out'
    : undefined;
}

/** One row of the table. */
type Row = {
  mimeType: string;
  /** Static payload type (RFC 3551 6), if any. */
  payloadType?: number;
  clockRate: number;
  /** Absent for video. */
  channels?: number;
  /** Type and parameter. */
  feedback: readonly string[];
  parameters?: Parameters;
};

function capability(row: Row): CodecCapability {
  return {
    kind: row.channels === undefined ? 'video' : 'audio',
    mimeType: row.mimeType,
    ...(row.payloadType === undefined ? {} : { preferredPayloadType: row.payloadType }),
    clockRate: row.clockRate,
    ...(row.channels === undefined ? {} : { channels: row.channels }),
    parameters: { ...row.parameters },
    rtcpFeedback: row.feedback.map(feedback),
  };
}

function feedback(written: string): Feedback {
  const [type = '', parameter = ''] = written.split(' ');
  return { type, parameter };
}

const OPUS_FEEDBACK = ['nack', 'transport-cc'];
const AUDIO_FEEDBACK = ['transport-cc'];
const FEC_FEEDBACK = ['goog-remb', 'transport-cc'];
const VIDEO_FEEDBACK = ['nack', 'nack pli', 'ccm fir', 'goog-remb', 'transport-cc'];

function audio(mimeType: string, clockRate: number, payloadType?: number): Row {
  return {
    mimeType,
    ...(payloadType === undefined ? {} : { payloadType }),
    clockRate,
    channels: 1,
    feedback: AUDIO_FEEDBACK,
  };
}

/** Events and comfort noise: nothing to send feedback for. */
function signal(mimeType: string, clockRate: number, payloadType?: number): Row {
  return { ...audio(mimeType, clockRate, payloadType), feedback: [] };
}

function opus(mimeType: string, channels: number, parameters: Parameters = {}): Row {
  return { mimeType, clockRate: 48_000, channels, feedback: OPUS_FEEDBACK, parameters };
}

function multiopus(channels: number, mapping: string, streams: number, coupled: number): Row {
  const parameters = { channel_mapping: mapping, num_streams: streams, coupled_streams: coupled };
  return opus('audio/multiopus', channels, parameters);
}

function video(mimeType: string, parameters: Parameters = {}): Row {
  return { mimeType, clockRate: 90_000, feedback: VIDEO_FEEDBACK, parameters };
}

const CODECS: readonly Row[] = [
  opus('audio/opus', 2),
  // The same stream with earlier packets repeated (RFC 2198). Only for who asks: its parameter is the router's.
  opus('audio/red', 2),
  // Quadraphonic, 5.1 and 7.1 in libopus' multistream layouts.
  multiopus(4, '0,1,2,3', 2, 2),
  multiopus(6, '0,4,1,2,3,5', 4, 2),
  multiopus(8, '0,6,1,2,3,4,5,7', 5, 3),
  audio('audio/PCMU', 8_000, 0),
  audio('audio/PCMA', 8_000, 8),
  audio('audio/ISAC', 32_000),
  audio('audio/ISAC', 16_000),
  // RFC 3551 4.5.2: 8,000 by mistake, kept for ever; the codec samples at 16,000.
  audio('audio/G722', 8_000, 9),
  audio('audio/iLBC', 8_000),
  audio('audio/SILK', 24_000),
  audio('audio/SILK', 16_000),
  audio('audio/SILK', 12_000),
  audio('audio/SILK', 8_000),
  signal('audio/CN', 32_000, 13),
  signal('audio/CN', 16_000, 13),
  signal('audio/CN', 8_000, 13),
  signal('audio/telephone-event', 48_000),
  signal('audio/telephone-event', 32_000),
  signal('audio/telephone-event', 16_000),
  signal('audio/telephone-event', 8_000),
  video('video/VP8'),
  video('video/VP9'),
  video('video/H264', { 'level-asymmetry-allowed': 1 }),
  video('video/AV1'),
  video('video/H265'),
  // Received only; see `consumableRtpParameters`. The window (microseconds) as browsers offer it.
  { ...video('video/flexfec-03', { 'repair-window': 10_000_000 }), feedback: FEC_FEEDBACK },
];

const EXTENSIONS: readonly (readonly [number, MediaKind, string, RtpHeaderExtensionDirection])[] = [
  [1, 'audio', MID_URI, 'sendrecv'],
  [1, 'video', MID_URI, 'sendrecv'],
  // Consumers send one stream, so they need no RID.
  [2, 'video', 'urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id', 'recvonly'],
  [3, 'video', 'urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id', 'recvonly'],
  [4, 'audio', ABS_SEND_TIME_URI, 'sendrecv'],
  [4, 'video', ABS_SEND_TIME_URI, 'sendrecv'],
  // Sound is too little to estimate bandwidth by when we send.
  [5, 'audio', TRANSPORT_CC_URI, 'recvonly'],
  [5, 'video', TRANSPORT_CC_URI, 'sendrecv'],
  [6, 'audio', 'urn:ietf:params:rtp-hdrext:ssrc-audio-level', 'sendrecv'],
  // Not rewritten when layers are dropped, so only other routers get it: `pipeConsumerRtpParameters`.
  [DEPENDENCY_DESCRIPTOR_ID, 'video', DEPENDENCY_DESCRIPTOR_URI, 'recvonly'],
  [8, 'video', 'urn:3gpp:video-orientation', 'sendrecv'],
  [9, 'video', 'urn:ietf:params:rtp-hdrext:toffset', 'sendrecv'],
  [10, 'audio', ABS_CAPTURE_TIME_URI, 'sendrecv'],
  [10, 'video', ABS_CAPTURE_TIME_URI, 'sendrecv'],
  [11, 'audio', PLAYOUT_DELAY_URI, 'sendrecv'],
  [11, 'video', PLAYOUT_DELAY_URI, 'sendrecv'],
  [12, 'audio', PACKET_ID_URI, 'sendrecv'],
  [12, 'video', PACKET_ID_URI, 'sendrecv'],
];
