/**
 * An application as it would be written for mediasoup, with every exported type and every member in use. It is compiled,
 * not run: as an ES module and as CommonJS (application.test.ts).
 */
import * as tidegate from 'tidegate';
import {
  createWorker,
  getSupportedRtpCapabilities,
  observer,
  parseScalabilityMode,
  type types,
} from 'tidegate';
import { NotFoundError, UnsupportedError, WorkerClosedError } from 'tidegate/errors';
import { EnhancedEventEmitter, enhancedOnce } from 'tidegate/extras';
import * as ortc from 'tidegate/ortc';
import type {
  ActiveSpeakerObserver,
  ActiveSpeakerObserverDominantSpeaker,
  AppData,
  AudioLevelObserver,
  AudioLevelObserverVolume,
  Consumer,
  ConsumerLayers,
  ConsumerScore,
  DtlsParameters,
  IceCandidate,
  IceParameters,
  MediaKind,
  PlainTransport,
  Producer,
  Router,
  RtpCapabilities,
  RtpParameters,
  Transport,
  WebRtcServer,
  WebRtcTransport,
  Worker,
} from 'tidegate/types';

/** What this application attaches to its transports. */
type PeerData = { peerId: string; direction: 'send' | 'receive' };

const mediaCodecs: types.RouterRtpCodecCapability[] = [
  {
    kind: 'audio',
    mimeType: 'audio/opus',
    clockRate: 48_000,
    channels: 2,
    parameters: { useinbandfec: 1, 'sprop-stereo': 1 },
    rtcpFeedback: [{ type: 'transport-cc' }, { type: 'nack', parameter: '' }],
  },
  { kind: 'video', mimeType: 'video/VP8', clockRate: 90_000, preferredPayloadType: 101 },
  {
    kind: 'video',
    mimeType: 'video/H264',
    clockRate: 90_000,
    parameters: { 'packetization-mode': 1, 'profile-level-id': '42e01f', 'level-asymmetry-allowed': 1 },
  },
];

const listenInfo: types.TransportListenInfo = {
  protocol: 'udp',
  ip: '0.0.0.0',
  announcedAddress: 'sfu.example.org',
  exposeInternalIp: true,
  port: 40_000,
  portRange: { min: 40_000, max: 40_100 } satisfies types.TransportPortRange,
  flags: { ipv6Only: false, udpReusePort: true } satisfies types.TransportSocketFlags,
  sendBufferSize: 0,
  recvBufferSize: 0,
};

