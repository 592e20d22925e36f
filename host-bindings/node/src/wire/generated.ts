// Written by `cargo run -p tidegate-codegen` from the types in protocol/src. Do not edit: CI compares.
import type { Reader, Writer } from './bincode';

/** Version of the wire; either side refuses another one. */
export const PROTOCOL_VERSION = 3;
/** The most bytes that a frame's content may have. */
export const FRAME_BYTES_MAX = 4194304;
/** The worker's exit codes. */
export const EXIT = { closed: 0, badSettings: 42, brokenFraming: 43, badDescriptor: 44, internal: 70 } as const;
/** Name and value of a variable that a host puts into a worker's environment unless it is set already. */
export const ALLOCATOR_ENVIRONMENT = ['GLIBC_TUNABLES', 'glibc.malloc.tcache_count=0'] as const;

export interface AudioLevel {
  producer: ProducerId;
  volume: number;
}
export function readAudioLevel(r: Reader): AudioLevel {
  return {
    producer: readProducerId(r),
    volume: r.i8(),
  };
}
export function writeAudioLevel(w: Writer, value: AudioLevel): void {
  writeProducerId(w, value.producer);
  w.i8(value.volume);
}

export interface AudioLevelObserverOptions {
  maxEntries: number;
  threshold: number;
  intervalMs: number;
}
export function readAudioLevelObserverOptions(r: Reader): AudioLevelObserverOptions {
  return {
    maxEntries: r.u16(),
    threshold: r.i8(),
    intervalMs: r.u16(),
  };
}
export function writeAudioLevelObserverOptions(w: Writer, value: AudioLevelObserverOptions): void {
  w.u16(value.maxEntries);
  w.i8(value.threshold);
  w.u16(value.intervalMs);
}

export interface CodecMapping {
  payloadType: number;
  mappedPayloadType: number;
}
export function readCodecMapping(r: Reader): CodecMapping {
  return {
    payloadType: r.u8(),
    mappedPayloadType: r.u8(),
  };
}
export function writeCodecMapping(w: Writer, value: CodecMapping): void {
  w.u8(value.payloadType);
  w.u8(value.mappedPayloadType);
}

export interface CodecParameter {
  name: string;
  value: ParameterValue;
}
export function readCodecParameter(r: Reader): CodecParameter {
  return {
    name: r.text(),
    value: readParameterValue(r),
  };
}
export function writeCodecParameter(w: Writer, value: CodecParameter): void {
  w.text(value.name);
  writeParameterValue(w, value.value);
}

export type Command =
  | { type: 'closeWorker' }
  | { type: 'dumpWorker' }
  | { type: 'getResourceUsage' }
  | { type: 'getMetrics' }
  | { type: 'updateSettings'; logLevel: LogLevel | undefined; logTags: LogTag[] | undefined }
  | { type: 'drain'; deadlineMs: number }
  | { type: 'tap'; transport: TransportId; enabled: boolean }
  | { type: 'createRouter'; router: RouterId }
  | { type: 'closeRouter'; router: RouterId }
  | { type: 'dumpRouter'; router: RouterId }
  | { type: 'createPlainTransport'; router: RouterId; transport: TransportId; options: PlainTransportOptions }
  | { type: 'connectPlainTransport'; transport: TransportId; options: PlainConnectOptions }
  | { type: 'closeTransport'; transport: TransportId }
  | { type: 'dumpTransport'; transport: TransportId }
  | { type: 'getTransportStats'; transport: TransportId }
  | { type: 'setMaxIncomingBitrate'; transport: TransportId; bitrate: number }
  | { type: 'produce'; transport: TransportId; producer: ProducerId; kind: MediaKind; rtpParameters: RtpParameters; rtpMapping: RtpMapping; paused: boolean; keyFrameRequestDelayMs: number }
  | { type: 'closeProducer'; producer: ProducerId }
  | { type: 'dumpProducer'; producer: ProducerId }
  | { type: 'getProducerStats'; producer: ProducerId }
  | { type: 'pauseProducer'; producer: ProducerId }
  | { type: 'resumeProducer'; producer: ProducerId }
  | { type: 'enableProducerTrace'; producer: ProducerId; types: TraceType[] }
  | { type: 'consume'; transport: TransportId; consumer: ConsumerId; producer: ProducerId; kind: MediaKind; rtpParameters: RtpParameters; consumerType: RtpType; consumableSsrcs: number[]; paused: boolean; ignoreDtx: boolean }
  | { type: 'closeConsumer'; consumer: ConsumerId }
  | { type: 'dumpConsumer'; consumer: ConsumerId }
  | { type: 'getConsumerStats'; consumer: ConsumerId }
  | { type: 'pauseConsumer'; consumer: ConsumerId }
  | { type: 'resumeConsumer'; consumer: ConsumerId }
  | { type: 'requestKeyFrame'; consumer: ConsumerId }
  | { type: 'setConsumerPriority'; consumer: ConsumerId; priority: number }
  | { type: 'enableConsumerTrace'; consumer: ConsumerId; types: TraceType[] }
  | { type: 'createAudioLevelObserver'; router: RouterId; observer: ObserverId; options: AudioLevelObserverOptions }
  | { type: 'createActiveSpeakerObserver'; router: RouterId; observer: ObserverId; intervalMs: number }
  | { type: 'closeObserver'; observer: ObserverId }
  | { type: 'dumpObserver'; observer: ObserverId }
  | { type: 'pauseObserver'; observer: ObserverId }
  | { type: 'resumeObserver'; observer: ObserverId }
  | { type: 'addObservedProducer'; observer: ObserverId; producer: ProducerId }
  | { type: 'removeObservedProducer'; observer: ObserverId; producer: ProducerId }
  | { type: 'webRtc'; value: WebRtcCommand };
export function readCommand(r: Reader): Command {
  const tag = r.u32();
  switch (tag) {
    case 0:
      return { type: 'closeWorker' };
    case 1:
      return { type: 'dumpWorker' };
    case 2:
      return { type: 'getResourceUsage' };
    case 3:
      return { type: 'getMetrics' };
    case 4:
      return { type: 'updateSettings', logLevel: r.option() ? readLogLevel(r) : undefined, logTags: r.option() ? r.list(4, () => readLogTag(r)) : undefined };
    case 5:
      return { type: 'drain', deadlineMs: r.u64() };
    case 6:
      return { type: 'tap', transport: readTransportId(r), enabled: r.bool() };
    case 7:
      return { type: 'createRouter', router: readRouterId(r) };
    case 8:
      return { type: 'closeRouter', router: readRouterId(r) };
    case 9:
      return { type: 'dumpRouter', router: readRouterId(r) };
    case 10:
      return { type: 'createPlainTransport', router: readRouterId(r), transport: readTransportId(r), options: readPlainTransportOptions(r) };
    case 11:
      return { type: 'connectPlainTransport', transport: readTransportId(r), options: readPlainConnectOptions(r) };
    case 12:
      return { type: 'closeTransport', transport: readTransportId(r) };
    case 13:
      return { type: 'dumpTransport', transport: readTransportId(r) };
    case 14:
      return { type: 'getTransportStats', transport: readTransportId(r) };
    case 15:
      return { type: 'setMaxIncomingBitrate', transport: readTransportId(r), bitrate: r.u64() };
    case 16:
      return { type: 'produce', transport: readTransportId(r), producer: readProducerId(r), kind: readMediaKind(r), rtpParameters: readRtpParameters(r), rtpMapping: readRtpMapping(r), paused: r.bool(), keyFrameRequestDelayMs: r.u32() };
    case 17:
      return { type: 'closeProducer', producer: readProducerId(r) };
    case 18:
      return { type: 'dumpProducer', producer: readProducerId(r) };
    case 19:
      return { type: 'getProducerStats', producer: readProducerId(r) };
    case 20:
      return { type: 'pauseProducer', producer: readProducerId(r) };
    case 21:
      return { type: 'resumeProducer', producer: readProducerId(r) };
    case 22:
      return { type: 'enableProducerTrace', producer: readProducerId(r), types: r.list(4, () => readTraceType(r)) };
    case 23:
      return { type: 'consume', transport: readTransportId(r), consumer: readConsumerId(r), producer: readProducerId(r), kind: readMediaKind(r), rtpParameters: readRtpParameters(r), consumerType: readRtpType(r), consumableSsrcs: r.list(4, () => r.u32()), paused: r.bool(), ignoreDtx: r.bool() };
    case 24:
      return { type: 'closeConsumer', consumer: readConsumerId(r) };
    case 25:
      return { type: 'dumpConsumer', consumer: readConsumerId(r) };
    case 26:
      return { type: 'getConsumerStats', consumer: readConsumerId(r) };
    case 27:
      return { type: 'pauseConsumer', consumer: readConsumerId(r) };
    case 28:
      return { type: 'resumeConsumer', consumer: readConsumerId(r) };
    case 29:
      return { type: 'requestKeyFrame', consumer: readConsumerId(r) };
    case 30:
      return { type: 'setConsumerPriority', consumer: readConsumerId(r), priority: r.u8() };
    case 31:
      return { type: 'enableConsumerTrace', consumer: readConsumerId(r), types: r.list(4, () => readTraceType(r)) };
    case 32:
      return { type: 'createAudioLevelObserver', router: readRouterId(r), observer: readObserverId(r), options: readAudioLevelObserverOptions(r) };
    case 33:
      return { type: 'createActiveSpeakerObserver', router: readRouterId(r), observer: readObserverId(r), intervalMs: r.u16() };
    case 34:
      return { type: 'closeObserver', observer: readObserverId(r) };
    case 35:
      return { type: 'dumpObserver', observer: readObserverId(r) };
    case 36:
      return { type: 'pauseObserver', observer: readObserverId(r) };
    case 37:
      return { type: 'resumeObserver', observer: readObserverId(r) };
    case 38:
      return { type: 'addObservedProducer', observer: readObserverId(r), producer: readProducerId(r) };
    case 39:
      return { type: 'removeObservedProducer', observer: readObserverId(r), producer: readProducerId(r) };
    case 40:
      return { type: 'webRtc', value: readWebRtcCommand(r) };
    default:
      return r.unknown('Command', tag);
  }
}
export function writeCommand(w: Writer, value: Command): void {
  switch (value.type) {
    case 'closeWorker':
      w.u32(0);
      return;
    case 'dumpWorker':
      w.u32(1);
      return;
    case 'getResourceUsage':
      w.u32(2);
      return;
    case 'getMetrics':
      w.u32(3);
      return;
    case 'updateSettings':
      w.u32(4);
      { const item0 = value.logLevel; w.option(item0 !== undefined); if (item0 !== undefined) { writeLogLevel(w, item0); } }
      { const item0 = value.logTags; w.option(item0 !== undefined); if (item0 !== undefined) { w.u64(item0.length); for (const item1 of item0) { writeLogTag(w, item1); } } }
      return;
    case 'drain':
      w.u32(5);
      w.u64(value.deadlineMs);
      return;
    case 'tap':
      w.u32(6);
      writeTransportId(w, value.transport);
      w.bool(value.enabled);
      return;
    case 'createRouter':
      w.u32(7);
      writeRouterId(w, value.router);
      return;
    case 'closeRouter':
      w.u32(8);
      writeRouterId(w, value.router);
      return;
    case 'dumpRouter':
      w.u32(9);
      writeRouterId(w, value.router);
      return;
    case 'createPlainTransport':
      w.u32(10);
      writeRouterId(w, value.router);
      writeTransportId(w, value.transport);
      writePlainTransportOptions(w, value.options);
      return;
    case 'connectPlainTransport':
      w.u32(11);
      writeTransportId(w, value.transport);
      writePlainConnectOptions(w, value.options);
      return;
    case 'closeTransport':
      w.u32(12);
      writeTransportId(w, value.transport);
      return;
    case 'dumpTransport':
      w.u32(13);
      writeTransportId(w, value.transport);
      return;
    case 'getTransportStats':
      w.u32(14);
      writeTransportId(w, value.transport);
      return;
    case 'setMaxIncomingBitrate':
      w.u32(15);
      writeTransportId(w, value.transport);
      w.u64(value.bitrate);
      return;
    case 'produce':
      w.u32(16);
      writeTransportId(w, value.transport);
      writeProducerId(w, value.producer);
      writeMediaKind(w, value.kind);
      writeRtpParameters(w, value.rtpParameters);
      writeRtpMapping(w, value.rtpMapping);
      w.bool(value.paused);
      w.u32(value.keyFrameRequestDelayMs);
      return;
    case 'closeProducer':
      w.u32(17);
      writeProducerId(w, value.producer);
      return;
    case 'dumpProducer':
      w.u32(18);
      writeProducerId(w, value.producer);
      return;
    case 'getProducerStats':
      w.u32(19);
      writeProducerId(w, value.producer);
      return;
    case 'pauseProducer':
      w.u32(20);
      writeProducerId(w, value.producer);
      return;
    case 'resumeProducer':
      w.u32(21);
      writeProducerId(w, value.producer);
      return;
    case 'enableProducerTrace':
      w.u32(22);
      writeProducerId(w, value.producer);
      w.u64(value.types.length); for (const item0 of value.types) { writeTraceType(w, item0); }
      return;
    case 'consume':
      w.u32(23);
      writeTransportId(w, value.transport);
      writeConsumerId(w, value.consumer);
      writeProducerId(w, value.producer);
      writeMediaKind(w, value.kind);
      writeRtpParameters(w, value.rtpParameters);
      writeRtpType(w, value.consumerType);
      w.u64(value.consumableSsrcs.length); for (const item0 of value.consumableSsrcs) { w.u32(item0); }
      w.bool(value.paused);
      w.bool(value.ignoreDtx);
      return;
    case 'closeConsumer':
      w.u32(24);
      writeConsumerId(w, value.consumer);
      return;
    case 'dumpConsumer':
      w.u32(25);
      writeConsumerId(w, value.consumer);
      return;
    case 'getConsumerStats':
      w.u32(26);
      writeConsumerId(w, value.consumer);
      return;
    case 'pauseConsumer':
      w.u32(27);
      writeConsumerId(w, value.consumer);
      return;
    case 'resumeConsumer':
      w.u32(28);
      writeConsumerId(w, value.consumer);
      return;
    case 'requestKeyFrame':
      w.u32(29);
      writeConsumerId(w, value.consumer);
      return;
    case 'setConsumerPriority':
      w.u32(30);
      writeConsumerId(w, value.consumer);
      w.u8(value.priority);
      return;
    case 'enableConsumerTrace':
      w.u32(31);
      writeConsumerId(w, value.consumer);
      w.u64(value.types.length); for (const item0 of value.types) { writeTraceType(w, item0); }
      return;
    case 'createAudioLevelObserver':
      w.u32(32);
      writeRouterId(w, value.router);
      writeObserverId(w, value.observer);
      writeAudioLevelObserverOptions(w, value.options);
      return;
    case 'createActiveSpeakerObserver':
      w.u32(33);
      writeRouterId(w, value.router);
      writeObserverId(w, value.observer);
      w.u16(value.intervalMs);
      return;
    case 'closeObserver':
      w.u32(34);
      writeObserverId(w, value.observer);
      return;
    case 'dumpObserver':
      w.u32(35);
      writeObserverId(w, value.observer);
      return;
    case 'pauseObserver':
      w.u32(36);
      writeObserverId(w, value.observer);
      return;
    case 'resumeObserver':
      w.u32(37);
      writeObserverId(w, value.observer);
      return;
    case 'addObservedProducer':
      w.u32(38);
      writeObserverId(w, value.observer);
      writeProducerId(w, value.producer);
      return;
    case 'removeObservedProducer':
      w.u32(39);
      writeObserverId(w, value.observer);
      writeProducerId(w, value.producer);
      return;
    case 'webRtc':
      w.u32(40);
      writeWebRtcCommand(w, value.value);
      return;
    default:
      w.unknown('Command', value);
  }
}

