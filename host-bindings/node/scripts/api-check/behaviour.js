// Facts that a list of names cannot hold: defaults, what a call does to what is read afterwards, which error is whose.
import assert from 'node:assert/strict';

const LISTEN = { protocol: 'udp', ip: '127.0.0.1' };
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** What is so while everything is open. */
const WHILE_OPEN = {
  'ids are random UUIDs': ({ router, webRtcTransport, producer, consumer }) => {
    for (const { id } of [router, webRtcTransport, producer, consumer]) {
      assert.match(id, UUID);
    }
  },
  'a producer may choose its id, once': async ({ plainTransport }) => {
    const options = { id: 'mine', kind: 'audio', rtpParameters: opus(4000) };
    const producer = await plainTransport.produce(options);
    assert.equal(producer.id, 'mine');
    await assert.rejects(plainTransport.produce({ ...options, rtpParameters: opus(4001) }), /already/);
    producer.close();
  },
  'what getters return is a copy': ({ router, webRtcTransport, producer, consumer }) => {
    router.rtpCapabilities.codecs.length = 0;
    webRtcTransport.iceParameters.password = '';
    webRtcTransport.iceCandidates.length = 0;
    producer.rtpParameters.codecs.length = 0;
    consumer.rtpParameters.encodings.length = 0;
    assert.ok(router.rtpCapabilities.codecs.length > 0);
    assert.ok(webRtcTransport.iceParameters.password.length > 0);
    assert.ok(webRtcTransport.iceCandidates.length > 0);
    assert.ok(producer.rtpParameters.codecs.length > 0);
    assert.ok(consumer.rtpParameters.encodings.length > 0);
  },
  'consumers get MIDs that count up from 0 on each transport': ({ consumer, listener, viewer }) => {
    assert.deepEqual(
      [consumer, listener, viewer].map(({ rtpParameters }) => rtpParameters.mid),
      ['0', '1', '0'],
    );
  },
  'a consumer may choose its MID': async ({ plainTransport, producer, router: { rtpCapabilities } }) => {
    const consumer = await plainTransport.consume({ producerId: producer.id, rtpCapabilities, mid: 'mine' });
    assert.equal(consumer.rtpParameters.mid, 'mine');
    consumer.close();
  },
  'a consumer has an SSRC of its own between 100,000,000 and 1,000,000,000': ({ consumer }) => {
    const [{ ssrc }] = consumer.rtpParameters.encodings;
    assert.ok(ssrc >= 100_000_000 && ssrc < 1_000_000_000, String(ssrc));
  },
  'RTX is on by default for video, on the SSRC after the stream’s': ({ consumer }) => {
    const [{ ssrc, rtx }] = consumer.rtpParameters.encodings;
    assert.equal(rtx.ssrc, ssrc + 1);
  },
  'NACK is off by default for audio': ({ listener }) => {
    const [codec] = listener.rtpParameters.codecs;
    assert.ok(!codec.rtcpFeedback.some(({ type }) => type === 'nack'));
  },
  'producers of a transport without a CNAME share a random one': ({ producer, speaker, webRtcProducer }) => {
    const { cname } = producer.rtpParameters.rtcp;
    assert.ok(cname.length > 0);
    assert.equal(speaker.rtpParameters.rtcp.cname, cname);
    assert.notEqual(webRtcProducer.rtpParameters.rtcp.cname, cname);
  },
  'consumers have their producer’s CNAME': ({ producer, consumer }) => {
    assert.equal(consumer.rtpParameters.rtcp.cname, producer.rtpParameters.rtcp.cname);
  },
  'a consumer’s priority is 1 again when it is unset': async ({ consumer }) => {
    await consumer.setPriority(255);
    assert.equal(consumer.priority, 255);
    await consumer.unsetPriority();
    assert.equal(consumer.priority, 1);
  },
  'a simple consumer has no preferred layers, whatever is asked for': async ({ consumer }) => {
    await consumer.setPreferredLayers({ spatialLayer: 1, temporalLayer: 1 });
    assert.equal(consumer.preferredLayers, undefined);
  },
  'rtcpMux is true and comedia false by default': async ({ plainTransport }) => {
    const { rtcpMux, comedia } = await plainTransport.dump();
    assert.deepEqual({ rtcpMux, comedia }, { rtcpMux: true, comedia: false });
  },
  'a plain transport without rtcpMux has a second tuple': ({ comediaTransport }) => {
    assert.notEqual(comediaTransport.rtcpTuple.localPort, comediaTransport.tuple.localPort);
  },
  'the first UDP candidate has priority 1,076,302,079': ({ webRtcTransport }) => {
    const [{ foundation, priority, protocol, type, tcpType, address, ip }] = webRtcTransport.iceCandidates;
    assert.deepEqual(
      { foundation, priority, protocol, type, tcpType, address, ip },
      {
        foundation: 'udpcandidate',
        priority: 1_076_302_079,
        protocol: 'udp',
        type: 'host',
        tcpType: undefined,
        address: '127.0.0.1',
        ip: '127.0.0.1',
      },
    );
  },
  'TCP is off by default, and on with a server': async ({ worker, router }) => {
    const listenInfos = [LISTEN, { ...LISTEN, protocol: 'tcp' }];
    const alone = await router.createWebRtcTransport({ listenInfos });
    assert.deepEqual(protocols(alone), ['udp']);
    const webRtcServer = await worker.createWebRtcServer({ listenInfos });
    const served = await router.createWebRtcTransport({ webRtcServer });
    assert.deepEqual(protocols(served), ['tcp', 'udp']);
    assert.equal(served.iceCandidates.find(({ protocol }) => protocol === 'tcp').tcpType, 'passive');
    alone.close();
    webRtcServer.close();
  },
  'ICE is lite, and its user name and password are 32 characters': ({ webRtcTransport }) => {
    const { usernameFragment, password, iceLite } = webRtcTransport.iceParameters;
    assert.deepEqual([usernameFragment.length, password.length, iceLite], [32, 32, true]);
  },
  'DTLS offers its role and fingerprints in upper-case pairs': ({ webRtcTransport }) => {
    const { role, fingerprints } = webRtcTransport.dtlsParameters;
    assert.equal(role, 'auto');
    const { value } = fingerprints.find(({ algorithm }) => algorithm === 'sha-256');
    assert.match(value, /^([0-9A-F]{2}:){31}[0-9A-F]{2}$/);
  },
  'restartIce() gives new parameters, and the getter has them': async ({ router }) => {
    const transport = await router.createWebRtcTransport({ listenInfos: [LISTEN] });
    const before = transport.iceParameters;
    const after = await transport.restartIce();
    assert.notEqual(after.usernameFragment, before.usernameFragment);
    assert.deepEqual(transport.iceParameters, after);
    transport.close();
  },
  'a second connect() is refused': async ({ plainTransport }) => {
    await assert.rejects(plainTransport.connect({ ip: '127.0.0.1', port: 9 }));
  },
  'SRTP parameters are there where they are asked for': async ({ router }) => {
    const transport = await router.createPlainTransport({ listenInfo: LISTEN, enableSrtp: true });
    const { cryptoSuite, keyBase64 } = transport.srtpParameters;
    assert.equal(cryptoSuite, 'AES_CM_128_HMAC_SHA1_80');
    assert.equal(Buffer.from(keyBase64, 'base64').length, 30);
    transport.close();
  },
  'canConsume() is for producers of the router': ({ router, producer }) => {
    const { rtpCapabilities } = router;
    assert.equal(router.canConsume({ producerId: producer.id, rtpCapabilities }), true);
    assert.equal(router.canConsume({ producerId: 'nobody', rtpCapabilities }), false);
    assert.equal(router.canConsume({ producerId: producer.id, rtpCapabilities: { codecs: [] } }), false);
  },
  'updateMediaCodecs() replaces the capabilities': async ({ worker }) => {
    const router = await worker.createRouter();
    assert.deepEqual(router.rtpCapabilities.codecs, []);
    router.updateMediaCodecs([{ kind: 'video', mimeType: 'video/VP9', clockRate: 90_000 }]);
    assert.equal(router.rtpCapabilities.codecs[0].mimeType, 'video/VP9');
    router.close();
  },
  'trace types that do not exist are filtered': async ({ consumer }) => {
    await consumer.enableTraceEvent(['rtp', 'nothing']);
    assert.deepEqual((await consumer.dump()).traceEventTypes, ['rtp']);
    await consumer.enableTraceEvent();
    assert.deepEqual((await consumer.dump()).traceEventTypes, []);
  },
  'requests about what is closed are NotFoundErrors': async ({ router }, { errors }) => {
    const transport = await router.createPlainTransport({ listenInfo: LISTEN });
    transport.close();
    transport.close();
    await assert.rejects(transport.dump(), errors.NotFoundError);
  },
  'a listener that throws raises listenererror': async ({ router }) => {
    const transport = await router.createPlainTransport({ listenInfo: LISTEN });
    const raised = [];
    transport.on('listenererror', (event, error) => raised.push([event, error.message]));
    transport.on('routerclose', () => {
      throw new Error('mine');
    });
    transport.routerClosed();
    assert.deepEqual(raised, [['routerclose', 'mine']]);
  },
  'getSupportedRtpCapabilities() makes a copy': (_, { getSupportedRtpCapabilities }) => {
    getSupportedRtpCapabilities().codecs.length = 0;
    assert.ok(getSupportedRtpCapabilities().codecs.length > 0);
  },
  'parseScalabilityMode() knows spatial and temporal layers and K-SVC': (_, { parseScalabilityMode }) => {
    assert.deepEqual(parseScalabilityMode('L3T2_KEY'), { spatialLayers: 3, temporalLayers: 2, ksvc: true });
  },
};