export async function start(): Promise<Worker> {
  tidegate.setLogEventListeners({
    ondebug: (namespace: string, log: string) => {
      console.debug(namespace, log);
    },
    onwarn: (namespace: string, log: string) => {
      console.warn(namespace, log);
    },
    onerror: (namespace: string, log: string, error?: Error) => {
      console.error(namespace, log, error);
    },
  });
  observer.on('newworker', (worker: Worker) => {
    console.log('worker', worker.pid);
  });
  console.log(tidegate.version.toUpperCase(), tidegate.workerBin.length);
  const logTags: types.WorkerLogTag[] = [
    'info',
    'ice',
    'dtls',
    'rtp',
    'srtp',
    'rtcp',
    'rtx',
    'bwe',
    'score',
    'simulcast',
    'svc',
    'sctp',
    'message',
  ];
  const logLevel: types.WorkerLogLevel = 'warn';
  const settings: types.WorkerSettings<{ zone: string }> = {
    logLevel,
    logTags,
    rtcMinPort: 40_000,
    rtcMaxPort: 49_999,
    dtlsCertificateFile: '/etc/sfu/cert.pem',
    dtlsPrivateKeyFile: '/etc/sfu/key.pem',
    workerBin: '/usr/bin/tidegate-worker',
    appData: { zone: 'eu' },
  };
  const worker = await createWorker<{ zone: string }>(settings);
  worker.on('died', (error: Error) => {
    console.error(error.message);
  });
  worker.on('subprocessclose', () => {
    console.log(worker.subprocessClosed, worker.died, worker.closed);
  });
  worker.on('listenererror', (event: string, error: Error) => {
    console.error(event, error);
  });
  worker.observer.on('close', () => undefined);
  worker.observer.once('newrouter', (router: Router) => {
    console.log(router.id);
  });
  worker.observer.on('newwebrtcserver', (server: WebRtcServer) => {
    console.log(server.id);
  });
  const zone: string = worker.appData.zone;
  worker.appData = { zone };
  await worker.updateSettings({
    logLevel: 'error',
    logTags: ['info'],
  } satisfies types.WorkerUpdateableSettings);
  const usage: types.WorkerResourceUsage = await worker.getResourceUsage();
  const total: number =
    usage.ru_utime +
    usage.ru_stime +
    usage.ru_maxrss +
    usage.ru_ixrss +
    usage.ru_idrss +
    usage.ru_isrss +
    usage.ru_minflt +
    usage.ru_majflt +
    usage.ru_nswap +
    usage.ru_inblock +
    usage.ru_oublock +
    usage.ru_msgsnd +
    usage.ru_msgrcv +
    usage.ru_nsignals +
    usage.ru_nvcsw +
    usage.ru_nivcsw;
  const dump: types.WorkerDump = await worker.dump();
  console.log(total, dump.pid, dump.routerIds.length, dump.webRtcServerIds.length);
  console.log(
    dump.channelMessageHandlers.channelRequestHandlers,
    dump.channelMessageHandlers.channelNotificationHandlers,
  );
  return worker;
}

export async function room(worker: Worker): Promise<Router<{ name: string }>> {
  const server: WebRtcServer<{ shared: boolean }> = await worker.createWebRtcServer({
    listenInfos: [listenInfo, { protocol: 'tcp', ip: '127.0.0.1' }],
    appData: { shared: true },
  } satisfies types.WebRtcServerOptions<{ shared: boolean }>);
  server.on('workerclose', () => {
    console.log(server.closed, server.appData.shared);
  });
  server.observer.on('webrtctransporthandled', (transport: WebRtcTransport) => {
    console.log(transport.id);
  });
  server.observer.on('webrtctransportunhandled', (transport: WebRtcTransport) => {
    console.log(transport.id);
  });
  server.observer.on('close', () => undefined);
  const serverDump: types.WebRtcServerDump = await server.dump();
  console.log(
    serverDump.id,
    serverDump.udpSockets[0]?.ip,
    serverDump.tcpServers[0]?.port,
    serverDump.webRtcTransportIds,
  );
  console.log(serverDump.localIceUsernameFragments[0]?.localIceUsernameFragment);

  const options: types.RouterOptions<{ name: string }> = { mediaCodecs, appData: { name: 'room' } };
  const router = await worker.createRouter(options);
  router.on('workerclose', () => {
    console.log(router.closed);
  });
  router.observer.on('close', () => undefined);
  router.observer.on('newtransport', (transport: Transport) => {
    console.log(transport.type);
  });
  router.observer.on('newrtpobserver', (rtpObserver: types.RtpObserver) => {
    console.log(rtpObserver.type);
  });
  const capabilities: types.RouterRtpCapabilities = router.rtpCapabilities;
  const forClients: RtpCapabilities = capabilities;
  const codec: types.RtpCodecCapability | undefined = forClients.codecs?.[0];
  const extension: types.RtpHeaderExtension | undefined = forClients.headerExtensions?.[0];
  const direction: types.RtpHeaderExtensionDirection | undefined = extension?.direction;
  const uri: types.RtpHeaderExtensionUri | undefined = extension?.uri;
  console.log(
    codec?.preferredPayloadType,
    extension?.preferredId,
    extension?.preferredEncrypt,
    direction,
    uri,
  );
  router.updateMediaCodecs(mediaCodecs);
  const dump: types.RouterDump = await router.dump();
  console.log(dump.id, dump.transportIds, dump.rtpObserverIds);
  console.log(dump.mapProducerIdConsumerIds[0]?.values, dump.mapConsumerIdProducerId[0]?.value);
  console.log(
    dump.mapProducerIdObserverIds[0]?.key,
    dump.mapDataProducerIdDataConsumerIds,
    dump.mapDataConsumerIdDataProducerId,
  );
  server.close();
  return router;
}

