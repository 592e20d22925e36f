import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import test from 'node:test';
import type { types } from 'tidegate';
import { InvalidStateError, NotFoundError, UnsupportedError } from 'tidegate/errors';
import { audio, loopback, mediaCodecs, record, stage, until, video, worker } from './workers.js';

/** What applications in JavaScript may give. */
const any = (value: unknown) => value as never;

test('wrong options of transports are type errors that name them', async (t) => {
  const made = await worker(t);
  const router = await made.createRouter({ mediaCodecs });
  const cases: [() => Promise<unknown>, RegExp][] = [
    [() => router.createPlainTransport(any({})), /missing listenInfo and listenIp/],
    [() => router.createPlainTransport(any({ listenInfo: loopback, listenIp: '127.0.0.1' })), /only one of/],
    [
      () => router.createPlainTransport({ listenInfo: { protocol: any('sctp'), ip: '127.0.0.1' } }),
      /listenInfo.protocol/,
    ],
    [
      () => router.createPlainTransport({ listenInfo: { protocol: 'udp', ip: 'localhost' } }),
      /listenInfo.ip must be an IP/,
    ],
    [() => router.createPlainTransport({ listenInfo: { ...loopback, port: 70_000 } }), /listenInfo.port/],
    [
      () => router.createPlainTransport({ listenInfo: { ...loopback, portRange: { min: 1.5, max: 2 } } }),
      /portRange.min/,
    ],
    [() => router.createPlainTransport({ listenInfo: { ...loopback, protocol: 'tcp' } }), /UDP/i],
    [
      () => router.createPlainTransport({ listenInfo: loopback, appData: any('text') }),
      /appData must be an object/,
    ],
    [
      () =>
        router.createPlainTransport({
          listenInfo: loopback,
          enableSrtp: true,
          srtpCryptoSuite: any('ROT13'),
        }),
      /ROT13/,
    ],
    [() => router.createWebRtcTransport(any({})), /missing webRtcServer, listenInfos and listenIps/],
    [() => router.createWebRtcTransport({ listenInfos: [], enableUdp: true }), /./],
    [
      () => router.createWebRtcTransport(any({ listenInfos: [loopback], listenIps: ['127.0.0.1'] })),
      /only one of/,
    ],
    [() => router.createWebRtcTransport(any({ webRtcServer: {} })), /one of this router's own worker/],
    [
      () => router.createWebRtcTransport({ listenInfos: [loopback], iceConsentTimeout: 300 }),
      /iceConsentTimeout/,
    ],
    [() => made.createWebRtcServer({ listenInfos: [] }), /./],
    [() => made.createWebRtcServer({ listenInfos: any('x') }), /listenInfos must be an array/],
    [() => router.createAudioLevelObserver({ threshold: 1 }), /threshold/],
    [() => router.createAudioLevelObserver({ maxEntries: 0 }), /maxEntries/],
    [() => router.createActiveSpeakerObserver({ interval: any('often') }), /interval must be a number/],
    [() => made.createRouter({ mediaCodecs: any({}) }), /mediaCodecs/],
    [() => router.createPipeTransport(any({})), /missing listenInfo/],
    [() => router.pipeToRouter(any({})), /missing producerId/],
  ];
  for (const [call, sentence] of cases) {
    await assert.rejects(call(), (error) => {
      assert.ok(error instanceof TypeError, String(error));
      assert.match(error.message, sentence);
      return true;
    });
  }
  const taken = await router.createPlainTransport({ listenInfo: loopback });
  const bind = router.createPlainTransport({ listenInfo: { ...loopback, port: taken.tuple.localPort } });
  await assert.rejects(bind, (error) => error instanceof Error && !(error instanceof TypeError));
  await assert.rejects(
    made.createRouter({ mediaCodecs: [{ kind: 'audio', mimeType: 'audio/foo', clockRate: 8000 }] }),
    UnsupportedError,
  );
});

test('what the worker lacks is refused as unsupported', async (t) => {
  const { router, sending } = await stage(await worker(t));
  const other = await (await worker(t)).createRouter();
  const producer = await sending.produce(audio());
  for (const call of [
    () => router.createPipeTransport({ listenInfo: loopback }),
    () => router.createDirectTransport(),
    () => router.pipeToRouter({ producerId: producer.id, router: other }),
    () => router.createPlainTransport({ listenInfo: loopback, enableSctp: true }),
    () => router.createWebRtcTransport({ listenInfos: [loopback], enableSctp: true }),
    () => sending.produceData({ label: 'chat' }),
    () => sending.consumeData({ dataProducerId: 'none' }),
    () => sending.setMaxOutgoingBitrate(100_000),
    () => sending.produce({ ...video(), enableMediasoupPacketIdHeaderExtension: true }),
  ]) {
    await assert.rejects(call(), UnsupportedError);
  }
  assert.throws(() => {
    producer.send(Buffer.alloc(12));
  }, UnsupportedError);
  assert.throws(() => {
    producer.send(any('text'));
  }, TypeError);
});

test('deprecated names of options mean what they meant', async (t) => {
  const made = await worker(t);
  const router = await made.createRouter({ mediaCodecs });
  const plain = await router.createPlainTransport({ listenIp: { ip: '127.0.0.1', announcedIp: '9.9.9.1' } });
  assert.deepEqual([plain.tuple.localIp, plain.tuple.localAddress], ['9.9.9.1', '9.9.9.1']);
  const fixed = await router.createPlainTransport({ listenIp: '127.0.0.1', port: await freePort(router) });
  assert.equal(fixed.tuple.localAddress, '127.0.0.1');
  const announced = await router.createPlainTransport({
    listenInfo: { ...loopback, announcedIp: 'media.example' },
  });
  assert.equal(announced.tuple.localAddress, 'media.example');
  const web = await router.createWebRtcTransport({
    listenIps: ['127.0.0.1', { ip: '127.0.0.1', announcedIp: '9.9.9.2' }],
    enableTcp: true,
    preferTcp: true,
  });
  assert.deepEqual(
    web.iceCandidates.map(({ protocol, address, ip, tcpType, type }) => [
      protocol,
      address,
      ip,
      tcpType,
      type,
    ]),
    [
      ['tcp', '127.0.0.1', '127.0.0.1', 'passive', 'host'],
      ['udp', '127.0.0.1', '127.0.0.1', undefined, 'host'],
      ['tcp', '9.9.9.2', '9.9.9.2', 'passive', 'host'],
      ['udp', '9.9.9.2', '9.9.9.2', undefined, 'host'],
    ],
  );
});

/** A port that was free a moment ago. */
async function freePort(router: types.Router): Promise<number> {
  const transport = await router.createPlainTransport({ listenInfo: loopback });
  const { localPort } = transport.tuple;
  transport.close();
  await router.dump();
  return localPort;
}

test('ranges, flags and exposed addresses reach the worker', async (t) => {
  const made = await worker(t);
  const router = await made.createRouter({ mediaCodecs });
  const ranged = await router.createPlainTransport({
    listenInfo: { ...loopback, portRange: { min: 30_000, max: 30_400 } },
  });
  assert.ok(ranged.tuple.localPort >= 30_000 && ranged.tuple.localPort <= 30_400);
  const v6 = await router.createPlainTransport({
    listenInfo: { protocol: 'udp', ip: '::1', flags: { ipv6Only: true } },
  });
  assert.equal(v6.tuple.localAddress, '::1');
  const split = await router.createPlainTransport({ listenInfo: loopback, rtcpMux: false });
  assert.notEqual(split.rtcpTuple?.localPort, split.tuple.localPort);
  const own = await router.createPlainTransport({ listenInfo: loopback, rtcpListenInfo: loopback });
  assert.ok(own.rtcpTuple, 'rtcpListenInfo takes rtcp-mux off');
  const web = await router.createWebRtcTransport({
    listenInfos: [{ ...loopback, announcedAddress: 'sfu.example', exposeInternalIp: true }],
  });
  assert.deepEqual(
    web.iceCandidates.map(({ address }) => address),
    ['sfu.example', '127.0.0.1'],
  );
});

test('transports connect once, and only as they can', async (t) => {
  const made = await worker(t);
  const router = await made.createRouter({ mediaCodecs });
  const plain = await router.createPlainTransport({ listenInfo: loopback });
  await assert.rejects(plain.connect({}), TypeError);
  await assert.rejects(plain.connect({ ip: 'here', port: 1 }), TypeError);
  await assert.rejects(plain.connect({ ip: '127.0.0.1', port: 9, rtcpPort: 10 }), TypeError);
  await plain.connect({ ip: '127.0.0.1', port: 9 });
  assert.deepEqual([plain.tuple.remoteIp, plain.tuple.remotePort], ['127.0.0.1', 9]);
  await assert.rejects(plain.connect({ ip: '127.0.0.1', port: 9 }), InvalidStateError);
  await assert.rejects(
    (await router.createPlainTransport({ listenInfo: loopback, comedia: true })).connect({
      ip: '127.0.0.1',
      port: 9,
    }),
    Error,
  );

  const srtp = await router.createPlainTransport({
    listenInfo: loopback,
    enableSrtp: true,
    srtpCryptoSuite: 'AEAD_AES_128_GCM',
  });
  assert.equal(srtp.srtpParameters?.cryptoSuite, 'AEAD_AES_128_GCM');
  assert.equal(Buffer.from(srtp.srtpParameters.keyBase64, 'base64').length, 28);
  const peer = { ip: '127.0.0.1', port: 9 };
  await assert.rejects(srtp.connect(peer), TypeError);
  const key = (bytes: number) => randomBytes(bytes).toString('base64');
  const suite = 'AES_CM_128_HMAC_SHA1_80' as const;
  await assert.rejects(
    srtp.connect({ ...peer, srtpParameters: { cryptoSuite: suite, keyBase64: key(28) } }),
    /base64 of 30 bytes/,
  );
  await assert.rejects(
    srtp.connect({ ...peer, srtpParameters: { cryptoSuite: suite, keyBase64: '!'.repeat(40) } }),
    /base64 of 30 bytes/,
  );
  await srtp.connect({ ...peer, srtpParameters: { cryptoSuite: suite, keyBase64: key(30) } });
  assert.equal(srtp.srtpParameters.cryptoSuite, suite);

  const web = await router.createWebRtcTransport({ listenInfos: [loopback] });
  const value = web.dtlsParameters.fingerprints.find(({ algorithm }) => algorithm === 'sha-256')!.value;
  await assert.rejects(web.connect(any({})), TypeError);
  await assert.rejects(web.connect({ dtlsParameters: { fingerprints: [] } }), TypeError);
  await assert.rejects(
    web.connect({ dtlsParameters: { fingerprints: [{ algorithm: any('md5'), value }] } }),
    /md5/,
  );
  await assert.rejects(
    web.connect({ dtlsParameters: { role: any('chief'), fingerprints: [{ algorithm: 'sha-256', value }] } }),
    /role/,
  );
  assert.deepEqual(
    [web.iceRole, web.iceState, web.dtlsState, web.dtlsParameters.role],
    ['controlled', 'new', 'new', 'auto'],
  );
  await web.connect({ dtlsParameters: { role: 'client', fingerprints: [{ algorithm: 'sha-256', value }] } });
  assert.equal(web.dtlsParameters.role, 'server');
  await assert.rejects(
    web.connect({ dtlsParameters: { fingerprints: [{ algorithm: 'sha-256', value }] } }),
    InvalidStateError,
  );
  const before = web.iceParameters;
  const after = await web.restartIce();
  assert.notEqual(after.usernameFragment, before.usernameFragment);
  assert.deepEqual(web.iceParameters, after);
  await web.setMaxIncomingBitrate(1_000_000);
  await web.setMaxOutgoingBitrate(500_000);
  await web.setMinOutgoingBitrate(100_000);
  await assert.rejects(web.setMinOutgoingBitrate(600_000), TypeError);
  await assert.rejects(web.setMaxIncomingBitrate(any('fast')), TypeError);
  const [stats] = await web.getStats();
  assert.deepEqual(
    [stats?.maxIncomingBitrate, stats?.maxOutgoingBitrate, stats?.minOutgoingBitrate],
    [1_000_000, 500_000, 100_000],
  );
  await web.enableTraceEvent([]);
  await assert.rejects(web.enableTraceEvent(any('bwe')), TypeError);
});

test('producers and consumers refuse what is wrong, and say what', async (t) => {
  const { router, sending, receiving } = await stage(await worker(t));
  const { rtpCapabilities } = router;
  await assert.rejects(sending.produce(any({ kind: 'chat', rtpParameters: {} })), /invalid kind "chat"/);
  await assert.rejects(sending.produce(any({ kind: 'audio', rtpParameters: {} })), TypeError);
  await assert.rejects(sending.produce({ ...audio(), kind: 'video' }), TypeError);
  await assert.rejects(sending.produce({ ...audio(), keyFrameRequestDelay: -1 }), TypeError);
  const unknown = audio();
  unknown.rtpParameters.codecs[0]!.mimeType = 'audio/PCMU';
  unknown.rtpParameters.codecs[0]!.clockRate = 8000;
  delete unknown.rtpParameters.codecs[0]!.channels;
  await assert.rejects(sending.produce(unknown), UnsupportedError);
  const producer = await sending.produce({ ...audio(), id: 'one' });
  await assert.rejects(sending.produce({ ...audio(5), id: 'one' }), TypeError);
  await assert.rejects(receiving.produce({ ...audio(5), id: 'one' }), /already exists/);
  await assert.rejects(sending.produce(audio()), Error, 'the same SSRC twice');
  const both = await Promise.allSettled([
    sending.produce({ ...audio(6), id: 'two' }),
    sending.produce({ ...audio(7), id: 'two' }),
  ]);
  assert.deepEqual(
    both.map(({ status }) => status),
    ['fulfilled', 'rejected'],
  );

  assert.ok(router.canConsume({ producerId: producer.id, rtpCapabilities }));
  assert.ok(!router.canConsume({ producerId: 'none', rtpCapabilities }));
  assert.ok(!router.canConsume({ producerId: producer.id, rtpCapabilities: { codecs: [] } }));
  assert.ok(!router.canConsume({ producerId: producer.id, rtpCapabilities: any({ codecs: 7 }) }));
  await assert.rejects(receiving.consume(any({ rtpCapabilities })), /missing producerId/);
  await assert.rejects(receiving.consume({ producerId: 'none', rtpCapabilities }), NotFoundError);
  await assert.rejects(
    receiving.consume({ producerId: producer.id, rtpCapabilities: { codecs: [] } }),
    UnsupportedError,
  );
  await assert.rejects(receiving.consume({ producerId: producer.id, rtpCapabilities, mid: '' }), TypeError);
  await assert.rejects(receiving.consume(any({ producerId: producer.id })), TypeError);
  const [first, named, third] = [
    await receiving.consume({ producerId: producer.id, rtpCapabilities, appData: { a: 1 } }),
    await receiving.consume({ producerId: producer.id, rtpCapabilities, mid: 'mine', paused: true }),
    await receiving.consume({ producerId: producer.id, rtpCapabilities, enableRtx: true }),
  ];
  assert.deepEqual(
    [first, named, third].map(({ rtpParameters }) => rtpParameters.mid),
    ['0', 'mine', '1'],
  );
  assert.deepEqual([first.paused, named.paused, first.appData], [false, true, { a: 1 }]);
  const ssrcs = [first, named, third].map(({ rtpParameters }) => rtpParameters.encodings?.[0]?.ssrc);
  assert.equal(new Set(ssrcs).size, 3);
  await assert.rejects(first.setPriority(0), TypeError);
  await first.setPriority(7);
  assert.equal(first.priority, 7);
  await first.unsetPriority();
  assert.equal(first.priority, 1);
  await first.requestKeyFrame();
  await first.setPreferredLayers({ spatialLayer: 1 });
  assert.equal(first.preferredLayers, undefined);
  await assert.rejects(first.setPreferredLayers(any({})), TypeError);
  await assert.rejects(first.enableTraceEvent(any('rtp')), TypeError);
  await first.enableTraceEvent(['rtp', 'pli', any('unknown')]);
  assert.deepEqual((await first.dump()).traceEventTypes, ['rtp', 'pli']);
  await producer.enableTraceEvent(['keyframe', 'sr']);
  assert.deepEqual((await producer.dump()).traceEventTypes, ['keyframe', 'sr']);
  first.close();
  for (const call of [
    first.dump(),
    first.getStats(),
    first.pause(),
    first.resume(),
    first.setPriority(2),
    first.requestKeyFrame(),
  ]) {
    await assert.rejects(call, NotFoundError);
  }
});

test('pausing is told to consumers and observers, once', async (t) => {
  const { router, sending, receiving } = await stage(await worker(t));
  const producer = await sending.produce({ ...audio(), paused: true });
  const consumer = await receiving.consume({
    producerId: producer.id,
    rtpCapabilities: router.rtpCapabilities,
  });
  assert.deepEqual([producer.paused, consumer.paused, consumer.producerPaused], [true, false, true]);
  const events: string[] = [];
  record(events, 'consumer', consumer, 'producerpause', 'producerresume');
  record(events, 'consumer observer', consumer.observer, 'pause', 'resume');
  record(events, 'producer observer', producer.observer, 'pause', 'resume');
  await producer.pause();
  await producer.resume();
  await producer.resume();
  await until(() => !consumer.producerPaused);
  await consumer.pause();
  await producer.pause();
  await until(() => consumer.producerPaused);
  await consumer.resume();
  await producer.resume();
  await until(() => !consumer.producerPaused);
  // In the order in which the worker tells it: consumers first.
  assert.deepEqual(events, [
    'consumer producerresume',
    'consumer observer resume',
    'producer observer resume',
    'consumer observer pause',
    'consumer producerpause',
    'producer observer pause',
    'consumer producerresume',
    'consumer observer resume',
    'producer observer resume',
  ]);
});

test('the codecs of a router can be replaced for producers to come', async (t) => {
  const { router, sending } = await stage(await worker(t));
  const old = await sending.produce(audio());
  router.updateMediaCodecs([
    { kind: 'video', mimeType: 'video/H264', clockRate: 90_000, parameters: { 'packetization-mode': 1 } },
  ]);
  assert.deepEqual(
    router.rtpCapabilities.codecs?.map(({ mimeType }) => mimeType),
    ['video/H264', 'video/rtx'],
  );
  await assert.rejects(sending.produce(audio(9)), UnsupportedError);
  assert.ok(!old.closed);
  assert.throws(() => {
    router.updateMediaCodecs([{ kind: 'audio', mimeType: 'audio/none', clockRate: 1 }]);
  }, UnsupportedError);
});

test('an observer takes audio producers of its own router only', async (t) => {
  const made = await worker(t);
  const { router, sending } = await stage(made);
  const levels = await router.createAudioLevelObserver();
  const picture = await sending.produce(video());
  const sound = await sending.produce(audio());
  await assert.rejects(levels.addProducer({ producerId: 'none' }), NotFoundError);
  await assert.rejects(levels.addProducer({ producerId: picture.id }), TypeError);
  await levels.addProducer({ producerId: sound.id });
  await levels.removeProducer({ producerId: sound.id });
  levels.close();
  await assert.rejects(levels.addProducer({ producerId: sound.id }), NotFoundError);
});