export interface CommandError {
  kind: ErrorKind;
  message: string;
}
export function readCommandError(r: Reader): CommandError {
  return {
    kind: readErrorKind(r),
    message: r.text(),
  };
}
export function writeCommandError(w: Writer, value: CommandError): void {
  writeErrorKind(w, value.kind);
  w.text(value.message);
}

export interface ConsumerDump {
  consumer: ConsumerId;
  transport: TransportId;
  producer: ProducerId;
  kind: MediaKind;
  consumerType: RtpType;
  paused: boolean;
  producerPaused: boolean;
  priority: number;
  awaitsKeyFrame: boolean;
  supportedCodecPayloadTypes: Uint8Array;
  consumableSsrcs: number[];
  stream: StreamDump;
  historyPackets: number;
  historyBytes: number;
  traceEventTypes: TraceType[];
}
export function readConsumerDump(r: Reader): ConsumerDump {
  return {
    consumer: readConsumerId(r),
    transport: readTransportId(r),
    producer: readProducerId(r),
    kind: readMediaKind(r),
    consumerType: readRtpType(r),
    paused: r.bool(),
    producerPaused: r.bool(),
    priority: r.u8(),
    awaitsKeyFrame: r.bool(),
    supportedCodecPayloadTypes: r.bytes(),
    consumableSsrcs: r.list(4, () => r.u32()),
    stream: readStreamDump(r),
    historyPackets: r.u64(),
    historyBytes: r.u64(),
    traceEventTypes: r.list(4, () => readTraceType(r)),
  };
}
export function writeConsumerDump(w: Writer, value: ConsumerDump): void {
  writeConsumerId(w, value.consumer);
  writeTransportId(w, value.transport);
  writeProducerId(w, value.producer);
  writeMediaKind(w, value.kind);
  writeRtpType(w, value.consumerType);
  w.bool(value.paused);
  w.bool(value.producerPaused);
  w.u8(value.priority);
  w.bool(value.awaitsKeyFrame);
  w.bytes(value.supportedCodecPayloadTypes);
  w.u64(value.consumableSsrcs.length); for (const item0 of value.consumableSsrcs) { w.u32(item0); }
  writeStreamDump(w, value.stream);
  w.u64(value.historyPackets);
  w.u64(value.historyBytes);
  w.u64(value.traceEventTypes.length); for (const item0 of value.traceEventTypes) { writeTraceType(w, item0); }
}

export type ConsumerId = number;
export function readConsumerId(r: Reader): ConsumerId {
  return r.u64();
}
export function writeConsumerId(w: Writer, value: ConsumerId): void {
  w.u64(value);
}

export interface ConsumerScore {
  score: number;
  producerScore: number;
  producerScores: Uint8Array;
}
export function readConsumerScore(r: Reader): ConsumerScore {
  return {
    score: r.u8(),
    producerScore: r.u8(),
    producerScores: r.bytes(),
  };
}
export function writeConsumerScore(w: Writer, value: ConsumerScore): void {
  w.u8(value.score);
  w.u8(value.producerScore);
  w.bytes(value.producerScores);
}

export interface ConsumerStats {
  own: RtpStreamStats;
  producer: RtpStreamStats | undefined;
}
export function readConsumerStats(r: Reader): ConsumerStats {
  return {
    own: readRtpStreamStats(r),
    producer: r.option() ? readRtpStreamStats(r) : undefined,
  };
}
export function writeConsumerStats(w: Writer, value: ConsumerStats): void {
  writeRtpStreamStats(w, value.own);
  { const item0 = value.producer; w.option(item0 !== undefined); if (item0 !== undefined) { writeRtpStreamStats(w, item0); } }
}

const namesDirection = ['inbound', 'outbound'] as const;
const tagsDirection = { inbound: 0, outbound: 1 } as const;
export type Direction = (typeof namesDirection)[number];
export function readDirection(r: Reader): Direction {
  return r.name('Direction', namesDirection);
}
export function writeDirection(w: Writer, value: Direction): void {
  w.u32(w.tag('Direction', tagsDirection, value));
}

export interface DroppedPackets {
  notRtp: number;
  badHeader: number;
  unknownSsrc: number;
  wrongSource: number;
  tooLarge: number;
  noMemory: number;
  sendFailed: number;
  overLimit: number;
  unauthenticated: number;
  replayed: number;
}
export function readDroppedPackets(r: Reader): DroppedPackets {
  return {
    notRtp: r.u64(),
    badHeader: r.u64(),
    unknownSsrc: r.u64(),
    wrongSource: r.u64(),
    tooLarge: r.u64(),
    noMemory: r.u64(),
    sendFailed: r.u64(),
    overLimit: r.u64(),
    unauthenticated: r.u64(),
    replayed: r.u64(),
  };
}
export function writeDroppedPackets(w: Writer, value: DroppedPackets): void {
  w.u64(value.notRtp);
  w.u64(value.badHeader);
  w.u64(value.unknownSsrc);
  w.u64(value.wrongSource);
  w.u64(value.tooLarge);
  w.u64(value.noMemory);
  w.u64(value.sendFailed);
  w.u64(value.overLimit);
  w.u64(value.unauthenticated);
  w.u64(value.replayed);
}

export interface DtlsFingerprint {
  algorithm: FingerprintAlgorithm;
  value: string;
}
export function readDtlsFingerprint(r: Reader): DtlsFingerprint {
  return {
    algorithm: readFingerprintAlgorithm(r),
    value: r.text(),
  };
}
export function writeDtlsFingerprint(w: Writer, value: DtlsFingerprint): void {
  writeFingerprintAlgorithm(w, value.algorithm);
  w.text(value.value);
}

const namesDtlsRole = ['auto', 'client', 'server'] as const;
const tagsDtlsRole = { auto: 0, client: 1, server: 2 } as const;
export type DtlsRole = (typeof namesDtlsRole)[number];
export function readDtlsRole(r: Reader): DtlsRole {
  return r.name('DtlsRole', namesDtlsRole);
}
export function writeDtlsRole(w: Writer, value: DtlsRole): void {
  w.u32(w.tag('DtlsRole', tagsDtlsRole, value));
}

const namesDtlsState = ['new', 'connecting', 'connected', 'failed', 'closed'] as const;
const tagsDtlsState = { new: 0, connecting: 1, connected: 2, failed: 3, closed: 4 } as const;
export type DtlsState = (typeof namesDtlsState)[number];
export function readDtlsState(r: Reader): DtlsState {
  return r.name('DtlsState', namesDtlsState);
}
export function writeDtlsState(w: Writer, value: DtlsState): void {
  w.u32(w.tag('DtlsState', tagsDtlsState, value));
}

export interface EncodingMapping {
  ssrc: number | undefined;
  rid: string | undefined;
  scalabilityMode: string | undefined;
  mappedSsrc: number;
}
export function readEncodingMapping(r: Reader): EncodingMapping {
  return {
    ssrc: r.option() ? r.u32() : undefined,
    rid: r.option() ? r.text() : undefined,
    scalabilityMode: r.option() ? r.text() : undefined,
    mappedSsrc: r.u32(),
  };
}
export function writeEncodingMapping(w: Writer, value: EncodingMapping): void {
  { const item0 = value.ssrc; w.option(item0 !== undefined); if (item0 !== undefined) { w.u32(item0); } }
  { const item0 = value.rid; w.option(item0 !== undefined); if (item0 !== undefined) { w.text(item0); } }
  { const item0 = value.scalabilityMode; w.option(item0 !== undefined); if (item0 !== undefined) { w.text(item0); } }
  w.u32(value.mappedSsrc);
}

const namesErrorKind = ['malformed', 'notFound', 'duplicate', 'invalidArgument', 'invalidState', 'unsupported', 'bindFailed', 'limitReached', 'internal'] as const;
const tagsErrorKind = { malformed: 0, notFound: 1, duplicate: 2, invalidArgument: 3, invalidState: 4, unsupported: 5, bindFailed: 6, limitReached: 7, internal: 8 } as const;
export type ErrorKind = (typeof namesErrorKind)[number];
export function readErrorKind(r: Reader): ErrorKind {
  return r.name('ErrorKind', namesErrorKind);
}
export function writeErrorKind(w: Writer, value: ErrorKind): void {
  w.u32(w.tag('ErrorKind', tagsErrorKind, value));
}

export type Event =
  | { type: 'plainTuple'; transport: TransportId; tuple: TransportTuple }
  | { type: 'plainRtcpTuple'; transport: TransportId; tuple: TransportTuple }
  | { type: 'transportInternalError'; transport: TransportId; message: string }
  | { type: 'producerScore'; producer: ProducerId; scores: StreamScore[] }
  | { type: 'consumerScore'; consumer: ConsumerId; score: ConsumerScore }
  | { type: 'consumerProducerClosed'; consumer: ConsumerId }
  | { type: 'consumerProducerPaused'; consumer: ConsumerId }
  | { type: 'consumerProducerResumed'; consumer: ConsumerId }
  | { type: 'memoryLimit'; limitBytes: number; dropped: number }
  | { type: 'producerVideoOrientation'; producer: ProducerId; orientation: VideoOrientation }
  | { type: 'producerTrace'; producer: ProducerId; trace: Trace }
  | { type: 'consumerTrace'; consumer: ConsumerId; trace: Trace }
  | { type: 'audioLevels'; observer: ObserverId; volumes: AudioLevel[] }
  | { type: 'iceState'; transport: TransportId; state: IceState }
  | { type: 'iceSelectedTuple'; transport: TransportId; tuple: TransportTuple }
  | { type: 'dtlsState'; transport: TransportId; state: DtlsState; remoteCertificate: string | undefined }
  | { type: 'dominantSpeaker'; observer: ObserverId; producer: ProducerId };