export async function join(
  router: Router,
  webRtcServer: WebRtcServer,
  peerId: string,
): Promise<WebRtcTransport<PeerData>> {
  const options: types.WebRtcTransportOptions<PeerData> = {
    webRtcServer,
    enableUdp: true,
    enableTcp: true,
    preferUdp: true,
    preferTcp: false,
    iceConsentTimeout: 20,
    initialAvailableOutgoingBitrate: 1_000_000,
    enableSctp: false,
    maxSendMessageSize: 262_144,
    maxReceiveMessageSize: 262_144,
    sctpSendBufferSize: 2_000_000,
    sctpPerStreamSendQueueLimit: 2_000_000,
    sctpMaxReceiverWindowBufferSize: 5_242_880,
    sctpDefaultStreamBufferedAmountLowThreshold: 1024,
    appData: { peerId, direction: 'send' },
  };
  const transport = await router.createWebRtcTransport(options);
  await router.createWebRtcTransport({ listenInfos: [listenInfo] });
  await router.createWebRtcTransport({
    listenIps: ['127.0.0.1', { ip: '0.0.0.0', announcedIp: '192.0.2.1' } satisfies types.TransportListenIp],
    port: 40_000,
  });
  transport.on('routerclose', () => undefined);
  transport.on('listenserverclose', () => undefined);
  transport.on('icestatechange', (state: types.IceState) => {
    console.log(state === 'completed');
  });
  transport.on('iceselectedtuplechange', (tuple: types.TransportTuple) => {
    console.log(tuple.remoteIp, tuple.remotePort);
  });
  transport.on('dtlsstatechange', (state: types.DtlsState) => {
    console.log(state === 'connected');
  });
  transport.on('sctpstatechange', (state: types.SctpState) => {
    console.log(state === 'connected');
  });
  transport.on('trace', (trace: types.TransportTraceEventData) => {
    console.log(trace.type, trace.timestamp, trace.direction, trace.info);
  });
  transport.observer.on('close', () => undefined);
  transport.observer.on('newproducer', (producer: Producer) => {
    console.log(producer.id);
  });
  transport.observer.on('newconsumer', (consumer: Consumer) => {
    console.log(consumer.id);
  });
  transport.observer.on('newdataproducer', (dataProducer: types.DataProducer) => {
    console.log(dataProducer.id);
  });
  transport.observer.on('newdataconsumer', (dataConsumer: types.DataConsumer) => {
    console.log(dataConsumer.id);
  });
  transport.observer.on('icestatechange', (state: types.IceState) => {
    console.log(state);
  });
  const role: types.IceRole = transport.iceRole;
  const iceParameters: IceParameters = transport.iceParameters;
  const iceCandidates: IceCandidate[] = transport.iceCandidates;
  const dtlsParameters: DtlsParameters = transport.dtlsParameters;
  const state: types.IceState = transport.iceState;
  const tuple: types.TransportTuple | undefined = transport.iceSelectedTuple;
  const certificate: string | undefined = transport.dtlsRemoteCert;
  const sctp: types.SctpParameters | undefined = transport.sctpParameters;
  const sctpState: types.SctpState | undefined = transport.sctpState;
  const negotiated: types.SctpNegotiatedCapabilities | undefined = transport.sctpNegotiatedCapabilities;
  console.log(
    role,
    state,
    tuple?.localAddress,
    tuple?.protocol,
    certificate,
    sctp?.port,
    sctpState,
    negotiated,
    transport.dtlsState,
  );
  for (const candidate of iceCandidates) {
    const type: types.IceCandidateType = candidate.type;
    const tcpType: types.IceCandidateTcpType | undefined = candidate.tcpType;
    const protocol: types.TransportProtocol = candidate.protocol;
    console.log(
      candidate.foundation,
      candidate.priority,
      candidate.address,
      candidate.ip,
      candidate.port,
      type,
      tcpType,
      protocol,
    );
  }
  console.log(iceParameters.usernameFragment, iceParameters.password, iceParameters.iceLite);
  const fingerprint: types.DtlsFingerprint | undefined = dtlsParameters.fingerprints[0];
  const algorithm: types.FingerprintAlgorithm | undefined = fingerprint?.algorithm;
  const dtlsRole: types.DtlsRole | undefined = dtlsParameters.role;
  console.log(algorithm, fingerprint?.value, dtlsRole);
  await transport.connect({ dtlsParameters });
  const restarted: IceParameters = await transport.restartIce();
  await transport.setMaxIncomingBitrate(1_500_000);
  await transport.setMaxOutgoingBitrate(3_000_000);
  await transport.setMinOutgoingBitrate(100_000);
  await transport.enableTraceEvent(['probation', 'bwe'] satisfies types.TransportTraceEventType[]);
  const dump: types.WebRtcTransportDump = await transport.dump();
  const base: types.BaseTransportDump = dump;
  const listener: types.RtpListenerDump = dump.rtpListener;
  const extensions: types.RecvRtpHeaderExtensions = dump.recvRtpHeaderExtensions;
  console.log(
    base.id,
    dump.iceRole,
    listener.ssrcTable[0]?.value,
    listener.midTable,
    listener.ridTable,
    extensions.mid,
  );
  console.log(
    dump.mapSsrcConsumerId,
    dump.mapRtxSsrcConsumerId,
    dump.producerIds,
    dump.consumerIds,
    dump.traceEventTypes,
  );
  const [stats] = (await transport.getStats()) satisfies types.WebRtcTransportStat[];
  const baseStats: types.BaseTransportStats | undefined = stats;
  console.log(
    restarted.iceLite,
    stats?.dtlsState,
    stats?.iceState,
    baseStats?.bytesReceived,
    baseStats?.availableOutgoingBitrate,
  );
  console.log(
    transport.appData.peerId,
    transport.appData.direction,
    transport.closed,
    transport.type === 'webrtc',
  );
  return transport;
}