/** What is so when the worker is closed. */
const AT_THE_END = {
  'everything on a closed worker is closed': ({ worker, router, webRtcTransport, producer, consumer }) => {
    for (const entity of [worker, router, webRtcTransport, producer, consumer]) {
      assert.equal(entity.closed, true);
    }
  },
  'a worker that was closed did not die': ({ worker }) => {
    assert.deepEqual([worker.died, worker.subprocessClosed], [false, true]);
  },
  'requests to a closed worker are WorkerClosedErrors': async ({ worker }, { errors }) => {
    await assert.rejects(worker.dump(), errors.WorkerClosedError);
    await assert.rejects(worker.createRouter(), errors.WorkerClosedError);
  },
};

function protocols(transport) {
  return [...new Set(transport.iceCandidates.map(({ protocol }) => protocol))].sort();
}

function opus(ssrc) {
  return {
    codecs: [{ mimeType: 'audio/opus', payloadType: 100, clockRate: 48_000, channels: 2 }],
    encodings: [{ ssrc }],
  };
}

/** Adds the facts of an open scene. */
export async function checkBehaviour(objects, tidegate, report) {
  for (const [name, look] of Object.entries(WHILE_OPEN)) {
    await report.attempt(name, () => look(objects, tidegate));
  }
}

/** Adds the facts of a closed one. */
export async function checkEnd(objects, tidegate, report) {
  for (const [name, look] of Object.entries(AT_THE_END)) {
    await report.attempt(name, () => look(objects, tidegate));
  }
}
