// An application's life as mediasoup documents it. Nothing here knows that it is not mediasoup: with `mediasoup` in the
// next line it compiles and means the same there.
import * as mediasoup from 'tidegate';

import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import test from 'node:test';

const mediaCodecs: mediasoup.types.RouterRtpCodecCapability[] = [
  { kind: 'audio', mimeType: 'audio/opus', clockRate: 48000, channels: 2 },
  { kind: 'video', mimeType: 'video/VP8', clockRate: 90000, parameters: { 'x-google-start-bitrate': 1000 } },
  {
    kind: 'video',
    mimeType: 'video/H264',
    clockRate: 90000,
    parameters: { 'packetization-mode': 1, 'profile-level-id': '42e01f', 'level-asymmetry-allowed': 1 },
  },
];

const opus: mediasoup.types.RtpParameters = {
  codecs: [{ mimeType: 'audio/opus', payloadType: 111, clockRate: 48000, channels: 2 }],
  headerExtensions: [{ uri: 'urn:ietf:params:rtp-hdrext:ssrc-audio-level', id: 10 }],
  encodings: [{ ssrc: 11111111 }],
  rtcp: { cname: 'script' },
};

const vp8: mediasoup.types.RtpParameters = {
  mid: 'VIDEO',
  codecs: [
    {
      mimeType: 'video/VP8',
      payloadType: 96,
      clockRate: 90000,
      rtcpFeedback: [{ type: 'nack' }, { type: 'nack', parameter: 'pli' }, { type: 'goog-remb' }],
    },
    { mimeType: 'video/rtx', payloadType: 97, clockRate: 90000, parameters: { apt: 96 } },
  ],
  encodings: [{ ssrc: 22222222, rtx: { ssrc: 22222223 } }],
  rtcp: { cname: 'script' },
};

const localhost = '127.0.0.1';

test('worker: events, usage, dump, settings, close', { timeout: 30_000 }, async () => {
  const [announced] = [once(mediasoup.observer, 'newworker')];
  const worker = await mediasoup.createWorker<{ foo: number }>({
    logLevel: 'warn',
    logTags: ['info', 'ice', 'dtls'],
    appData: { foo: 1 },
  });
  assert.equal((await announced)[0], worker);
  assert.equal(typeof worker.pid, 'number');
  assert.equal(worker.closed, false);
  assert.equal(worker.died, false);
  assert.equal(worker.appData.foo, 1);
  const usage = await worker.getResourceUsage();
  assert.ok(usage.ru_utime >= 0 && usage.ru_maxrss > 0);
  await worker.updateSettings({ logLevel: 'error', logTags: ['rtp'] });
  await assert.rejects(worker.updateSettings({ logLevel: 'chicken' as 'error' }), TypeError);

  const routers: mediasoup.types.Router[] = [];
  worker.observer.on('newrouter', (router) => routers.push(router));
  const router = await worker.createRouter({ mediaCodecs });
  assert.deepEqual(routers, [router]);
  const dump = await worker.dump();
  assert.equal(dump.pid, worker.pid);
  assert.deepEqual(dump.routerIds, [router.id]);
  assert.deepEqual(dump.webRtcServerIds, []);

  const order: string[] = [];
  router.on('workerclose', () => order.push('workerclose'));
  router.observer.once('close', () => order.push('router observer close'));
  worker.observer.once('close', () => order.push('worker observer close'));
  const gone = once(worker, 'subprocessclose');
  worker.close();
  assert.deepEqual(order, ['workerclose', 'router observer close', 'worker observer close']);
  assert.equal(worker.closed, true);
  assert.equal(worker.died, false);
  assert.equal(router.closed, true);
  await gone;
  assert.equal(worker.subprocessClosed, true);
  await assert.rejects(worker.createRouter({ mediaCodecs }), mediasoup.errors.WorkerClosedError);
  await assert.rejects(worker.dump(), mediasoup.errors.WorkerClosedError);
});

test('worker that is killed: died, and everything beneath it closed', { timeout: 30_000 }, async () => {
  const worker = await mediasoup.createWorker();
  const router = await worker.createRouter({ mediaCodecs });
  const transport = await router.createPlainTransport({ listenInfo: { protocol: 'udp', ip: localhost } });
  const [closed, died] = [once(transport, 'routerclose'), once(worker, 'died')];
  process.kill(worker.pid, 'SIGKILL');
  const [error] = (await died) as [Error];
  assert.ok(error instanceof Error);
  await closed;
  assert.equal(worker.died, true);
  assert.equal(worker.closed, true);
  assert.equal(transport.closed, true);
  await assert.rejects(transport.getStats());
});