export function readEvent(r: Reader): Event {
  const tag = r.u32();
  switch (tag) {
    case 0:
      return { type: 'plainTuple', transport: readTransportId(r), tuple: readTransportTuple(r) };
    case 1:
      return { type: 'plainRtcpTuple', transport: readTransportId(r), tuple: readTransportTuple(r) };
    case 2:
      return { type: 'transportInternalError', transport: readTransportId(r), message: r.text() };
    case 3:
      return { type: 'producerScore', producer: readProducerId(r), scores: r.list(10, () => readStreamScore(r)) };
    case 4:
      return { type: 'consumerScore', consumer: readConsumerId(r), score: readConsumerScore(r) };
    case 5:
      return { type: 'consumerProducerClosed', consumer: readConsumerId(r) };
    case 6:
      return { type: 'consumerProducerPaused', consumer: readConsumerId(r) };
    case 7:
      return { type: 'consumerProducerResumed', consumer: readConsumerId(r) };
    case 8:
      return { type: 'memoryLimit', limitBytes: r.u64(), dropped: r.u64() };
    case 9:
      return { type: 'producerVideoOrientation', producer: readProducerId(r), orientation: readVideoOrientation(r) };
    case 10:
      return { type: 'producerTrace', producer: readProducerId(r), trace: readTrace(r) };
    case 11:
      return { type: 'consumerTrace', consumer: readConsumerId(r), trace: readTrace(r) };
    case 12:
      return { type: 'audioLevels', observer: readObserverId(r), volumes: r.list(9, () => readAudioLevel(r)) };
    case 13:
      return { type: 'iceState', transport: readTransportId(r), state: readIceState(r) };
    case 14:
      return { type: 'iceSelectedTuple', transport: readTransportId(r), tuple: readTransportTuple(r) };
    case 15:
      return { type: 'dtlsState', transport: readTransportId(r), state: readDtlsState(r), remoteCertificate: r.option() ? r.text() : undefined };
    case 16:
      return { type: 'dominantSpeaker', observer: readObserverId(r), producer: readProducerId(r) };
    default:
      return r.unknown('Event', tag);
  }
}
export function writeEvent(w: Writer, value: Event): void {
  switch (value.type) {
    case 'plainTuple':
      w.u32(0);
      writeTransportId(w, value.transport);
      writeTransportTuple(w, value.tuple);
      return;
    case 'plainRtcpTuple':
      w.u32(1);
      writeTransportId(w, value.transport);
      writeTransportTuple(w, value.tuple);
      return;
    case 'transportInternalError':
      w.u32(2);
      writeTransportId(w, value.transport);
      w.text(value.message);
      return;
    case 'producerScore':
      w.u32(3);
      writeProducerId(w, value.producer);
      w.u64(value.scores.length); for (const item0 of value.scores) { writeStreamScore(w, item0); }
      return;
    case 'consumerScore':
      w.u32(4);
      writeConsumerId(w, value.consumer);
      writeConsumerScore(w, value.score);
      return;
    case 'consumerProducerClosed':
      w.u32(5);
      writeConsumerId(w, value.consumer);
      return;
    case 'consumerProducerPaused':
      w.u32(6);
      writeConsumerId(w, value.consumer);
      return;
    case 'consumerProducerResumed':
      w.u32(7);
      writeConsumerId(w, value.consumer);
      return;
    case 'memoryLimit':
      w.u32(8);
      w.u64(value.limitBytes);
      w.u64(value.dropped);
      return;
    case 'producerVideoOrientation':
      w.u32(9);
      writeProducerId(w, value.producer);
      writeVideoOrientation(w, value.orientation);
      return;
    case 'producerTrace':
      w.u32(10);
      writeProducerId(w, value.producer);
      writeTrace(w, value.trace);
      return;
    case 'consumerTrace':
      w.u32(11);
      writeConsumerId(w, value.consumer);
      writeTrace(w, value.trace);
      return;
    case 'audioLevels':
      w.u32(12);
      writeObserverId(w, value.observer);
      w.u64(value.volumes.length); for (const item0 of value.volumes) { writeAudioLevel(w, item0); }
      return;
    case 'iceState':
      w.u32(13);
      writeTransportId(w, value.transport);
      writeIceState(w, value.state);
      return;
    case 'iceSelectedTuple':
      w.u32(14);
      writeTransportId(w, value.transport);
      writeTransportTuple(w, value.tuple);
      return;
    case 'dtlsState':
      w.u32(15);
      writeTransportId(w, value.transport);
      writeDtlsState(w, value.state);
      { const item0 = value.remoteCertificate; w.option(item0 !== undefined); if (item0 !== undefined) { w.text(item0); } }
      return;
    case 'dominantSpeaker':
      w.u32(16);
      writeObserverId(w, value.observer);
      writeProducerId(w, value.producer);
      return;
    default:
      w.unknown('Event', value);
  }
}

const namesFingerprintAlgorithm = ['sha1', 'sha224', 'sha256', 'sha384', 'sha512'] as const;
const tagsFingerprintAlgorithm = { sha1: 0, sha224: 1, sha256: 2, sha384: 3, sha512: 4 } as const;
export type FingerprintAlgorithm = (typeof namesFingerprintAlgorithm)[number];
export function readFingerprintAlgorithm(r: Reader): FingerprintAlgorithm {
  return r.name('FingerprintAlgorithm', namesFingerprintAlgorithm);
}
export function writeFingerprintAlgorithm(w: Writer, value: FingerprintAlgorithm): void {
  w.u32(w.tag('FingerprintAlgorithm', tagsFingerprintAlgorithm, value));
}

export type FromWorker =
  | { type: 'hello'; value: Hello }
  | { type: 'response'; id: RequestId; result: Result }
  | { type: 'event'; value: Event }
  | { type: 'log'; level: LogLevel; tag: LogTag; text: string };
export function readFromWorker(r: Reader): FromWorker {
  const tag = r.u32();
  switch (tag) {
    case 0:
      return { type: 'hello', value: readHello(r) };
    case 1:
      return { type: 'response', id: readRequestId(r), result: readResult(r) };
    case 2:
      return { type: 'event', value: readEvent(r) };
    case 3:
      return { type: 'log', level: readLogLevel(r), tag: readLogTag(r), text: r.text() };
    default:
      return r.unknown('FromWorker', tag);
  }
}
export function writeFromWorker(w: Writer, value: FromWorker): void {
  switch (value.type) {
    case 'hello':
      w.u32(0);
      writeHello(w, value.value);
      return;
    case 'response':
      w.u32(1);
      writeRequestId(w, value.id);
      writeResult(w, value.result);
      return;
    case 'event':
      w.u32(2);
      writeEvent(w, value.value);
      return;
    case 'log':
      w.u32(3);
      writeLogLevel(w, value.level);
      writeLogTag(w, value.tag);
      w.text(value.text);
      return;
    default:
      w.unknown('FromWorker', value);
  }
}

export interface Hello {
  protocolVersion: number;
  workerVersion: string;
  pid: number;
  features: string[];
}
export function readHello(r: Reader): Hello {
  return {
    protocolVersion: r.u32(),
    workerVersion: r.text(),
    pid: r.u32(),
    features: r.list(8, () => r.text()),
  };
}
export function writeHello(w: Writer, value: Hello): void {
  w.u32(value.protocolVersion);
  w.text(value.workerVersion);
  w.u32(value.pid);
  w.u64(value.features.length); for (const item0 of value.features) { w.text(item0); }
}

export interface HelloReply {
  protocolVersion: number;
  host: string;
}
export function readHelloReply(r: Reader): HelloReply {
  return {
    protocolVersion: r.u32(),
    host: r.text(),
  };
}
export function writeHelloReply(w: Writer, value: HelloReply): void {
  w.u32(value.protocolVersion);
  w.text(value.host);
}

export interface Histogram {
  name: string;
  buckets: number[];
  sum: number;
}
export function readHistogram(r: Reader): Histogram {
  return {
    name: r.text(),
    buckets: r.list(8, () => r.u64()),
    sum: r.u64(),
  };
}
export function writeHistogram(w: Writer, value: Histogram): void {
  w.text(value.name);
  w.u64(value.buckets.length); for (const item0 of value.buckets) { w.u64(item0); }
  w.u64(value.sum);
}

export interface IceCandidate {
  foundation: string;
  priority: number;
  address: string;
  protocol: Protocol;
  port: number;
}
export function readIceCandidate(r: Reader): IceCandidate {
  return {
    foundation: r.text(),
    priority: r.u32(),
    address: r.text(),
    protocol: readProtocol(r),
    port: r.u16(),
  };
}
export function writeIceCandidate(w: Writer, value: IceCandidate): void {
  w.text(value.foundation);
  w.u32(value.priority);
  w.text(value.address);
  writeProtocol(w, value.protocol);
  w.u16(value.port);
}

export interface IceParameters {
  usernameFragment: string;
  password: string;
  iceLite: boolean;
}
export function readIceParameters(r: Reader): IceParameters {
  return {
    usernameFragment: r.text(),
    password: r.text(),
    iceLite: r.bool(),
  };
}
export function writeIceParameters(w: Writer, value: IceParameters): void {
  w.text(value.usernameFragment);
  w.text(value.password);
  w.bool(value.iceLite);
}

const namesIceState = ['new', 'connected', 'completed', 'disconnected'] as const;
const tagsIceState = { new: 0, connected: 1, completed: 2, disconnected: 3 } as const;
export type IceState = (typeof namesIceState)[number];
export function readIceState(r: Reader): IceState {
  return r.name('IceState', namesIceState);
}
export function writeIceState(w: Writer, value: IceState): void {
  w.u32(w.tag('IceState', tagsIceState, value));
}

export type IpAddr =
  | { type: 'v4'; value: Uint8Array }
  | { type: 'v6'; value: Uint8Array };
export function readIpAddr(r: Reader): IpAddr {
  const tag = r.u32();
  switch (tag) {
    case 0:
      return { type: 'v4', value: r.byteArray(4) };
    case 1:
      return { type: 'v6', value: r.byteArray(16) };
    default:
      return r.unknown('IpAddr', tag);
  }
}
export function writeIpAddr(w: Writer, value: IpAddr): void {
  switch (value.type) {
    case 'v4':
      w.u32(0);
      w.byteArray(value.value, 4);
      return;
    case 'v6':
      w.u32(1);
      w.byteArray(value.value, 16);
      return;
    default:
      w.unknown('IpAddr', value);
  }
}

export interface LayerBitrate {
  spatial: number;
  temporal: number;
  bitrate: number;
}
export function readLayerBitrate(r: Reader): LayerBitrate {
  return {
    spatial: r.u8(),
    temporal: r.u8(),
    bitrate: r.u64(),
  };
}
export function writeLayerBitrate(w: Writer, value: LayerBitrate): void {
  w.u8(value.spatial);
  w.u8(value.temporal);
  w.u64(value.bitrate);
}

export interface ListenInfo {
  protocol: Protocol;
  ip: IpAddr;
  announcedAddress: string | undefined;
  exposeInternalIp: boolean;
  port: ListenPort;
  shared: boolean;
  ipv6Only: boolean;
  udpReusePort: boolean;
  sendBufferBytes: number;
  receiveBufferBytes: number;
}
export function readListenInfo(r: Reader): ListenInfo {
  return {
    protocol: readProtocol(r),
    ip: readIpAddr(r),
    announcedAddress: r.option() ? r.text() : undefined,
    exposeInternalIp: r.bool(),
    port: readListenPort(r),
    shared: r.bool(),
    ipv6Only: r.bool(),
    udpReusePort: r.bool(),
    sendBufferBytes: r.u32(),
    receiveBufferBytes: r.u32(),
  };
}
export function writeListenInfo(w: Writer, value: ListenInfo): void {
  writeProtocol(w, value.protocol);
  writeIpAddr(w, value.ip);
  { const item0 = value.announcedAddress; w.option(item0 !== undefined); if (item0 !== undefined) { w.text(item0); } }
  w.bool(value.exposeInternalIp);
  writeListenPort(w, value.port);
  w.bool(value.shared);
  w.bool(value.ipv6Only);
  w.bool(value.udpReusePort);
  w.u32(value.sendBufferBytes);
  w.u32(value.receiveBufferBytes);
}

export type ListenPort =
  | { type: 'any' }
  | { type: 'fixed'; value: number }
  | { type: 'range'; min: number; max: number };
export function readListenPort(r: Reader): ListenPort {
  const tag = r.u32();
  switch (tag) {
    case 0:
      return { type: 'any' };
    case 1:
      return { type: 'fixed', value: r.u16() };
    case 2:
      return { type: 'range', min: r.u16(), max: r.u16() };
    default:
      return r.unknown('ListenPort', tag);
  }
}
export function writeListenPort(w: Writer, value: ListenPort): void {
  switch (value.type) {
    case 'any':
      w.u32(0);
      return;
    case 'fixed':
      w.u32(1);
      w.u16(value.value);
      return;
    case 'range':
      w.u32(2);
      w.u16(value.min);
      w.u16(value.max);
      return;
    default:
      w.unknown('ListenPort', value);
  }
}