export async function plain(router: Router): Promise<PlainTransport> {
  const options: types.PlainTransportOptions = {
    listenInfo,
    rtcpListenInfo: listenInfo,
    rtcpMux: false,
    comedia: true,
    enableSrtp: true,
    srtpCryptoSuite: 'AEAD_AES_256_GCM' satisfies types.SrtpCryptoSuite,
    appData: { recorder: true },
  };
  const transport: PlainTransport = await router.createPlainTransport(options);
  transport.on('tuple', (tuple: types.TransportTuple) => {
    console.log(tuple.localPort);
  });
  transport.on('rtcptuple', (tuple: types.TransportTuple) => {
    console.log(tuple.localPort);
  });
  const srtpParameters: types.SrtpParameters | undefined = transport.srtpParameters;
  console.log(
    transport.tuple.localAddress,
    transport.rtcpTuple?.localPort,
    srtpParameters?.cryptoSuite,
    srtpParameters?.keyBase64,
  );
  await transport.connect({ ip: '192.0.2.7', port: 5004, rtcpPort: 5005, srtpParameters });
  const dump: types.PlainTransportDump = await transport.dump();
  const [stats] = (await transport.getStats()) satisfies types.PlainTransportStat[];
  console.log(
    dump.rtcpMux,
    dump.comedia,
    dump.tuple.localPort,
    dump.rtcpTuple,
    dump.srtpParameters,
    stats?.tuple.localPort,
    stats?.comedia,
  );
  return transport;
}