test('router: capabilities, canConsume, observers, dump', { timeout: 30_000 }, async (t) => {
  const worker = await mediasoup.createWorker();
  t.after(() => {
    worker.close();
  });
  const router = await worker.createRouter({ mediaCodecs, appData: { room: 'kitchen' } });
  assert.equal(router.closed, false);
  assert.deepEqual(router.appData, { room: 'kitchen' });
  // eslint-disable-next-line @typescript-eslint/no-useless-default-assignment -- in mediasoup's types they are optional
  const { codecs = [], headerExtensions = [] } = router.rtpCapabilities;
  assert.deepEqual(
    codecs.map(({ mimeType }) => mimeType),
    ['audio/opus', 'video/VP8', 'video/rtx', 'video/H264', 'video/rtx'],
  );
  assert.equal(codecs[2]?.parameters?.['apt'], codecs[1]?.preferredPayloadType);
  assert.ok(headerExtensions.some(({ uri }) => uri === 'urn:ietf:params:rtp-hdrext:sdes:mid'));
  await assert.rejects(
    worker.createRouter({ mediaCodecs: [{ kind: 'audio', mimeType: 'audio/chicken', clockRate: 8000 }] }),
    mediasoup.errors.UnsupportedError,
  );
  const supported = mediasoup.getSupportedRtpCapabilities();
  assert.ok(JSON.stringify(supported).includes('video/VP9'));
  assert.deepEqual(mediasoup.parseScalabilityMode('L3T2_KEY'), {
    spatialLayers: 3,
    temporalLayers: 2,
    ksvc: true,
  });

  const observers: mediasoup.types.RtpObserver[] = [];
  router.observer.on('newrtpobserver', (observer) => observers.push(observer));
  const levels = await router.createAudioLevelObserver({ maxEntries: 2, threshold: -70, interval: 500 });
  const speakers = await router.createActiveSpeakerObserver({ interval: 300 });
  assert.deepEqual(observers, [levels, speakers]);
  await levels.pause();
  assert.equal(levels.paused, true);
  await levels.resume();
  assert.equal(levels.paused, false);
  const dump = await router.dump();
  assert.equal(dump.id, router.id);
  assert.deepEqual([...dump.rtpObserverIds].sort(), [levels.id, speakers.id].sort());
  const closed = once(speakers, 'routerclose');
  levels.close();
  router.close();
  await closed;
  assert.equal(levels.closed && speakers.closed, true);
  assert.deepEqual((await worker.dump()).routerIds, []);
});