export interface LocalUsernameFragment {
  usernameFragment: string;
  transport: TransportId;
}
export function readLocalUsernameFragment(r: Reader): LocalUsernameFragment {
  return {
    usernameFragment: r.text(),
    transport: readTransportId(r),
  };
}
export function writeLocalUsernameFragment(w: Writer, value: LocalUsernameFragment): void {
  w.text(value.usernameFragment);
  writeTransportId(w, value.transport);
}

const namesLogLevel = ['none', 'error', 'warn', 'debug'] as const;
const tagsLogLevel = { none: 0, error: 1, warn: 2, debug: 3 } as const;
export type LogLevel = (typeof namesLogLevel)[number];
export function readLogLevel(r: Reader): LogLevel {
  return r.name('LogLevel', namesLogLevel);
}
export function writeLogLevel(w: Writer, value: LogLevel): void {
  w.u32(w.tag('LogLevel', tagsLogLevel, value));
}

const namesLogTag = ['info', 'ice', 'dtls', 'rtp', 'srtp', 'rtcp', 'rtx', 'bwe', 'score', 'simulcast', 'svc', 'sctp', 'message'] as const;
const tagsLogTag = { info: 0, ice: 1, dtls: 2, rtp: 3, srtp: 4, rtcp: 5, rtx: 6, bwe: 7, score: 8, simulcast: 9, svc: 10, sctp: 11, message: 12 } as const;
export type LogTag = (typeof namesLogTag)[number];
export function readLogTag(r: Reader): LogTag {
  return r.name('LogTag', namesLogTag);
}
export function writeLogTag(w: Writer, value: LogTag): void {
  w.u32(w.tag('LogTag', tagsLogTag, value));
}

const namesMediaKind = ['audio', 'video'] as const;
const tagsMediaKind = { audio: 0, video: 1 } as const;
export type MediaKind = (typeof namesMediaKind)[number];
export function readMediaKind(r: Reader): MediaKind {
  return r.name('MediaKind', namesMediaKind);
}
export function writeMediaKind(w: Writer, value: MediaKind): void {
  w.u32(w.tag('MediaKind', tagsMediaKind, value));
}

export interface Metric {
  name: string;
  value: number;
}
export function readMetric(r: Reader): Metric {
  return {
    name: r.text(),
    value: r.u64(),
  };
}
export function writeMetric(w: Writer, value: Metric): void {
  w.text(value.name);
  w.u64(value.value);
}

export interface Metrics {
  values: Metric[];
  histograms: Histogram[];
}
export function readMetrics(r: Reader): Metrics {
  return {
    values: r.list(16, () => readMetric(r)),
    histograms: r.list(24, () => readHistogram(r)),
  };
}
export function writeMetrics(w: Writer, value: Metrics): void {
  w.u64(value.values.length); for (const item0 of value.values) { writeMetric(w, item0); }
  w.u64(value.histograms.length); for (const item0 of value.histograms) { writeHistogram(w, item0); }
}

export interface NamedProducer {
  name: string;
  producer: ProducerId;
}
export function readNamedProducer(r: Reader): NamedProducer {
  return {
    name: r.text(),
    producer: readProducerId(r),
  };
}
export function writeNamedProducer(w: Writer, value: NamedProducer): void {
  w.text(value.name);
  writeProducerId(w, value.producer);
}

export interface ObserverDump {
  observer: ObserverId;
  router: RouterId;
  kind: ObserverKind;
  paused: boolean;
  producerIds: ProducerId[];
}
export function readObserverDump(r: Reader): ObserverDump {
  return {
    observer: readObserverId(r),
    router: readRouterId(r),
    kind: readObserverKind(r),
    paused: r.bool(),
    producerIds: r.list(8, () => readProducerId(r)),
  };
}
export function writeObserverDump(w: Writer, value: ObserverDump): void {
  writeObserverId(w, value.observer);
  writeRouterId(w, value.router);
  writeObserverKind(w, value.kind);
  w.bool(value.paused);
  w.u64(value.producerIds.length); for (const item0 of value.producerIds) { writeProducerId(w, item0); }
}

export type ObserverId = number;
export function readObserverId(r: Reader): ObserverId {
  return r.u64();
}
export function writeObserverId(w: Writer, value: ObserverId): void {
  w.u64(value);
}

const namesObserverKind = ['audioLevel', 'activeSpeaker'] as const;
const tagsObserverKind = { audioLevel: 0, activeSpeaker: 1 } as const;
export type ObserverKind = (typeof namesObserverKind)[number];
export function readObserverKind(r: Reader): ObserverKind {
  return r.name('ObserverKind', namesObserverKind);
}
export function writeObserverKind(w: Writer, value: ObserverKind): void {
  w.u32(w.tag('ObserverKind', tagsObserverKind, value));
}

export interface PacketTrace {
  payloadType: number;
  sequenceNumber: number;
  timestamp: number;
  marker: boolean;
  ssrc: number;
  isKeyFrame: boolean;
  isRtx: boolean;
  size: number;
  payloadSize: number;
  spatialLayer: number;
  temporalLayer: number;
  mid: string | undefined;
  rid: string | undefined;
  rrid: string | undefined;
  wideSequenceNumber: number | undefined;
}
export function readPacketTrace(r: Reader): PacketTrace {
  return {
    payloadType: r.u8(),
    sequenceNumber: r.u16(),
    timestamp: r.u32(),
    marker: r.bool(),
    ssrc: r.u32(),
    isKeyFrame: r.bool(),
    isRtx: r.bool(),
    size: r.u32(),
    payloadSize: r.u32(),
    spatialLayer: r.u8(),
    temporalLayer: r.u8(),
    mid: r.option() ? r.text() : undefined,
    rid: r.option() ? r.text() : undefined,
    rrid: r.option() ? r.text() : undefined,
    wideSequenceNumber: r.option() ? r.u16() : undefined,
  };
}
export function writePacketTrace(w: Writer, value: PacketTrace): void {
  w.u8(value.payloadType);
  w.u16(value.sequenceNumber);
  w.u32(value.timestamp);
  w.bool(value.marker);
  w.u32(value.ssrc);
  w.bool(value.isKeyFrame);
  w.bool(value.isRtx);
  w.u32(value.size);
  w.u32(value.payloadSize);
  w.u8(value.spatialLayer);
  w.u8(value.temporalLayer);
  { const item0 = value.mid; w.option(item0 !== undefined); if (item0 !== undefined) { w.text(item0); } }
  { const item0 = value.rid; w.option(item0 !== undefined); if (item0 !== undefined) { w.text(item0); } }
  { const item0 = value.rrid; w.option(item0 !== undefined); if (item0 !== undefined) { w.text(item0); } }
  { const item0 = value.wideSequenceNumber; w.option(item0 !== undefined); if (item0 !== undefined) { w.u16(item0); } }
}

export type ParameterValue =
  | { type: 'number'; value: number }
  | { type: 'text'; value: string };
export function readParameterValue(r: Reader): ParameterValue {
  const tag = r.u32();
  switch (tag) {
    case 0:
      return { type: 'number', value: r.i64() };
    case 1:
      return { type: 'text', value: r.text() };
    default:
      return r.unknown('ParameterValue', tag);
  }
}
export function writeParameterValue(w: Writer, value: ParameterValue): void {
  switch (value.type) {
    case 'number':
      w.u32(0);
      w.i64(value.value);
      return;
    case 'text':
      w.u32(1);
      w.text(value.value);
      return;
    default:
      w.unknown('ParameterValue', value);
  }
}

export interface PlainConnectOptions {
  ip: IpAddr | undefined;
  port: number | undefined;
  rtcpPort: number | undefined;
  srtpParameters: SrtpParameters | undefined;
}
export function readPlainConnectOptions(r: Reader): PlainConnectOptions {
  return {
    ip: r.option() ? readIpAddr(r) : undefined,
    port: r.option() ? r.u16() : undefined,
    rtcpPort: r.option() ? r.u16() : undefined,
    srtpParameters: r.option() ? readSrtpParameters(r) : undefined,
  };
}
export function writePlainConnectOptions(w: Writer, value: PlainConnectOptions): void {
  { const item0 = value.ip; w.option(item0 !== undefined); if (item0 !== undefined) { writeIpAddr(w, item0); } }
  { const item0 = value.port; w.option(item0 !== undefined); if (item0 !== undefined) { w.u16(item0); } }
  { const item0 = value.rtcpPort; w.option(item0 !== undefined); if (item0 !== undefined) { w.u16(item0); } }
  { const item0 = value.srtpParameters; w.option(item0 !== undefined); if (item0 !== undefined) { writeSrtpParameters(w, item0); } }
}

export interface PlainDump {
  rtcpMux: boolean;
  comedia: boolean;
  tuple: TransportTuple;
  rtcpTuple: TransportTuple | undefined;
  srtp: SrtpCryptoSuite | undefined;
}
export function readPlainDump(r: Reader): PlainDump {
  return {
    rtcpMux: r.bool(),
    comedia: r.bool(),
    tuple: readTransportTuple(r),
    rtcpTuple: r.option() ? readTransportTuple(r) : undefined,
    srtp: r.option() ? readSrtpCryptoSuite(r) : undefined,
  };
}
export function writePlainDump(w: Writer, value: PlainDump): void {
  w.bool(value.rtcpMux);
  w.bool(value.comedia);
  writeTransportTuple(w, value.tuple);
  { const item0 = value.rtcpTuple; w.option(item0 !== undefined); if (item0 !== undefined) { writeTransportTuple(w, item0); } }
  { const item0 = value.srtp; w.option(item0 !== undefined); if (item0 !== undefined) { writeSrtpCryptoSuite(w, item0); } }
}

export interface PlainStats {
  rtcpMux: boolean;
  comedia: boolean;
  tuple: TransportTuple;
  rtcpTuple: TransportTuple | undefined;
}
export function readPlainStats(r: Reader): PlainStats {
  return {
    rtcpMux: r.bool(),
    comedia: r.bool(),
    tuple: readTransportTuple(r),
    rtcpTuple: r.option() ? readTransportTuple(r) : undefined,
  };
}
export function writePlainStats(w: Writer, value: PlainStats): void {
  w.bool(value.rtcpMux);
  w.bool(value.comedia);
  writeTransportTuple(w, value.tuple);
  { const item0 = value.rtcpTuple; w.option(item0 !== undefined); if (item0 !== undefined) { writeTransportTuple(w, item0); } }
}

export interface PlainTransportOptions {
  listenInfo: ListenInfo;
  rtcpListenInfo: ListenInfo | undefined;
  rtcpMux: boolean;
  comedia: boolean;
  srtp: SrtpCryptoSuite | undefined;
}
export function readPlainTransportOptions(r: Reader): PlainTransportOptions {
  return {
    listenInfo: readListenInfo(r),
    rtcpListenInfo: r.option() ? readListenInfo(r) : undefined,
    rtcpMux: r.bool(),
    comedia: r.bool(),
    srtp: r.option() ? readSrtpCryptoSuite(r) : undefined,
  };
}
export function writePlainTransportOptions(w: Writer, value: PlainTransportOptions): void {
  writeListenInfo(w, value.listenInfo);
  { const item0 = value.rtcpListenInfo; w.option(item0 !== undefined); if (item0 !== undefined) { writeListenInfo(w, item0); } }
  w.bool(value.rtcpMux);
  w.bool(value.comedia);
  { const item0 = value.srtp; w.option(item0 !== undefined); if (item0 !== undefined) { writeSrtpCryptoSuite(w, item0); } }
}

export interface PlainTuples {
  tuple: TransportTuple;
  rtcpTuple: TransportTuple | undefined;
  srtpParameters: SrtpParameters | undefined;
}
export function readPlainTuples(r: Reader): PlainTuples {
  return {
    tuple: readTransportTuple(r),
    rtcpTuple: r.option() ? readTransportTuple(r) : undefined,
    srtpParameters: r.option() ? readSrtpParameters(r) : undefined,
  };
}
export function writePlainTuples(w: Writer, value: PlainTuples): void {
  writeTransportTuple(w, value.tuple);
  { const item0 = value.rtcpTuple; w.option(item0 !== undefined); if (item0 !== undefined) { writeTransportTuple(w, item0); } }
  { const item0 = value.srtpParameters; w.option(item0 !== undefined); if (item0 !== undefined) { writeSrtpParameters(w, item0); } }
}

export interface ProducerConsumers {
  producer: ProducerId;
  consumers: ConsumerId[];
}
export function readProducerConsumers(r: Reader): ProducerConsumers {
  return {
    producer: readProducerId(r),
    consumers: r.list(8, () => readConsumerId(r)),
  };
}
export function writeProducerConsumers(w: Writer, value: ProducerConsumers): void {
  writeProducerId(w, value.producer);
  w.u64(value.consumers.length); for (const item0 of value.consumers) { writeConsumerId(w, item0); }
}