export async function produce(
  transport: Transport,
  kind: MediaKind,
  rtpParameters: RtpParameters,
): Promise<Producer> {
  const options: types.ProducerOptions<{ source: string }> = {
    id: 'camera',
    kind,
    rtpParameters,
    paused: false,
    keyFrameRequestDelay: 500,
    enableMediasoupPacketIdHeaderExtension: false,
    appData: { source: 'camera' },
  };
  const producer = await transport.produce(options);
  producer.on('transportclose', () => undefined);
  producer.on('score', (scores: types.ProducerScore[]) => {
    console.log(scores[0]?.encodingIdx, scores[0]?.ssrc, scores[0]?.rid, scores[0]?.score);
  });
  producer.on('videoorientationchange', (orientation: types.ProducerVideoOrientation) => {
    console.log(orientation.camera, orientation.flip, orientation.rotation);
  });
  producer.on('trace', (trace: types.ProducerTraceEventData) => {
    console.log(trace.type, trace.direction);
  });
  producer.observer.on('pause', () => undefined);
  producer.observer.on('resume', () => undefined);
  producer.observer.on('score', (scores) => {
    console.log(scores.length);
  });
  const type: types.ProducerType = producer.type;
  const consumable: RtpParameters = producer.consumableRtpParameters;
  const codec: types.RtpCodecParameters | undefined = producer.rtpParameters.codecs[0];
  const encoding: types.RtpEncodingParameters | undefined = producer.rtpParameters.encodings?.[0];
  const extension: types.RtpHeaderExtensionParameters | undefined = consumable.headerExtensions?.[0];
  const rtcp: types.RtcpParameters | undefined = consumable.rtcp;
  const feedback: types.RtcpFeedback | undefined = codec?.rtcpFeedback?.[0];
  console.log(
    codec?.mimeType,
    codec?.payloadType,
    codec?.clockRate,
    codec?.channels,
    codec?.parameters,
    feedback?.type,
    feedback?.parameter,
  );
  console.log(
    encoding?.ssrc,
    encoding?.rid,
    encoding?.rtx?.ssrc,
    encoding?.dtx,
    encoding?.scalabilityMode,
    encoding?.maxBitrate,
    encoding?.codecPayloadType,
  );
  console.log(
    extension?.uri,
    extension?.id,
    extension?.encrypt,
    rtcp?.cname,
    rtcp?.reducedSize,
    type,
    producer.score[0]?.score,
  );
  await producer.pause();
  await producer.resume();
  const traced: types.ProducerTraceEventType[] = ['rtp', 'keyframe', 'nack', 'pli', 'fir', 'sr'];
  await producer.enableTraceEvent(traced);
  const dump: types.ProducerDump = await producer.dump();
  const [stats] = (await producer.getStats()) satisfies types.ProducerStat[];
  console.log(
    dump.id,
    dump.rtpStreams,
    dump.rtpMapping,
    dump.paused,
    stats?.type,
    stats?.bitrateByLayer,
    stats?.jitter,
    stats?.score,
  );
  console.log(producer.paused, producer.closed, producer.kind, producer.appData.source);
  return producer;
}

