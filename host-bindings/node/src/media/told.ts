// What the worker tells about streams, as applications read it: statistics, dumps, traces, scores.
import type {
  ConsumerScore as WireConsumerScore,
  PacketTrace,
  RtpStreamStats,
  StreamDump,
  StreamScore,
  Trace,
  TraceInfo,
  TraceType,
} from '../wire/generated';
import type { ConsumerScore, RtpStreamDump } from './consumer-types';
import type { ProducerScore, ProducerTraceEventData, ProducerTraceEventType } from './producer-types';
import type {
  BaseRtpStreamStats,
  BitrateByLayer,
  RtpStreamRecvStats,
  RtpStreamSendStats,
} from './stats-types';

/** Scores of a producer's streams. */
export function producerScoreFromWire(scores: StreamScore[]): ProducerScore[] {
  return scores.map(({ encodingIdx, ssrc, rid, score }) => ({
    encodingIdx,
    ssrc,
    ...(rid !== undefined && { rid }),
    score,
  }));
}

/** Scores that matter to a consumer. */
export function consumerScoreFromWire({
  score,
  producerScore,
  producerScores,
}: WireConsumerScore): ConsumerScore {
  return { score, producerScore, producerScores: Array.from(producerScores) };
}

/** Counters of a stream that a producer's peer sends. */
export function recvStatsFromWire(stats: RtpStreamStats): RtpStreamRecvStats {
  const bitrateByLayer: BitrateByLayer = {};
  for (const { spatial, temporal, bitrate } of stats.bitrateByLayer) {
    bitrateByLayer[`${spatial}.${temporal}`] = bitrate;
  }
  return { type: 'inbound-rtp', ...baseStats(stats), ...counters(stats), bitrateByLayer };
}

/** Counters of a stream that a consumer sends. */
export function sendStatsFromWire(stats: RtpStreamStats): RtpStreamSendStats {
  return { type: 'outbound-rtp', ...baseStats(stats), ...counters(stats) };
}

function counters({ packetCount, byteCount, bitrate }: RtpStreamStats) {
  return { packetCount, byteCount, bitrate };
}

function baseStats(stats: RtpStreamStats): BaseRtpStreamStats {
  return {
    timestamp: stats.timestampMs,
    ssrc: stats.ssrc,
    rtxSsrc: stats.rtxSsrc,
    rid: stats.rid,
    kind: stats.kind,
    mimeType: stats.mimeType,
    packetsLost: stats.packetsLost,
    fractionLost: stats.fractionLost,
    jitter: stats.jitter,
    packetsDiscarded: stats.packetsDiscarded,
    packetsRetransmitted: stats.packetsRetransmitted,
    packetsRepaired: stats.packetsRepaired,
    nackCount: stats.nackCount,
    nackPacketCount: stats.nackPacketCount,
    pliCount: stats.pliCount,
    firCount: stats.firCount,
    roundTripTime: stats.roundTripTimeUs / 1000,
    rtxPacketsDiscarded: stats.rtxPacketsDiscarded,
    score: stats.score,
  };
}

/** A stream's parameters and score. */
export function streamFromWire(stream: StreamDump): RtpStreamDump {
  const { score, ...params } = stream;
  const { rtxSsrc, rtxPayloadType, clockRate, cname } = stream;
  if (rtxSsrc === undefined || rtxPayloadType === undefined) {
    return { params, score };
  }
  const mimeType = `${stream.mimeType.split('/')[0] ?? 'video'}/rtx`;
  const rtx = { ssrc: rtxSsrc, payloadType: rtxPayloadType, mimeType, clockRate, cname };
  return { params, score, rtxStream: { params: rtx } };
}

const TRACE_TYPES: Record<ProducerTraceEventType, TraceType> = {
  rtp: 'rtp',
  keyframe: 'keyFrame',
  nack: 'nack',
  pli: 'pli',
  fir: 'fir',
  sr: 'sr',
};

/**
 * The kinds of trace events that `types` name, each once. Names that are none of `known` are left out, as mediasoup does.
 *
 * @throws TypeError unless it is a list of texts.
 */
export function traceTypesToWire(types: unknown, known: readonly ProducerTraceEventType[]): TraceType[] {
  if (!Array.isArray(types)) {
    throw new TypeError('types must be an array');
  }
  if (types.some((type) => typeof type !== 'string')) {
    throw new TypeError('every type must be a string');
  }
  return known.filter((type) => types.includes(type)).map((type) => TRACE_TYPES[type]);
}

/** The public names of kinds of trace events. */
export function traceTypesFromWire(types: TraceType[]): ProducerTraceEventType[] {
  return types.map((type) => (type === 'keyFrame' ? 'keyframe' : type));
}

/** One trace event. */
export function traceFromWire({ timestampMs, direction, info }: Trace): ProducerTraceEventData {
  return {
    type: info.type === 'keyFrame' ? 'keyframe' : info.type,
    timestamp: timestampMs,
    direction: direction === 'inbound' ? 'in' : 'out',
    info: traceInfo(info),
  };
}

function traceInfo(info: TraceInfo): Record<string, unknown> {
  switch (info.type) {
    case 'rtp':
    case 'keyFrame':
      return packetInfo(info.value);
    case 'nack':
      return { ssrc: info.ssrc, packets: info.packets };
    case 'pli':
    case 'fir':
      return { ssrc: info.ssrc };
    case 'sr':
      return {
        ssrc: info.ssrc,
        ntpSec: Number(info.ntp >> 32n),
        ntpFrac: Number(info.ntp & 0xffff_ffffn),
        rtpTs: info.rtpTimestamp,
        packetCount: info.packetCount,
        octetCount: info.octetCount,
      };
  }
}

function packetInfo({ isRtx, ...rtpPacket }: PacketTrace): Record<string, unknown> {
  return { rtpPacket, isRtx };
}