export interface ProducerDump {
  producer: ProducerId;
  transport: TransportId;
  kind: MediaKind;
  producerType: RtpType;
  paused: boolean;
  streams: StreamDump[];
  consumers: ConsumerId[];
  traceEventTypes: TraceType[];
}
export function readProducerDump(r: Reader): ProducerDump {
  return {
    producer: readProducerId(r),
    transport: readTransportId(r),
    kind: readMediaKind(r),
    producerType: readRtpType(r),
    paused: r.bool(),
    streams: r.list(40, () => readStreamDump(r)),
    consumers: r.list(8, () => readConsumerId(r)),
    traceEventTypes: r.list(4, () => readTraceType(r)),
  };
}
export function writeProducerDump(w: Writer, value: ProducerDump): void {
  writeProducerId(w, value.producer);
  writeTransportId(w, value.transport);
  writeMediaKind(w, value.kind);
  writeRtpType(w, value.producerType);
  w.bool(value.paused);
  w.u64(value.streams.length); for (const item0 of value.streams) { writeStreamDump(w, item0); }
  w.u64(value.consumers.length); for (const item0 of value.consumers) { writeConsumerId(w, item0); }
  w.u64(value.traceEventTypes.length); for (const item0 of value.traceEventTypes) { writeTraceType(w, item0); }
}

export type ProducerId = number;
export function readProducerId(r: Reader): ProducerId {
  return r.u64();
}
export function writeProducerId(w: Writer, value: ProducerId): void {
  w.u64(value);
}

export interface ProducerObservers {
  producer: ProducerId;
  observers: ObserverId[];
}
export function readProducerObservers(r: Reader): ProducerObservers {
  return {
    producer: readProducerId(r),
    observers: r.list(8, () => readObserverId(r)),
  };
}
export function writeProducerObservers(w: Writer, value: ProducerObservers): void {
  writeProducerId(w, value.producer);
  w.u64(value.observers.length); for (const item0 of value.observers) { writeObserverId(w, item0); }
}

const namesProtocol = ['udp', 'tcp'] as const;
const tagsProtocol = { udp: 0, tcp: 1 } as const;
export type Protocol = (typeof namesProtocol)[number];
export function readProtocol(r: Reader): Protocol {
  return r.name('Protocol', namesProtocol);
}
export function writeProtocol(w: Writer, value: Protocol): void {
  w.u32(w.tag('Protocol', tagsProtocol, value));
}

export interface RecvRtpHeaderExtensions {
  mid: number | undefined;
  rid: number | undefined;
  rrid: number | undefined;
  absSendTime: number | undefined;
  transportWideCc: number | undefined;
}
export function readRecvRtpHeaderExtensions(r: Reader): RecvRtpHeaderExtensions {
  return {
    mid: r.option() ? r.u8() : undefined,
    rid: r.option() ? r.u8() : undefined,
    rrid: r.option() ? r.u8() : undefined,
    absSendTime: r.option() ? r.u8() : undefined,
    transportWideCc: r.option() ? r.u8() : undefined,
  };
}
export function writeRecvRtpHeaderExtensions(w: Writer, value: RecvRtpHeaderExtensions): void {
  { const item0 = value.mid; w.option(item0 !== undefined); if (item0 !== undefined) { w.u8(item0); } }
  { const item0 = value.rid; w.option(item0 !== undefined); if (item0 !== undefined) { w.u8(item0); } }
  { const item0 = value.rrid; w.option(item0 !== undefined); if (item0 !== undefined) { w.u8(item0); } }
  { const item0 = value.absSendTime; w.option(item0 !== undefined); if (item0 !== undefined) { w.u8(item0); } }
  { const item0 = value.transportWideCc; w.option(item0 !== undefined); if (item0 !== undefined) { w.u8(item0); } }
}

export type Reply =
  | { type: 'done' }
  | { type: 'workerDump'; value: WorkerDump }
  | { type: 'resourceUsage'; value: ResourceUsage }
  | { type: 'metrics'; value: Metrics }
  | { type: 'routerDump'; value: RouterDump }
  | { type: 'plainTransport'; value: PlainTuples }
  | { type: 'transportDump'; value: TransportDump }
  | { type: 'transportStats'; value: TransportStats }
  | { type: 'produced'; producerType: RtpType }
  | { type: 'producerDump'; value: ProducerDump }
  | { type: 'producerStats'; value: RtpStreamStats[] }
  | { type: 'consumed'; paused: boolean; producerPaused: boolean; score: ConsumerScore }
  | { type: 'consumerDump'; value: ConsumerDump }
  | { type: 'consumerStats'; value: ConsumerStats }
  | { type: 'observerDump'; value: ObserverDump }
  | { type: 'webRtcServerDump'; value: WebRtcServerDump }
  | { type: 'webRtcTransport'; value: WebRtcDump }
  | { type: 'webRtcConnected'; dtlsLocalRole: DtlsRole }
  | { type: 'iceParameters'; value: IceParameters };
export function readReply(r: Reader): Reply {
  const tag = r.u32();
  switch (tag) {
    case 0:
      return { type: 'done' };
    case 1:
      return { type: 'workerDump', value: readWorkerDump(r) };
    case 2:
      return { type: 'resourceUsage', value: readResourceUsage(r) };
    case 3:
      return { type: 'metrics', value: readMetrics(r) };
    case 4:
      return { type: 'routerDump', value: readRouterDump(r) };
    case 5:
      return { type: 'plainTransport', value: readPlainTuples(r) };
    case 6:
      return { type: 'transportDump', value: readTransportDump(r) };
    case 7:
      return { type: 'transportStats', value: readTransportStats(r) };
    case 8:
      return { type: 'produced', producerType: readRtpType(r) };
    case 9:
      return { type: 'producerDump', value: readProducerDump(r) };
    case 10:
      return { type: 'producerStats', value: r.list(137, () => readRtpStreamStats(r)) };
    case 11:
      return { type: 'consumed', paused: r.bool(), producerPaused: r.bool(), score: readConsumerScore(r) };
    case 12:
      return { type: 'consumerDump', value: readConsumerDump(r) };
    case 13:
      return { type: 'consumerStats', value: readConsumerStats(r) };
    case 14:
      return { type: 'observerDump', value: readObserverDump(r) };
    case 15:
      return { type: 'webRtcServerDump', value: readWebRtcServerDump(r) };
    case 16:
      return { type: 'webRtcTransport', value: readWebRtcDump(r) };
    case 17:
      return { type: 'webRtcConnected', dtlsLocalRole: readDtlsRole(r) };
    case 18:
      return { type: 'iceParameters', value: readIceParameters(r) };
    default:
      return r.unknown('Reply', tag);
  }
}
export function writeReply(w: Writer, value: Reply): void {
  switch (value.type) {
    case 'done':
      w.u32(0);
      return;
    case 'workerDump':
      w.u32(1);
      writeWorkerDump(w, value.value);
      return;
    case 'resourceUsage':
      w.u32(2);
      writeResourceUsage(w, value.value);
      return;
    case 'metrics':
      w.u32(3);
      writeMetrics(w, value.value);
      return;
    case 'routerDump':
      w.u32(4);
      writeRouterDump(w, value.value);
      return;
    case 'plainTransport':
      w.u32(5);
      writePlainTuples(w, value.value);
      return;
    case 'transportDump':
      w.u32(6);
      writeTransportDump(w, value.value);
      return;
    case 'transportStats':
      w.u32(7);
      writeTransportStats(w, value.value);
      return;
    case 'produced':
      w.u32(8);
      writeRtpType(w, value.producerType);
      return;
    case 'producerDump':
      w.u32(9);
      writeProducerDump(w, value.value);
      return;
    case 'producerStats':
      w.u32(10);
      w.u64(value.value.length); for (const item0 of value.value) { writeRtpStreamStats(w, item0); }
      return;
    case 'consumed':
      w.u32(11);
      w.bool(value.paused);
      w.bool(value.producerPaused);
      writeConsumerScore(w, value.score);
      return;
    case 'consumerDump':
      w.u32(12);
      writeConsumerDump(w, value.value);
      return;
    case 'consumerStats':
      w.u32(13);
      writeConsumerStats(w, value.value);
      return;
    case 'observerDump':
      w.u32(14);
      writeObserverDump(w, value.value);
      return;
    case 'webRtcServerDump':
      w.u32(15);
      writeWebRtcServerDump(w, value.value);
      return;
    case 'webRtcTransport':
      w.u32(16);
      writeWebRtcDump(w, value.value);
      return;
    case 'webRtcConnected':
      w.u32(17);
      writeDtlsRole(w, value.dtlsLocalRole);
      return;
    case 'iceParameters':
      w.u32(18);
      writeIceParameters(w, value.value);
      return;
    default:
      w.unknown('Reply', value);
  }
}

export type RequestId = number;
export function readRequestId(r: Reader): RequestId {
  return r.u64();
}
export function writeRequestId(w: Writer, value: RequestId): void {
  w.u64(value);
}

export interface ResourceUsage {
  ruUtime: number;
  ruStime: number;
  ruMaxrss: number;
  ruIxrss: number;
  ruIdrss: number;
  ruIsrss: number;
  ruMinflt: number;
  ruMajflt: number;
  ruNswap: number;
  ruInblock: number;
  ruOublock: number;
  ruMsgsnd: number;
  ruMsgrcv: number;
  ruNsignals: number;
  ruNvcsw: number;
  ruNivcsw: number;
}
export function readResourceUsage(r: Reader): ResourceUsage {
  return {
    ruUtime: r.u64(),
    ruStime: r.u64(),
    ruMaxrss: r.u64(),
    ruIxrss: r.u64(),
    ruIdrss: r.u64(),
    ruIsrss: r.u64(),
    ruMinflt: r.u64(),
    ruMajflt: r.u64(),
    ruNswap: r.u64(),
    ruInblock: r.u64(),
    ruOublock: r.u64(),
    ruMsgsnd: r.u64(),
    ruMsgrcv: r.u64(),
    ruNsignals: r.u64(),
    ruNvcsw: r.u64(),
    ruNivcsw: r.u64(),
  };
}
export function writeResourceUsage(w: Writer, value: ResourceUsage): void {
  w.u64(value.ruUtime);
  w.u64(value.ruStime);
  w.u64(value.ruMaxrss);
  w.u64(value.ruIxrss);
  w.u64(value.ruIdrss);
  w.u64(value.ruIsrss);
  w.u64(value.ruMinflt);
  w.u64(value.ruMajflt);
  w.u64(value.ruNswap);
  w.u64(value.ruInblock);
  w.u64(value.ruOublock);
  w.u64(value.ruMsgsnd);
  w.u64(value.ruMsgrcv);
  w.u64(value.ruNsignals);
  w.u64(value.ruNvcsw);
  w.u64(value.ruNivcsw);
}

export type Result =
  | { type: 'ok'; value: Reply }
  | { type: 'err'; value: CommandError };
export function readResult(r: Reader): Result {
  const tag = r.u32();
  switch (tag) {
    case 0:
      return { type: 'ok', value: readReply(r) };
    case 1:
      return { type: 'err', value: readCommandError(r) };
    default:
      return r.unknown('Result', tag);
  }
}
export function writeResult(w: Writer, value: Result): void {
  switch (value.type) {
    case 'ok':
      w.u32(0);
      writeReply(w, value.value);
      return;
    case 'err':
      w.u32(1);
      writeCommandError(w, value.value);
      return;
    default:
      w.unknown('Result', value);
  }
}

export interface RouterDump {
  router: RouterId;
  transportIds: TransportId[];
  producerConsumers: ProducerConsumers[];
  observerIds: ObserverId[];
  producerObservers: ProducerObservers[];
}
export function readRouterDump(r: Reader): RouterDump {
  return {
    router: readRouterId(r),
    transportIds: r.list(8, () => readTransportId(r)),
    producerConsumers: r.list(16, () => readProducerConsumers(r)),
    observerIds: r.list(8, () => readObserverId(r)),
    producerObservers: r.list(16, () => readProducerObservers(r)),
  };
}
export function writeRouterDump(w: Writer, value: RouterDump): void {
  writeRouterId(w, value.router);
  w.u64(value.transportIds.length); for (const item0 of value.transportIds) { writeTransportId(w, item0); }
  w.u64(value.producerConsumers.length); for (const item0 of value.producerConsumers) { writeProducerConsumers(w, item0); }
  w.u64(value.observerIds.length); for (const item0 of value.observerIds) { writeObserverId(w, item0); }
  w.u64(value.producerObservers.length); for (const item0 of value.producerObservers) { writeProducerObservers(w, item0); }
}

export type RouterId = number;
export function readRouterId(r: Reader): RouterId {
  return r.u64();
}
export function writeRouterId(w: Writer, value: RouterId): void {
  w.u64(value);
}