export async function consume(
  router: Router,
  transport: Transport,
  producer: Producer,
  rtpCapabilities: RtpCapabilities,
): Promise<Consumer | undefined> {
  if (!router.canConsume({ producerId: producer.id, rtpCapabilities })) {
    return undefined;
  }
  const options: types.ConsumerOptions<{ tile: number }> = {
    producerId: producer.id,
    rtpCapabilities,
    paused: true,
    mid: '7',
    preferredLayers: { spatialLayer: 1, temporalLayer: 2 },
    enableRtx: true,
    ignoreDtx: false,
    pipe: false,
    appData: { tile: 3 },
  };
  const consumer = await transport.consume(options);
  consumer.on('transportclose', () => undefined);
  consumer.on('producerclose', () => undefined);
  consumer.on('producerpause', () => undefined);
  consumer.on('producerresume', () => undefined);
  consumer.on('score', (score: ConsumerScore) => {
    console.log(score.score, score.producerScore, score.producerScores);
  });
  consumer.on('layerschange', (layers?: ConsumerLayers) => {
    console.log(layers?.spatialLayer, layers?.temporalLayer);
  });
  consumer.on('trace', (trace: types.ConsumerTraceEventData) => {
    console.log(trace.type);
  });
  consumer.on('rtp', (packet: Buffer) => {
    console.log(packet.length);
  });
  consumer.observer.on('pause', () => undefined);
  consumer.observer.on('layerschange', (layers) => {
    console.log(layers?.spatialLayer);
  });
  const type: types.ConsumerType = consumer.type;
  const preferred: ConsumerLayers | undefined = consumer.preferredLayers;
  const current: ConsumerLayers | undefined = consumer.currentLayers;
  console.log(
    type,
    preferred,
    current,
    consumer.producerId,
    consumer.kind,
    consumer.rtpParameters.mid,
    consumer.score.score,
  );
  await consumer.setPriority(255);
  await consumer.unsetPriority();
  await consumer.setPreferredLayers({ spatialLayer: 0 });
  await consumer.requestKeyFrame();
  const traced: types.ConsumerTraceEventType[] = ['rtp', 'keyframe', 'nack', 'pli', 'fir'];
  await consumer.enableTraceEvent(traced);
  await consumer.resume();
  await consumer.pause();
  const dump: types.ConsumerDump = await consumer.dump();
  const stats: (types.ConsumerStat | types.ProducerStat)[] = await consumer.getStats();
  console.log(
    dump.id,
    dump.producerId,
    dump.supportedCodecPayloadTypes,
    dump.priority,
    stats[0]?.roundTripTime,
  );
  console.log(
    consumer.paused,
    consumer.producerPaused,
    consumer.priority,
    consumer.closed,
    consumer.appData.tile,
  );
  return consumer;
}

export async function observers(router: Router, producer: Producer): Promise<void> {
  const levels: AudioLevelObserver = await router.createAudioLevelObserver({
    maxEntries: 3,
    threshold: -70,
    interval: 800,
  } satisfies types.AudioLevelObserverOptions);
  levels.on('volumes', (volumes: AudioLevelObserverVolume[]) => {
    console.log(volumes[0]?.producer.id, volumes[0]?.volume);
  });
  levels.on('silence', () => undefined);
  levels.on('routerclose', () => undefined);
  levels.observer.on('volumes', (volumes) => {
    console.log(volumes.length);
  });
  const speaker: ActiveSpeakerObserver = await router.createActiveSpeakerObserver({
    interval: 500,
  } satisfies types.ActiveSpeakerObserverOptions);
  speaker.on('dominantspeaker', (dominant: ActiveSpeakerObserverDominantSpeaker) => {
    console.log(dominant.producer.id);
  });
  speaker.observer.on('dominantspeaker', ({ producer }) => {
    console.log(producer.id);
  });
  const all: types.RtpObserver[] = [levels, speaker];
  for (const rtpObserver of all) {
    const type: types.RtpObserverType = rtpObserver.type;
    rtpObserver.observer.on('addproducer', (added: Producer) => {
      console.log(added.id);
    });
    rtpObserver.observer.on('removeproducer', (removed: Producer) => {
      console.log(removed.id);
    });
    await rtpObserver.addProducer({
      producerId: producer.id,
    } satisfies types.RtpObserverAddRemoveProducerOptions);
    await rtpObserver.pause();
    await rtpObserver.resume();
    await rtpObserver.removeProducer({ producerId: producer.id });
    console.log(type, rtpObserver.id, rtpObserver.paused, rtpObserver.closed, rtpObserver.appData);
    rtpObserver.close();
  }
}