test(
  'WebRTC: server, transports with ICE and DTLS parameters, restart, close',
  { timeout: 30_000 },
  async (t) => {
    const worker = await mediasoup.createWorker();
    t.after(() => {
      worker.close();
    });
    const webRtcServer = await worker.createWebRtcServer({
      listenInfos: [
        {
          protocol: 'udp',
          ip: localhost,
          announcedAddress: 'media.example.org',
          portRange: { min: 40000, max: 49999 },
        },
        { protocol: 'tcp', ip: localhost, portRange: { min: 40000, max: 49999 } },
      ],
    });
    const router = await worker.createRouter({ mediaCodecs });
    const handled = once(webRtcServer.observer, 'webrtctransporthandled');
    const transport = await router.createWebRtcTransport({
      webRtcServer,
      enableUdp: true,
      enableTcp: true,
      preferUdp: true,
      initialAvailableOutgoingBitrate: 1_000_000,
      appData: { peer: 'ann' },
    });
    assert.equal((await handled)[0], transport);
    assert.equal(transport.type, 'webrtc');
    assert.equal(transport.iceRole, 'controlled');
    assert.equal(transport.iceParameters.iceLite, true);
    assert.equal(transport.iceState, 'new');
    assert.equal(transport.dtlsState, 'new');
    assert.equal(transport.dtlsParameters.role, 'auto');
    assert.ok(transport.dtlsParameters.fingerprints.some(({ algorithm }) => algorithm === 'sha-256'));
    assert.deepEqual(
      transport.iceCandidates.map(({ protocol, address, type }) => [protocol, address, type]),
      [
        ['udp', 'media.example.org', 'host'],
        ['tcp', localhost, 'host'],
      ],
    );
    const { iceParameters: before } = transport;
    const after = await transport.restartIce();
    assert.notEqual(after.usernameFragment, before.usernameFragment);
    assert.deepEqual(transport.iceParameters, after);

    const value = Array.from({ length: 32 }, () => 'AB').join(':');
    const dtlsParameters = {
      role: 'client' as const,
      fingerprints: [{ algorithm: 'sha-256' as const, value }],
    };
    await assert.rejects(transport.connect({ dtlsParameters: { fingerprints: [] } }), TypeError);
    await transport.connect({ dtlsParameters });
    assert.equal(transport.dtlsParameters.role, 'server');
    await assert.rejects(transport.connect({ dtlsParameters }));
    await transport.setMaxIncomingBitrate(500_000);
    const [stats] = await transport.getStats();
    assert.equal(stats?.type, 'webrtc-transport');
    assert.equal(stats.transportId, transport.id);
    assert.equal(stats.maxIncomingBitrate, 500_000);

    const producer = await transport.produce({ kind: 'video', rtpParameters: vp8, paused: true });
    assert.equal(producer.paused, true);
    assert.equal(producer.type, 'simple');
    await assert.rejects(transport.produce({ kind: 'audio', rtpParameters: { codecs: [] } }), TypeError);
    const consumer = await transport.consume({
      producerId: producer.id,
      rtpCapabilities: router.rtpCapabilities,
      paused: true,
    });
    assert.equal(consumer.producerPaused, true);
    assert.equal(consumer.rtpParameters.mid, '0');
    assert.equal(consumer.rtpParameters.codecs.length, 2);
    assert.ok(consumer.rtpParameters.encodings?.[0]?.rtx);

    const dump = await transport.dump();
    assert.deepEqual([dump.producerIds, dump.consumerIds], [[producer.id], [consumer.id]]);
    assert.deepEqual((await webRtcServer.dump()).webRtcTransportIds, [transport.id]);
    const closed = once(transport, 'listenserverclose');
    webRtcServer.close();
    await closed;
    assert.deepEqual([transport.closed, producer.closed, consumer.closed], [true, true, true]);
  },
);