export interface RtcpFeedback {
  kind: string;
  parameter: string;
}
export function readRtcpFeedback(r: Reader): RtcpFeedback {
  return {
    kind: r.text(),
    parameter: r.text(),
  };
}
export function writeRtcpFeedback(w: Writer, value: RtcpFeedback): void {
  w.text(value.kind);
  w.text(value.parameter);
}

export interface RtcpParameters {
  cname: string;
  reducedSize: boolean;
}
export function readRtcpParameters(r: Reader): RtcpParameters {
  return {
    cname: r.text(),
    reducedSize: r.bool(),
  };
}
export function writeRtcpParameters(w: Writer, value: RtcpParameters): void {
  w.text(value.cname);
  w.bool(value.reducedSize);
}

export interface RtpCodecParameters {
  mimeType: string;
  payloadType: number;
  clockRate: number;
  channels: number | undefined;
  parameters: CodecParameter[];
  rtcpFeedback: RtcpFeedback[];
}
export function readRtpCodecParameters(r: Reader): RtpCodecParameters {
  return {
    mimeType: r.text(),
    payloadType: r.u8(),
    clockRate: r.u32(),
    channels: r.option() ? r.u8() : undefined,
    parameters: r.list(12, () => readCodecParameter(r)),
    rtcpFeedback: r.list(16, () => readRtcpFeedback(r)),
  };
}
export function writeRtpCodecParameters(w: Writer, value: RtpCodecParameters): void {
  w.text(value.mimeType);
  w.u8(value.payloadType);
  w.u32(value.clockRate);
  { const item0 = value.channels; w.option(item0 !== undefined); if (item0 !== undefined) { w.u8(item0); } }
  w.u64(value.parameters.length); for (const item0 of value.parameters) { writeCodecParameter(w, item0); }
  w.u64(value.rtcpFeedback.length); for (const item0 of value.rtcpFeedback) { writeRtcpFeedback(w, item0); }
}

export interface RtpEncodingParameters {
  ssrc: number | undefined;
  rid: string | undefined;
  codecPayloadType: number | undefined;
  rtxSsrc: number | undefined;
  dtx: boolean;
  scalabilityMode: string | undefined;
  maxBitrate: number | undefined;
  fecSsrc: number | undefined;
}
export function readRtpEncodingParameters(r: Reader): RtpEncodingParameters {
  return {
    ssrc: r.option() ? r.u32() : undefined,
    rid: r.option() ? r.text() : undefined,
    codecPayloadType: r.option() ? r.u8() : undefined,
    rtxSsrc: r.option() ? r.u32() : undefined,
    dtx: r.bool(),
    scalabilityMode: r.option() ? r.text() : undefined,
    maxBitrate: r.option() ? r.u64() : undefined,
    fecSsrc: r.option() ? r.u32() : undefined,
  };
}
export function writeRtpEncodingParameters(w: Writer, value: RtpEncodingParameters): void {
  { const item0 = value.ssrc; w.option(item0 !== undefined); if (item0 !== undefined) { w.u32(item0); } }
  { const item0 = value.rid; w.option(item0 !== undefined); if (item0 !== undefined) { w.text(item0); } }
  { const item0 = value.codecPayloadType; w.option(item0 !== undefined); if (item0 !== undefined) { w.u8(item0); } }
  { const item0 = value.rtxSsrc; w.option(item0 !== undefined); if (item0 !== undefined) { w.u32(item0); } }
  w.bool(value.dtx);
  { const item0 = value.scalabilityMode; w.option(item0 !== undefined); if (item0 !== undefined) { w.text(item0); } }
  { const item0 = value.maxBitrate; w.option(item0 !== undefined); if (item0 !== undefined) { w.u64(item0); } }
  { const item0 = value.fecSsrc; w.option(item0 !== undefined); if (item0 !== undefined) { w.u32(item0); } }
}

export interface RtpHeaderExtensionParameters {
  uri: string;
  id: number;
  encrypt: boolean;
}
export function readRtpHeaderExtensionParameters(r: Reader): RtpHeaderExtensionParameters {
  return {
    uri: r.text(),
    id: r.u8(),
    encrypt: r.bool(),
  };
}
export function writeRtpHeaderExtensionParameters(w: Writer, value: RtpHeaderExtensionParameters): void {
  w.text(value.uri);
  w.u8(value.id);
  w.bool(value.encrypt);
}

export interface RtpMapping {
  codecs: CodecMapping[];
  encodings: EncodingMapping[];
}
export function readRtpMapping(r: Reader): RtpMapping {
  return {
    codecs: r.list(2, () => readCodecMapping(r)),
    encodings: r.list(7, () => readEncodingMapping(r)),
  };
}
export function writeRtpMapping(w: Writer, value: RtpMapping): void {
  w.u64(value.codecs.length); for (const item0 of value.codecs) { writeCodecMapping(w, item0); }
  w.u64(value.encodings.length); for (const item0 of value.encodings) { writeEncodingMapping(w, item0); }
}

export interface RtpParameters {
  mid: string | undefined;
  codecs: RtpCodecParameters[];
  headerExtensions: RtpHeaderExtensionParameters[];
  encodings: RtpEncodingParameters[];
  rtcp: RtcpParameters;
}
export function readRtpParameters(r: Reader): RtpParameters {
  return {
    mid: r.option() ? r.text() : undefined,
    codecs: r.list(30, () => readRtpCodecParameters(r)),
    headerExtensions: r.list(10, () => readRtpHeaderExtensionParameters(r)),
    encodings: r.list(8, () => readRtpEncodingParameters(r)),
    rtcp: readRtcpParameters(r),
  };
}
export function writeRtpParameters(w: Writer, value: RtpParameters): void {
  { const item0 = value.mid; w.option(item0 !== undefined); if (item0 !== undefined) { w.text(item0); } }
  w.u64(value.codecs.length); for (const item0 of value.codecs) { writeRtpCodecParameters(w, item0); }
  w.u64(value.headerExtensions.length); for (const item0 of value.headerExtensions) { writeRtpHeaderExtensionParameters(w, item0); }
  w.u64(value.encodings.length); for (const item0 of value.encodings) { writeRtpEncodingParameters(w, item0); }
  writeRtcpParameters(w, value.rtcp);
}

export interface RtpStreamStats {
  direction: Direction;
  timestampMs: number;
  ssrc: number;
  rtxSsrc: number | undefined;
  rid: string | undefined;
  kind: MediaKind;
  mimeType: string;
  packetCount: number;
  byteCount: number;
  bitrate: number;
  bitrateByLayer: LayerBitrate[];
  packetsLost: number;
  fractionLost: number;
  jitter: number;
  packetsDiscarded: number;
  rtxPacketsDiscarded: number | undefined;
  packetsRetransmitted: number;
  packetsRepaired: number;
  nackCount: number;
  nackPacketCount: number;
  pliCount: number;
  firCount: number;
  roundTripTimeUs: number;
  score: number;
}
export function readRtpStreamStats(r: Reader): RtpStreamStats {
  return {
    direction: readDirection(r),
    timestampMs: r.u64(),
    ssrc: r.u32(),
    rtxSsrc: r.option() ? r.u32() : undefined,
    rid: r.option() ? r.text() : undefined,
    kind: readMediaKind(r),
    mimeType: r.text(),
    packetCount: r.u64(),
    byteCount: r.u64(),
    bitrate: r.u64(),
    bitrateByLayer: r.list(10, () => readLayerBitrate(r)),
    packetsLost: r.i32(),
    fractionLost: r.u8(),
    jitter: r.u32(),
    packetsDiscarded: r.u64(),
    rtxPacketsDiscarded: r.option() ? r.u64() : undefined,
    packetsRetransmitted: r.u64(),
    packetsRepaired: r.u64(),
    nackCount: r.u64(),
    nackPacketCount: r.u64(),
    pliCount: r.u64(),
    firCount: r.u64(),
    roundTripTimeUs: r.u64(),
    score: r.u8(),
  };
}
export function writeRtpStreamStats(w: Writer, value: RtpStreamStats): void {
  writeDirection(w, value.direction);
  w.u64(value.timestampMs);
  w.u32(value.ssrc);
  { const item0 = value.rtxSsrc; w.option(item0 !== undefined); if (item0 !== undefined) { w.u32(item0); } }
  { const item0 = value.rid; w.option(item0 !== undefined); if (item0 !== undefined) { w.text(item0); } }
  writeMediaKind(w, value.kind);
  w.text(value.mimeType);
  w.u64(value.packetCount);
  w.u64(value.byteCount);
  w.u64(value.bitrate);
  w.u64(value.bitrateByLayer.length); for (const item0 of value.bitrateByLayer) { writeLayerBitrate(w, item0); }
  w.i32(value.packetsLost);
  w.u8(value.fractionLost);
  w.u32(value.jitter);
  w.u64(value.packetsDiscarded);
  { const item0 = value.rtxPacketsDiscarded; w.option(item0 !== undefined); if (item0 !== undefined) { w.u64(item0); } }
  w.u64(value.packetsRetransmitted);
  w.u64(value.packetsRepaired);
  w.u64(value.nackCount);
  w.u64(value.nackPacketCount);
  w.u64(value.pliCount);
  w.u64(value.firCount);
  w.u64(value.roundTripTimeUs);
  w.u8(value.score);
}

const namesRtpType = ['simple', 'simulcast', 'svc', 'pipe'] as const;
const tagsRtpType = { simple: 0, simulcast: 1, svc: 2, pipe: 3 } as const;
export type RtpType = (typeof namesRtpType)[number];
export function readRtpType(r: Reader): RtpType {
  return r.name('RtpType', namesRtpType);
}
export function writeRtpType(w: Writer, value: RtpType): void {
  w.u32(w.tag('RtpType', tagsRtpType, value));
}

export type SocketAddr =
  | { type: 'v4'; value: [Uint8Array, number] }
  | { type: 'v6'; value: [Uint8Array, number] };
export function readSocketAddr(r: Reader): SocketAddr {
  const tag = r.u32();
  switch (tag) {
    case 0:
      return { type: 'v4', value: [r.byteArray(4), r.u16()] };
    case 1:
      return { type: 'v6', value: [r.byteArray(16), r.u16()] };
    default:
      return r.unknown('SocketAddr', tag);
  }
}
export function writeSocketAddr(w: Writer, value: SocketAddr): void {
  switch (value.type) {
    case 'v4':
      w.u32(0);
      w.byteArray(value.value[0], 4); w.u16(value.value[1]);
      return;
    case 'v6':
      w.u32(1);
      w.byteArray(value.value[0], 16); w.u16(value.value[1]);
      return;
    default:
      w.unknown('SocketAddr', value);
  }
}

const namesSrtpCryptoSuite = ['aeadAes256Gcm', 'aeadAes128Gcm', 'aesCm128HmacSha1_80', 'aesCm128HmacSha1_32'] as const;
const tagsSrtpCryptoSuite = { aeadAes256Gcm: 0, aeadAes128Gcm: 1, aesCm128HmacSha1_80: 2, aesCm128HmacSha1_32: 3 } as const;
export type SrtpCryptoSuite = (typeof namesSrtpCryptoSuite)[number];
export function readSrtpCryptoSuite(r: Reader): SrtpCryptoSuite {
  return r.name('SrtpCryptoSuite', namesSrtpCryptoSuite);
}
export function writeSrtpCryptoSuite(w: Writer, value: SrtpCryptoSuite): void {
  w.u32(w.tag('SrtpCryptoSuite', tagsSrtpCryptoSuite, value));
}

export interface SrtpParameters {
  cryptoSuite: SrtpCryptoSuite;
  key: Uint8Array;
}
export function readSrtpParameters(r: Reader): SrtpParameters {
  return {
    cryptoSuite: readSrtpCryptoSuite(r),
    key: r.bytes(),
  };
}
export function writeSrtpParameters(w: Writer, value: SrtpParameters): void {
  writeSrtpCryptoSuite(w, value.cryptoSuite);
  w.bytes(value.key);
}

export interface SsrcConsumer {
  ssrc: number;
  consumer: ConsumerId;
}
export function readSsrcConsumer(r: Reader): SsrcConsumer {
  return {
    ssrc: r.u32(),
    consumer: readConsumerId(r),
  };
}
export function writeSsrcConsumer(w: Writer, value: SsrcConsumer): void {
  w.u32(value.ssrc);
  writeConsumerId(w, value.consumer);
}

export interface SsrcProducer {
  ssrc: number;
  producer: ProducerId;
}
export function readSsrcProducer(r: Reader): SsrcProducer {
  return {
    ssrc: r.u32(),
    producer: readProducerId(r),
  };
}
export function writeSsrcProducer(w: Writer, value: SsrcProducer): void {
  w.u32(value.ssrc);
  writeProducerId(w, value.producer);
}