/** What this worker refuses; an application compiles with it all the same. */
export async function elsewhere(router: Router, other: Router, transport: Transport): Promise<void> {
  try {
    const { pipeConsumer, pipeProducer }: types.PipeToRouterResult = await router.pipeToRouter({
      producerId: 'camera',
      router: other,
      keepId: false,
      enableSctp: false,
      enableRtx: true,
      enableSrtp: false,
      listenInfo,
    } satisfies types.PipeToRouterOptions);
    console.log(pipeConsumer?.id, pipeProducer?.id);
    const pipe: types.PipeTransport = await router.createPipeTransport({
      listenInfo,
      enableRtx: true,
    } satisfies types.PipeTransportOptions);
    await pipe.connect({ ip: '127.0.0.1', port: 1, srtpParameters: pipe.srtpParameters });
    await pipe.consume({ producerId: 'camera' } satisfies types.PipeConsumerOptions);
    console.log(
      pipe.tuple,
      ((await pipe.dump()) satisfies types.PipeTransportDump).rtx,
      await pipe.getStats(),
    );
    const direct: types.DirectTransport = await router.createDirectTransport({
      maxSendMessageSize: 1000,
      maxReceiveMessageSize: 1000,
    } satisfies types.DirectTransportOptions);
    direct.on('rtcp', (packet: Buffer) => {
      direct.sendRtcp(packet);
    });
    const dataProducer: types.DataProducer = await transport.produceData({
      sctpStreamParameters: {
        streamId: 1,
        ordered: false,
        maxRetransmits: 1,
      } satisfies types.SctpStreamParameters,
      label: 'chat',
      protocol: '',
      paused: false,
    } satisfies types.DataProducerOptions);
    const dataTypes: [types.DataProducerType, types.TransportType] = [dataProducer.type, transport.type];
    const dataProducerDump: types.DataProducerDump = await dataProducer.dump();
    const dataProducerStats: types.DataProducerStat[] = await dataProducer.getStats();
    console.log(
      dataTypes,
      dataProducerDump.label,
      dataProducerStats[0]?.messagesReceived,
      dataProducer.protocol,
    );
    const directDump: types.DirectTransportDump = await direct.dump();
    const directStats: types.DirectTransportStat[] = await direct.getStats();
    const pipeStats: types.PipeTransportStat[] = await pipe.getStats();
    console.log(directDump.id, directStats[0]?.transportId, pipeStats[0]?.tuple.localPort);
    dataProducer.send('hello', undefined, [1], 2);
    const dataConsumer: types.DataConsumer = await transport.consumeData({
      dataProducerId: dataProducer.id,
      subchannels: [1],
    } satisfies types.DataConsumerOptions);
    dataConsumer.on('message', (message: Buffer, ppid: number) => {
      console.log(message, ppid);
    });
    dataConsumer.on('bufferedamountlow', (amount: number) => {
      console.log(amount);
    });
    const dataConsumerType: types.DataConsumerType = dataConsumer.type;
    const dataConsumerDump: types.DataConsumerDump = await dataConsumer.dump();
    const dataConsumerStats: types.DataConsumerStat[] = await dataConsumer.getStats();
    console.log(dataConsumerType, dataConsumerDump.label, dataConsumerStats[0]?.bufferedAmount);
    const amount: number = (await dataConsumer.getBufferedAmount()) + dataConsumer.subchannels.length;
    await dataConsumer.setBufferedAmountLowThreshold(amount);
    await dataConsumer.addSubchannel(3);
    await dataConsumer.removeSubchannel(3);
    await dataConsumer.setSubchannels([1, 2]);
  } catch (error) {
    if (
      error instanceof UnsupportedError ||
      error instanceof NotFoundError ||
      error instanceof WorkerClosedError
    ) {
      console.log(error.name, error.message, error instanceof tidegate.errors.UnsupportedError);
    }
  }
}

