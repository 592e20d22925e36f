// libwebrtc without a browser: mediasoup-client over @roamhq/wrtc.
//
//   node wrtc.js ws://127.0.0.1:PORT/signalling?room=NAME client|server
//
// Sends a picture and a tone, takes both back, closes, and prints one line of JSON: what the test `peers` judges.
'use strict';
const path = require('node:path');
const { createRequire } = require('node:module');
const installed = createRequire(path.join(process.env.TIDEGATE_PEERS, 'package.json'));
const WebSocket = installed('ws');
const wrtc = installed('@roamhq/wrtc');
// What a browser has as globals, and the handler looks for.
for (const name of ['RTCPeerConnection', 'MediaStream', 'MediaStreamTrack', 'RTCRtpReceiver', 'RTCRtpSender',
  'RTCRtpTransceiver', 'RTCSessionDescription', 'RTCIceCandidate']) globalThis[name] = wrtc[name];
const { Device } = installed('mediasoup-client');
const { RTCVideoSource, RTCAudioSource, RTCVideoSink, RTCAudioSink } = wrtc.nonstandard;

const [url, role] = process.argv.slice(2);
const WIDTH = 320, HEIGHT = 240, FRAMES = 90, SOUNDS = 300, LOOK_AGAIN_MS = 50;

// Requests and answers, and what comes unasked.
async function signalling() {
  const socket = new WebSocket(url);
  await new Promise((open, failed) => { socket.on('open', open); socket.on('error', failed); });
  const waiting = new Map();
  const listeners = [];
  let last = 0;
  socket.on('message', (text) => {
    const told = JSON.parse(text);
    if (told.event) return listeners.forEach((listener) => listener(told.event, told.data));
    const [done, failed] = waiting.get(told.id);
    waiting.delete(told.id);
    return told.error ? failed(new Error(told.error)) : done(told.ok);
  });
  return {
    ask: (method, data) => new Promise((done, failed) => {
      waiting.set(last += 1, [done, failed]);
      socket.send(JSON.stringify(data === undefined ? { id: last, method } : { id: last, method, data }));
    }),
    on: (listener) => listeners.push(listener),
    close: () => socket.close(),
  };
}

// A picture that moves, 30 times a second, and a tone of 440 Hz.
function play() {
  const video = new RTCVideoSource(), audio = new RTCAudioSource();
  const data = new Uint8ClampedArray((WIDTH * HEIGHT * 3) / 2);
  let picture = 0, phase = 0;
  const pictures = setInterval(() => {
    for (let y = 0; y < HEIGHT; y += 1) data.fill((y + picture * 3) & 255, y * WIDTH, (y + 1) * WIDTH);
    data.fill(128 + ((picture * 2) & 63), WIDTH * HEIGHT);
    video.onFrame({ width: WIDTH, height: HEIGHT, data });
    picture += 1;
  }, 1000 / 30);
  const sounds = setInterval(() => {
    const samples = new Int16Array(480);
    for (let at = 0; at < samples.length; at += 1) {
      samples[at] = 8000 * Math.sin(phase);
      phase += (2 * Math.PI * 440) / 48000;
    }
    audio.onData({ samples, sampleRate: 48000, bitsPerSample: 16, channelCount: 1, numberOfFrames: 480 });
  }, 10);
  return { tracks: [audio.createTrack(), video.createTrack()], stop: () => { clearInterval(pictures); clearInterval(sounds); } };
}

const of = async (what, type) => [...(await what.getStats()).values()].filter((entry) => entry.type === type);
const sum = (entries, kind, field) => entries.filter((entry) => entry.kind === kind).reduce((all, entry) => all + (entry[field] || 0), 0);
const wait = (ms) => new Promise((done) => { setTimeout(done, ms); });

async function transport(room, device, direction) {
  const told = await room.ask('createTransport', {});
  // What we are not: the handler takes the other role, but only where it offers. Where it answers it is client.
  const server = role === 'server' && direction === 'send';
  told.dtlsParameters.role = server ? 'client' : 'server';
  const made = direction === 'send' ? device.createSendTransport(told) : device.createRecvTransport(told);
  made.on('connect', ({ dtlsParameters }, done, failed) => {
    room.ask('connectTransport', { transportId: made.id, dtlsParameters }).then(done, failed);
  });
  made.on('produce', ({ kind, rtpParameters }, done, failed) => {
    room.ask('produce', { transportId: made.id, kind, rtpParameters }).then(done, failed);
  });
  return made;
}

async function main() {
  const room = await signalling();
  const device = new Device({ handlerName: 'Chrome111' });
  await device.load({ routerRtpCapabilities: await room.ask('routerRtpCapabilities') });
  const sending = await transport(room, device, 'send');
  const receiving = await transport(room, device, 'recv');
  const decoded = { video: 0, audio: 0 }, consumers = [];
  let chain = Promise.resolve();
  room.on((event, { producerId }) => {
    if (event !== 'newProducer') return;
    chain = chain.then(async () => {
      const consumer = await receiving.consume(await room.ask('consume', { transportId: receiving.id, producerId }));
      consumers.push(consumer);
      if (consumer.kind === 'video') new RTCVideoSink(consumer.track).onframe = () => { decoded.video += 1; };
      // Of silence, which is what there is before the first packet, nothing is counted.
      else new RTCAudioSink(consumer.track).ondata = ({ samples }) => { if (samples.some((sample) => Math.abs(sample) > 1000)) decoded.audio += 1; };
      await room.ask('resumeConsumer', { consumerId: consumer.id });
    });
  });
  await room.ask('join', { rtpCapabilities: device.recvRtpCapabilities });
  const source = play();
  for (const track of source.tracks) await sending.produce({ track });
  while (decoded.video < FRAMES || decoded.audio < SOUNDS) await wait(LOOK_AGAIN_MS);
  await chain;
  const out = await of(sending, 'outbound-rtp'), back = await of(receiving, 'inbound-rtp');
  const protection = [];
  for (const [direction, one] of [['send', sending], ['recv', receiving]]) {
    const [{ tlsVersion, dtlsCipher, srtpCipher }] = await of(one, 'transport');
    protection.push({ direction, role: role === 'server' && direction === 'send' ? 'server' : 'client', version: tlsVersion, suite: dtlsCipher, srtp: srtpCipher, id: one.id });
  }
  sending.close();
  receiving.close();
  source.stop();
  for (const one of protection) {
    do {
      await wait(LOOK_AGAIN_MS);
      one.state = (await room.ask('transportStats', { transportId: one.id })).webrtc.dtls_state;
    } while (one.state === 'Connected');
  }
  room.close();
  console.log(JSON.stringify({
    sent: { video: sum(out, 'video', 'packetsSent'), audio: sum(out, 'audio', 'packetsSent') },
    received: { video: sum(back, 'video', 'packetsReceived'), audio: sum(back, 'audio', 'packetsReceived') },
    decoded, transports: protection,
  }));
  process.exit(0);
}

main().catch((error) => { console.error(error); process.exit(1); });