export interface StreamDump {
  encodingIdx: number;
  ssrc: number;
  payloadType: number;
  mimeType: string;
  clockRate: number;
  rid: string | undefined;
  cname: string;
  rtxSsrc: number | undefined;
  rtxPayloadType: number | undefined;
  useNack: boolean;
  usePli: boolean;
  useFir: boolean;
  useInBandFec: boolean;
  useDtx: boolean;
  spatialLayers: number;
  temporalLayers: number;
  score: number;
}
export function readStreamDump(r: Reader): StreamDump {
  return {
    encodingIdx: r.u32(),
    ssrc: r.u32(),
    payloadType: r.u8(),
    mimeType: r.text(),
    clockRate: r.u32(),
    rid: r.option() ? r.text() : undefined,
    cname: r.text(),
    rtxSsrc: r.option() ? r.u32() : undefined,
    rtxPayloadType: r.option() ? r.u8() : undefined,
    useNack: r.bool(),
    usePli: r.bool(),
    useFir: r.bool(),
    useInBandFec: r.bool(),
    useDtx: r.bool(),
    spatialLayers: r.u8(),
    temporalLayers: r.u8(),
    score: r.u8(),
  };
}
export function writeStreamDump(w: Writer, value: StreamDump): void {
  w.u32(value.encodingIdx);
  w.u32(value.ssrc);
  w.u8(value.payloadType);
  w.text(value.mimeType);
  w.u32(value.clockRate);
  { const item0 = value.rid; w.option(item0 !== undefined); if (item0 !== undefined) { w.text(item0); } }
  w.text(value.cname);
  { const item0 = value.rtxSsrc; w.option(item0 !== undefined); if (item0 !== undefined) { w.u32(item0); } }
  { const item0 = value.rtxPayloadType; w.option(item0 !== undefined); if (item0 !== undefined) { w.u8(item0); } }
  w.bool(value.useNack);
  w.bool(value.usePli);
  w.bool(value.useFir);
  w.bool(value.useInBandFec);
  w.bool(value.useDtx);
  w.u8(value.spatialLayers);
  w.u8(value.temporalLayers);
  w.u8(value.score);
}

export interface StreamScore {
  encodingIdx: number;
  ssrc: number;
  rid: string | undefined;
  score: number;
}
export function readStreamScore(r: Reader): StreamScore {
  return {
    encodingIdx: r.u32(),
    ssrc: r.u32(),
    rid: r.option() ? r.text() : undefined,
    score: r.u8(),
  };
}
export function writeStreamScore(w: Writer, value: StreamScore): void {
  w.u32(value.encodingIdx);
  w.u32(value.ssrc);
  { const item0 = value.rid; w.option(item0 !== undefined); if (item0 !== undefined) { w.text(item0); } }
  w.u8(value.score);
}

export type ToWorker =
  | { type: 'request'; id: RequestId; command: Command }
  | { type: 'helloReply'; value: HelloReply };
export function readToWorker(r: Reader): ToWorker {
  const tag = r.u32();
  switch (tag) {
    case 0:
      return { type: 'request', id: readRequestId(r), command: readCommand(r) };
    case 1:
      return { type: 'helloReply', value: readHelloReply(r) };
    default:
      return r.unknown('ToWorker', tag);
  }
}
export function writeToWorker(w: Writer, value: ToWorker): void {
  switch (value.type) {
    case 'request':
      w.u32(0);
      writeRequestId(w, value.id);
      writeCommand(w, value.command);
      return;
    case 'helloReply':
      w.u32(1);
      writeHelloReply(w, value.value);
      return;
    default:
      w.unknown('ToWorker', value);
  }
}

export interface Trace {
  timestampMs: number;
  direction: Direction;
  info: TraceInfo;
}
export function readTrace(r: Reader): Trace {
  return {
    timestampMs: r.u64(),
    direction: readDirection(r),
    info: readTraceInfo(r),
  };
}
export function writeTrace(w: Writer, value: Trace): void {
  w.u64(value.timestampMs);
  writeDirection(w, value.direction);
  writeTraceInfo(w, value.info);
}

export type TraceInfo =
  | { type: 'rtp'; value: PacketTrace }
  | { type: 'keyFrame'; value: PacketTrace }
  | { type: 'nack'; ssrc: number; packets: number }
  | { type: 'pli'; ssrc: number }
  | { type: 'fir'; ssrc: number }
  | { type: 'sr'; ssrc: number; ntp: bigint; rtpTimestamp: number; packetCount: number; octetCount: number };
export function readTraceInfo(r: Reader): TraceInfo {
  const tag = r.u32();
  switch (tag) {
    case 0:
      return { type: 'rtp', value: readPacketTrace(r) };
    case 1:
      return { type: 'keyFrame', value: readPacketTrace(r) };
    case 2:
      return { type: 'nack', ssrc: r.u32(), packets: r.u32() };
    case 3:
      return { type: 'pli', ssrc: r.u32() };
    case 4:
      return { type: 'fir', ssrc: r.u32() };
    case 5:
      return { type: 'sr', ssrc: r.u32(), ntp: r.bits64(), rtpTimestamp: r.u32(), packetCount: r.u32(), octetCount: r.u32() };
    default:
      return r.unknown('TraceInfo', tag);
  }
}
export function writeTraceInfo(w: Writer, value: TraceInfo): void {
  switch (value.type) {
    case 'rtp':
      w.u32(0);
      writePacketTrace(w, value.value);
      return;
    case 'keyFrame':
      w.u32(1);
      writePacketTrace(w, value.value);
      return;
    case 'nack':
      w.u32(2);
      w.u32(value.ssrc);
      w.u32(value.packets);
      return;
    case 'pli':
      w.u32(3);
      w.u32(value.ssrc);
      return;
    case 'fir':
      w.u32(4);
      w.u32(value.ssrc);
      return;
    case 'sr':
      w.u32(5);
      w.u32(value.ssrc);
      w.bits64(value.ntp);
      w.u32(value.rtpTimestamp);
      w.u32(value.packetCount);
      w.u32(value.octetCount);
      return;
    default:
      w.unknown('TraceInfo', value);
  }
}

const namesTraceType = ['rtp', 'keyFrame', 'nack', 'pli', 'fir', 'sr'] as const;
const tagsTraceType = { rtp: 0, keyFrame: 1, nack: 2, pli: 3, fir: 4, sr: 5 } as const;
export type TraceType = (typeof namesTraceType)[number];
export function readTraceType(r: Reader): TraceType {
  return r.name('TraceType', namesTraceType);
}
export function writeTraceType(w: Writer, value: TraceType): void {
  w.u32(w.tag('TraceType', tagsTraceType, value));
}

export interface Traffic {
  packets: number;
  bytes: number;
  bitrate: number;
}
export function readTraffic(r: Reader): Traffic {
  return {
    packets: r.u64(),
    bytes: r.u64(),
    bitrate: r.u64(),
  };
}
export function writeTraffic(w: Writer, value: Traffic): void {
  w.u64(value.packets);
  w.u64(value.bytes);
  w.u64(value.bitrate);
}

export interface TransportDump {
  transport: TransportId;
  router: RouterId;
  producerIds: ProducerId[];
  consumerIds: ConsumerId[];
  ssrcTable: SsrcProducer[];
  midTable: NamedProducer[];
  ridTable: NamedProducer[];
  ssrcConsumers: SsrcConsumer[];
  rtxSsrcConsumers: SsrcConsumer[];
  recvRtpHeaderExtensions: RecvRtpHeaderExtensions;
  plain: PlainDump | undefined;
  webrtc: WebRtcDump | undefined;
}
export function readTransportDump(r: Reader): TransportDump {
  return {
    transport: readTransportId(r),
    router: readRouterId(r),
    producerIds: r.list(8, () => readProducerId(r)),
    consumerIds: r.list(8, () => readConsumerId(r)),
    ssrcTable: r.list(12, () => readSsrcProducer(r)),
    midTable: r.list(16, () => readNamedProducer(r)),
    ridTable: r.list(16, () => readNamedProducer(r)),
    ssrcConsumers: r.list(12, () => readSsrcConsumer(r)),
    rtxSsrcConsumers: r.list(12, () => readSsrcConsumer(r)),
    recvRtpHeaderExtensions: readRecvRtpHeaderExtensions(r),
    plain: r.option() ? readPlainDump(r) : undefined,
    webrtc: r.option() ? readWebRtcDump(r) : undefined,
  };
}
export function writeTransportDump(w: Writer, value: TransportDump): void {
  writeTransportId(w, value.transport);
  writeRouterId(w, value.router);
  w.u64(value.producerIds.length); for (const item0 of value.producerIds) { writeProducerId(w, item0); }
  w.u64(value.consumerIds.length); for (const item0 of value.consumerIds) { writeConsumerId(w, item0); }
  w.u64(value.ssrcTable.length); for (const item0 of value.ssrcTable) { writeSsrcProducer(w, item0); }
  w.u64(value.midTable.length); for (const item0 of value.midTable) { writeNamedProducer(w, item0); }
  w.u64(value.ridTable.length); for (const item0 of value.ridTable) { writeNamedProducer(w, item0); }
  w.u64(value.ssrcConsumers.length); for (const item0 of value.ssrcConsumers) { writeSsrcConsumer(w, item0); }
  w.u64(value.rtxSsrcConsumers.length); for (const item0 of value.rtxSsrcConsumers) { writeSsrcConsumer(w, item0); }
  writeRecvRtpHeaderExtensions(w, value.recvRtpHeaderExtensions);
  { const item0 = value.plain; w.option(item0 !== undefined); if (item0 !== undefined) { writePlainDump(w, item0); } }
  { const item0 = value.webrtc; w.option(item0 !== undefined); if (item0 !== undefined) { writeWebRtcDump(w, item0); } }
}

export type TransportId = number;
export function readTransportId(r: Reader): TransportId {
  return r.u64();
}
export function writeTransportId(w: Writer, value: TransportId): void {
  w.u64(value);
}

export interface TransportStats {
  transport: TransportId;
  timestampMs: number;
  received: Traffic;
  sent: Traffic;
  rtpReceived: Traffic;
  rtpSent: Traffic;
  rtxReceived: Traffic;
  rtxSent: Traffic;
  probationSent: Traffic | undefined;
  fecReceived: Traffic;
  dropped: DroppedPackets;
  availableOutgoingBitrate: number | undefined;
  availableIncomingBitrate: number | undefined;
  maxIncomingBitrate: number;
  rtpPacketLossReceivedPpm: number | undefined;
  rtpPacketLossSentPpm: number | undefined;
  plain: PlainStats | undefined;
  webrtc: WebRtcStats | undefined;
}
export function readTransportStats(r: Reader): TransportStats {
  return {
    transport: readTransportId(r),
    timestampMs: r.u64(),
    received: readTraffic(r),
    sent: readTraffic(r),
    rtpReceived: readTraffic(r),
    rtpSent: readTraffic(r),
    rtxReceived: readTraffic(r),
    rtxSent: readTraffic(r),
    probationSent: r.option() ? readTraffic(r) : undefined,
    fecReceived: readTraffic(r),
    dropped: readDroppedPackets(r),
    availableOutgoingBitrate: r.option() ? r.u64() : undefined,
    availableIncomingBitrate: r.option() ? r.u64() : undefined,
    maxIncomingBitrate: r.u64(),
    rtpPacketLossReceivedPpm: r.option() ? r.u32() : undefined,
    rtpPacketLossSentPpm: r.option() ? r.u32() : undefined,
    plain: r.option() ? readPlainStats(r) : undefined,
    webrtc: r.option() ? readWebRtcStats(r) : undefined,
  };
}
export function writeTransportStats(w: Writer, value: TransportStats): void {
  writeTransportId(w, value.transport);
  w.u64(value.timestampMs);
  writeTraffic(w, value.received);
  writeTraffic(w, value.sent);
  writeTraffic(w, value.rtpReceived);
  writeTraffic(w, value.rtpSent);
  writeTraffic(w, value.rtxReceived);
  writeTraffic(w, value.rtxSent);
  { const item0 = value.probationSent; w.option(item0 !== undefined); if (item0 !== undefined) { writeTraffic(w, item0); } }
  writeTraffic(w, value.fecReceived);
  writeDroppedPackets(w, value.dropped);
  { const item0 = value.availableOutgoingBitrate; w.option(item0 !== undefined); if (item0 !== undefined) { w.u64(item0); } }
  { const item0 = value.availableIncomingBitrate; w.option(item0 !== undefined); if (item0 !== undefined) { w.u64(item0); } }
  w.u64(value.maxIncomingBitrate);
  { const item0 = value.rtpPacketLossReceivedPpm; w.option(item0 !== undefined); if (item0 !== undefined) { w.u32(item0); } }
  { const item0 = value.rtpPacketLossSentPpm; w.option(item0 !== undefined); if (item0 !== undefined) { w.u32(item0); } }
  { const item0 = value.plain; w.option(item0 !== undefined); if (item0 !== undefined) { writePlainStats(w, item0); } }
  { const item0 = value.webrtc; w.option(item0 !== undefined); if (item0 !== undefined) { writeWebRtcStats(w, item0); } }
}