/** Negotiation without a worker. */
export function negotiate(rtpParameters: RtpParameters): RtpParameters {
  const capabilities = ortc.generateRouterRtpCapabilities(mediaCodecs);
  const mapping: types.RtpMapping = ortc.getProducerRtpParametersMapping(rtpParameters, capabilities);
  const consumable = ortc.getConsumableRtpParameters('video', rtpParameters, capabilities, mapping);
  ortc.validateAndNormalizeRtpCapabilities(capabilities);
  ortc.validateAndNormalizeRtpParameters(consumable);
  ortc.validateAndNormalizeSctpStreamParameters({ streamId: 1 });
  const mode: types.ScalabilityMode = parseScalabilityMode('L3T3_KEY');
  console.log(
    mode.spatialLayers,
    mode.temporalLayers,
    mode.ksvc,
    getSupportedRtpCapabilities().codecs?.length,
  );
  console.log(ortc.serializeRtpMapping(mapping).length, tidegate.ortc.canConsume(consumable, capabilities));
  const pipe = ortc.getPipeConsumerRtpParameters({ consumableRtpParameters: consumable, enableRtx: true });
  console.log(pipe.encodings?.length);
  return ortc.getConsumerRtpParameters({
    consumableRtpParameters: consumable,
    remoteRtpCapabilities: capabilities,
    pipe: false,
    enableRtx: true,
  });
}

/** An emitter of the application's own. */
export async function emitters(): Promise<number> {
  const emitter = new EnhancedEventEmitter<{ ready: [number, string]; failed: [Error] }>();
  emitter.on('ready', (count: number, name: string) => {
    console.log(count, name);
  });
  emitter.safeEmit('ready', 1, 'one');
  const [count] = (await enhancedOnce<{ ready: [number, string] }>(emitter, 'ready')) as [number, string];
  const data: AppData = { any: 'thing' };
  const either: types.Either<{ a: number }, { b: number }> = { a: 1 };
  console.log(data.any, either.a);
  return count;
}

/** What must not compile. */
export async function wrong(
  worker: Worker,
  router: Router,
  transport: WebRtcTransport,
  consumer: Consumer,
): Promise<void> {
  // @ts-expect-error no such level
  await worker.updateSettings({ logLevel: 'loud' });
  // @ts-expect-error no such event
  worker.on('crashed', () => undefined);
  // @ts-expect-error the event has an error, not a number
  worker.on('died', (error: number) => error);
  // @ts-expect-error it cannot be set
  worker.closed = true;
  // @ts-expect-error a codec needs a clock rate
  await worker.createRouter({ mediaCodecs: [{ kind: 'audio', mimeType: 'audio/opus' }] });
  // @ts-expect-error no such kind
  await worker.createRouter({ mediaCodecs: [{ kind: 'text', mimeType: 'text/plain', clockRate: 1 }] });
  // @ts-expect-error a server or addresses to listen on
  await router.createWebRtcTransport({ enableUdp: true });
  // @ts-expect-error only one of both
  await router.createWebRtcTransport({
    listenInfos: [listenInfo],
    webRtcServer: await worker.createWebRtcServer({ listenInfos: [listenInfo] }),
  });
  // @ts-expect-error where to listen
  await worker.createWebRtcServer({});
  // @ts-expect-error a server's protocol is udp or tcp
  await worker.createWebRtcServer({ listenInfos: [{ protocol: 'quic', ip: '127.0.0.1' }] });
  // @ts-expect-error what the peer has
  await transport.connect({});
  // @ts-expect-error a WebRTC transport has no address to connect to
  await transport.connect({ ip: '127.0.0.1', port: 1 });
  // @ts-expect-error what the peer sends
  await transport.produce({ kind: 'audio' });
  // @ts-expect-error what the peer can receive
  await transport.consume({ producerId: 'x' });
  // @ts-expect-error no such type of trace
  await consumer.enableTraceEvent(['sr']);
  // @ts-expect-error it is a number
  await consumer.setPriority('high');
  // @ts-expect-error it cannot be set
  transport.iceState = 'connected';
  // @ts-expect-error worker data of another shape
  const other: Worker<{ zone: number }> = await createWorker({ appData: { zone: 'eu' } });
  // @ts-expect-error the capabilities are missing
  router.canConsume({ producerId: 'x' });
  console.log(other);
}