test(
  'plain: packets go through, are counted, traced, observed and paused',
  { timeout: 30_000 },
  async (t) => {
    const worker = await mediasoup.createWorker();
    t.after(() => {
      worker.close();
    });
    const router = await worker.createRouter({ mediaCodecs });
    const ingest = await router.createPlainTransport({
      listenInfo: { protocol: 'udp', ip: localhost },
      rtcpMux: true,
      comedia: true,
    });
    const producers: mediasoup.types.Producer[] = [];
    ingest.observer.on('newproducer', (one) => producers.push(one));
    const producer = await ingest.produce({ kind: 'audio', rtpParameters: opus, appData: { who: 'ann' } });
    assert.deepEqual(producers, [producer]);
    assert.equal(
      router.canConsume({ producerId: producer.id, rtpCapabilities: router.rtpCapabilities }),
      true,
    );
    assert.equal(router.canConsume({ producerId: producer.id, rtpCapabilities: { codecs: [] } }), false);

    const [sender, player] = [createSocket('udp4'), createSocket('udp4')];
    t.after(() => {
      sender.close();
      player.close();
    });
    player.bind(0, localhost);
    await once(player, 'listening');
    const egress = await router.createPlainTransport({ listenInfo: { protocol: 'udp', ip: localhost } });
    await egress.connect({ ip: localhost, port: player.address().port });
    assert.equal(egress.tuple.remotePort, player.address().port);
    const consumer = await egress.consume({
      producerId: producer.id,
      rtpCapabilities: router.rtpCapabilities,
    });
    assert.equal(consumer.kind, 'audio');
    assert.equal(consumer.type, 'simple');
    assert.equal(consumer.paused, false);

    const received: Buffer[] = [];
    // What RTCP comes between has payload types from 200 on.
    player.on('message', (packet) => {
      if (packet.readUInt8(1) < 200) received.push(packet);
    });
    const traces: mediasoup.types.ProducerTraceEventData[] = [];
    await producer.enableTraceEvent(['rtp']);
    producer.on('trace', (trace) => traces.push(trace));
    const levels = await router.createAudioLevelObserver({ interval: 250 });
    await levels.addProducer({ producerId: producer.id });
    const volumes = once(levels, 'volumes');
    const tuple = once(ingest, 'tuple');
    const speech = speak(sender, ingest.tuple.localPort);
    t.after(() => {
      clearInterval(speech);
    });

    const [learnt] = (await tuple) as [mediasoup.types.TransportTuple];
    assert.equal(learnt.remotePort, sender.address().port);
    assert.deepEqual(ingest.tuple, learnt);
    const [loudest] = (await volumes) as [mediasoup.types.AudioLevelObserverVolume[]];
    assert.deepEqual([loudest[0]?.producer, loudest[0]?.volume], [producer, -20]);
    await until(() => received.length >= 20 && traces.length >= 20);
    const [encoding] = consumer.rtpParameters.encodings ?? [];
    const [first, second] = received as [Buffer, Buffer];
    assert.equal(first.readUInt32BE(8), encoding?.ssrc);
    assert.equal(first.readUInt8(1) & 0x7f, consumer.rtpParameters.codecs[0]?.payloadType);
    assert.equal(second.readUInt16BE(2), (first.readUInt16BE(2) + 1) & 0xffff);
    assert.deepEqual(first.subarray(-3), Buffer.from('abc'));
    const [trace] = traces;
    assert.deepEqual([trace?.type, trace?.direction], ['rtp', 'in']);

    const [sent] = await producer.getStats();
    assert.deepEqual([sent?.type, sent?.ssrc, sent?.mimeType], ['inbound-rtp', 11111111, 'audio/opus']);
    assert.ok(sent && sent.packetCount >= 20 && sent.byteCount > 0 && sent.packetsLost === 0);
    const stats = await consumer.getStats();
    const outbound = stats.find(({ type }) => type === 'outbound-rtp');
    assert.ok(outbound && outbound.packetCount >= 20);
    assert.ok(stats.some(({ type }) => type === 'inbound-rtp'));
    const [transported] = await egress.getStats();
    assert.ok(transported && transported.type === 'plain-rtp-transport' && transported.rtpBytesSent > 0);
    const dump = await consumer.dump();
    assert.deepEqual([dump.id, dump.producerId, dump.paused], [consumer.id, producer.id, false]);

    const events: string[] = [];
    for (const event of ['producerpause', 'producerresume', 'producerclose'] as const) {
      consumer.on(event, () => events.push(event));
    }
    await producer.pause();
    await until(() => events.length === 1);
    assert.deepEqual([producer.paused, consumer.producerPaused], [true, true]);
    await producer.resume();
    await until(() => events.length === 2);
    await consumer.pause();
    assert.equal(consumer.paused, true);
    // What was on its way when the pause was asked for has arrived by now.
    const before = (await consumer.getStats()).find(({ type }) => type === 'outbound-rtp')?.packetCount;
    await untilPackets(producer, 20);
    const after = (await consumer.getStats()).find(({ type }) => type === 'outbound-rtp')?.packetCount;
    assert.equal(after, before);
    await consumer.resume();
    const count = received.length;
    await until(() => received.length > count);

    producer.close();
    await until(() => events.length === 3);
    assert.deepEqual(events, ['producerpause', 'producerresume', 'producerclose']);
    assert.deepEqual([producer.closed, consumer.closed], [true, true]);
    const closed = once(egress, 'routerclose');
    router.close();
    await closed;
    await assert.rejects(egress.dump());
  },
);

/** Sends an Opus packet every 5 ms: RTP with a level of -20 dBov (RFC 6464), and three bytes that are no Opus. */
function speak(socket: ReturnType<typeof createSocket>, port: number): NodeJS.Timeout {
  let sequence = 65500;
  return setInterval(() => {
    const packet = Buffer.alloc(20 + 3);
    packet.writeUInt8(0x90, 0);
    packet.writeUInt8(111, 1);
    packet.writeUInt16BE(sequence & 0xffff, 2);
    packet.writeUInt32BE((sequence * 960) >>> 0, 4);
    packet.writeUInt32BE(11111111, 8);
    packet.writeUInt32BE(0xbede0001, 12);
    packet.writeUInt32BE(0xa0940000, 16);
    packet.write('abc', 20);
    sequence += 1;
    socket.send(packet, port, localhost);
  }, 5);
}

/** Waits until a producer received so many packets more. */
async function untilPackets(producer: mediasoup.types.Producer, more: number): Promise<void> {
  const count = async () => (await producer.getStats())[0]?.packetCount ?? 0;
  const enough = (await count()) + more;
  while ((await count()) < enough) {
    await pause(10);
  }
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) {
    await pause(10);
  }
}