export interface TransportTuple {
  localAddress: string;
  localPort: number;
  remoteIp: IpAddr | undefined;
  remotePort: number | undefined;
  protocol: Protocol;
}
export function readTransportTuple(r: Reader): TransportTuple {
  return {
    localAddress: r.text(),
    localPort: r.u16(),
    remoteIp: r.option() ? readIpAddr(r) : undefined,
    remotePort: r.option() ? r.u16() : undefined,
    protocol: readProtocol(r),
  };
}
export function writeTransportTuple(w: Writer, value: TransportTuple): void {
  w.text(value.localAddress);
  w.u16(value.localPort);
  { const item0 = value.remoteIp; w.option(item0 !== undefined); if (item0 !== undefined) { writeIpAddr(w, item0); } }
  { const item0 = value.remotePort; w.option(item0 !== undefined); if (item0 !== undefined) { w.u16(item0); } }
  writeProtocol(w, value.protocol);
}

export interface VideoOrientation {
  camera: boolean;
  flip: boolean;
  rotation: number;
}
export function readVideoOrientation(r: Reader): VideoOrientation {
  return {
    camera: r.bool(),
    flip: r.bool(),
    rotation: r.u16(),
  };
}
export function writeVideoOrientation(w: Writer, value: VideoOrientation): void {
  w.bool(value.camera);
  w.bool(value.flip);
  w.u16(value.rotation);
}

export type WebRtcCommand =
  | { type: 'createServer'; server: WebRtcServerId; listenInfos: ListenInfo[] }
  | { type: 'closeServer'; server: WebRtcServerId }
  | { type: 'dumpServer'; server: WebRtcServerId }
  | { type: 'createTransport'; router: RouterId; transport: TransportId; options: WebRtcTransportOptions }
  | { type: 'connectTransport'; transport: TransportId; role: DtlsRole; fingerprints: DtlsFingerprint[] }
  | { type: 'restartIce'; transport: TransportId }
  | { type: 'setMaxOutgoingBitrate'; transport: TransportId; bitrate: number }
  | { type: 'setMinOutgoingBitrate'; transport: TransportId; bitrate: number };
export function readWebRtcCommand(r: Reader): WebRtcCommand {
  const tag = r.u32();
  switch (tag) {
    case 0:
      return { type: 'createServer', server: readWebRtcServerId(r), listenInfos: r.list(25, () => readListenInfo(r)) };
    case 1:
      return { type: 'closeServer', server: readWebRtcServerId(r) };
    case 2:
      return { type: 'dumpServer', server: readWebRtcServerId(r) };
    case 3:
      return { type: 'createTransport', router: readRouterId(r), transport: readTransportId(r), options: readWebRtcTransportOptions(r) };
    case 4:
      return { type: 'connectTransport', transport: readTransportId(r), role: readDtlsRole(r), fingerprints: r.list(12, () => readDtlsFingerprint(r)) };
    case 5:
      return { type: 'restartIce', transport: readTransportId(r) };
    case 6:
      return { type: 'setMaxOutgoingBitrate', transport: readTransportId(r), bitrate: r.u64() };
    case 7:
      return { type: 'setMinOutgoingBitrate', transport: readTransportId(r), bitrate: r.u64() };
    default:
      return r.unknown('WebRtcCommand', tag);
  }
}
export function writeWebRtcCommand(w: Writer, value: WebRtcCommand): void {
  switch (value.type) {
    case 'createServer':
      w.u32(0);
      writeWebRtcServerId(w, value.server);
      w.u64(value.listenInfos.length); for (const item0 of value.listenInfos) { writeListenInfo(w, item0); }
      return;
    case 'closeServer':
      w.u32(1);
      writeWebRtcServerId(w, value.server);
      return;
    case 'dumpServer':
      w.u32(2);
      writeWebRtcServerId(w, value.server);
      return;
    case 'createTransport':
      w.u32(3);
      writeRouterId(w, value.router);
      writeTransportId(w, value.transport);
      writeWebRtcTransportOptions(w, value.options);
      return;
    case 'connectTransport':
      w.u32(4);
      writeTransportId(w, value.transport);
      writeDtlsRole(w, value.role);
      w.u64(value.fingerprints.length); for (const item0 of value.fingerprints) { writeDtlsFingerprint(w, item0); }
      return;
    case 'restartIce':
      w.u32(5);
      writeTransportId(w, value.transport);
      return;
    case 'setMaxOutgoingBitrate':
      w.u32(6);
      writeTransportId(w, value.transport);
      w.u64(value.bitrate);
      return;
    case 'setMinOutgoingBitrate':
      w.u32(7);
      writeTransportId(w, value.transport);
      w.u64(value.bitrate);
      return;
    default:
      w.unknown('WebRtcCommand', value);
  }
}

export interface WebRtcDump {
  iceParameters: IceParameters;
  iceCandidates: IceCandidate[];
  iceState: IceState;
  iceSelectedTuple: TransportTuple | undefined;
  dtlsRole: DtlsRole;
  dtlsFingerprints: DtlsFingerprint[];
  dtlsState: DtlsState;
}
export function readWebRtcDump(r: Reader): WebRtcDump {
  return {
    iceParameters: readIceParameters(r),
    iceCandidates: r.list(26, () => readIceCandidate(r)),
    iceState: readIceState(r),
    iceSelectedTuple: r.option() ? readTransportTuple(r) : undefined,
    dtlsRole: readDtlsRole(r),
    dtlsFingerprints: r.list(12, () => readDtlsFingerprint(r)),
    dtlsState: readDtlsState(r),
  };
}
export function writeWebRtcDump(w: Writer, value: WebRtcDump): void {
  writeIceParameters(w, value.iceParameters);
  w.u64(value.iceCandidates.length); for (const item0 of value.iceCandidates) { writeIceCandidate(w, item0); }
  writeIceState(w, value.iceState);
  { const item0 = value.iceSelectedTuple; w.option(item0 !== undefined); if (item0 !== undefined) { writeTransportTuple(w, item0); } }
  writeDtlsRole(w, value.dtlsRole);
  w.u64(value.dtlsFingerprints.length); for (const item0 of value.dtlsFingerprints) { writeDtlsFingerprint(w, item0); }
  writeDtlsState(w, value.dtlsState);
}

export type WebRtcListen =
  | { type: 'server'; value: WebRtcServerId }
  | { type: 'individual'; value: ListenInfo[] };
export function readWebRtcListen(r: Reader): WebRtcListen {
  const tag = r.u32();
  switch (tag) {
    case 0:
      return { type: 'server', value: readWebRtcServerId(r) };
    case 1:
      return { type: 'individual', value: r.list(25, () => readListenInfo(r)) };
    default:
      return r.unknown('WebRtcListen', tag);
  }
}
export function writeWebRtcListen(w: Writer, value: WebRtcListen): void {
  switch (value.type) {
    case 'server':
      w.u32(0);
      writeWebRtcServerId(w, value.value);
      return;
    case 'individual':
      w.u32(1);
      w.u64(value.value.length); for (const item0 of value.value) { writeListenInfo(w, item0); }
      return;
    default:
      w.unknown('WebRtcListen', value);
  }
}

export interface WebRtcServerDump {
  server: WebRtcServerId;
  udpSockets: SocketAddr[];
  tcpServers: SocketAddr[];
  transportIds: TransportId[];
  localIceUsernameFragments: LocalUsernameFragment[];
  tuples: number;
}
export function readWebRtcServerDump(r: Reader): WebRtcServerDump {
  return {
    server: readWebRtcServerId(r),
    udpSockets: r.list(4, () => readSocketAddr(r)),
    tcpServers: r.list(4, () => readSocketAddr(r)),
    transportIds: r.list(8, () => readTransportId(r)),
    localIceUsernameFragments: r.list(16, () => readLocalUsernameFragment(r)),
    tuples: r.u64(),
  };
}
export function writeWebRtcServerDump(w: Writer, value: WebRtcServerDump): void {
  writeWebRtcServerId(w, value.server);
  w.u64(value.udpSockets.length); for (const item0 of value.udpSockets) { writeSocketAddr(w, item0); }
  w.u64(value.tcpServers.length); for (const item0 of value.tcpServers) { writeSocketAddr(w, item0); }
  w.u64(value.transportIds.length); for (const item0 of value.transportIds) { writeTransportId(w, item0); }
  w.u64(value.localIceUsernameFragments.length); for (const item0 of value.localIceUsernameFragments) { writeLocalUsernameFragment(w, item0); }
  w.u64(value.tuples);
}

export type WebRtcServerId = number;
export function readWebRtcServerId(r: Reader): WebRtcServerId {
  return r.u64();
}
export function writeWebRtcServerId(w: Writer, value: WebRtcServerId): void {
  w.u64(value);
}

export interface WebRtcStats {
  iceState: IceState;
  iceSelectedTuple: TransportTuple | undefined;
  dtlsState: DtlsState;
  maxOutgoingBitrate: number;
  minOutgoingBitrate: number;
  initialAvailableOutgoingBitrate: number;
  bindingRequests: number;
  stunRejected: number;
  dtlsRejected: number;
  tcpDropped: number;
}
export function readWebRtcStats(r: Reader): WebRtcStats {
  return {
    iceState: readIceState(r),
    iceSelectedTuple: r.option() ? readTransportTuple(r) : undefined,
    dtlsState: readDtlsState(r),
    maxOutgoingBitrate: r.u64(),
    minOutgoingBitrate: r.u64(),
    initialAvailableOutgoingBitrate: r.u64(),
    bindingRequests: r.u64(),
    stunRejected: r.u64(),
    dtlsRejected: r.u64(),
    tcpDropped: r.u64(),
  };
}
export function writeWebRtcStats(w: Writer, value: WebRtcStats): void {
  writeIceState(w, value.iceState);
  { const item0 = value.iceSelectedTuple; w.option(item0 !== undefined); if (item0 !== undefined) { writeTransportTuple(w, item0); } }
  writeDtlsState(w, value.dtlsState);
  w.u64(value.maxOutgoingBitrate);
  w.u64(value.minOutgoingBitrate);
  w.u64(value.initialAvailableOutgoingBitrate);
  w.u64(value.bindingRequests);
  w.u64(value.stunRejected);
  w.u64(value.dtlsRejected);
  w.u64(value.tcpDropped);
}

export interface WebRtcTransportOptions {
  listen: WebRtcListen;
  enableUdp: boolean;
  enableTcp: boolean;
  preferUdp: boolean;
  preferTcp: boolean;
  iceConsentTimeoutS: number;
  initialAvailableOutgoingBitrate: number;
  enableSctp: boolean;
}
export function readWebRtcTransportOptions(r: Reader): WebRtcTransportOptions {
  return {
    listen: readWebRtcListen(r),
    enableUdp: r.bool(),
    enableTcp: r.bool(),
    preferUdp: r.bool(),
    preferTcp: r.bool(),
    iceConsentTimeoutS: r.u8(),
    initialAvailableOutgoingBitrate: r.u64(),
    enableSctp: r.bool(),
  };
}
export function writeWebRtcTransportOptions(w: Writer, value: WebRtcTransportOptions): void {
  writeWebRtcListen(w, value.listen);
  w.bool(value.enableUdp);
  w.bool(value.enableTcp);
  w.bool(value.preferUdp);
  w.bool(value.preferTcp);
  w.u8(value.iceConsentTimeoutS);
  w.u64(value.initialAvailableOutgoingBitrate);
  w.bool(value.enableSctp);
}

export interface WorkerDump {
  pid: number;
  routerIds: RouterId[];
  transports: number;
  producers: number;
  consumers: number;
  sockets: number;
  packetsInUse: number;
  packetMemoryBytes: number;
  packetMemoryLimit: number;
  panicsContained: number;
}
export function readWorkerDump(r: Reader): WorkerDump {
  return {
    pid: r.u32(),
    routerIds: r.list(8, () => readRouterId(r)),
    transports: r.u64(),
    producers: r.u64(),
    consumers: r.u64(),
    sockets: r.u64(),
    packetsInUse: r.u64(),
    packetMemoryBytes: r.u64(),
    packetMemoryLimit: r.u64(),
    panicsContained: r.u64(),
  };
}
export function writeWorkerDump(w: Writer, value: WorkerDump): void {
  w.u32(value.pid);
  w.u64(value.routerIds.length); for (const item0 of value.routerIds) { writeRouterId(w, item0); }
  w.u64(value.transports);
  w.u64(value.producers);
  w.u64(value.consumers);
  w.u64(value.sockets);
  w.u64(value.packetsInUse);
  w.u64(value.packetMemoryBytes);
  w.u64(value.packetMemoryLimit);
  w.u64(value.panicsContained);
}
