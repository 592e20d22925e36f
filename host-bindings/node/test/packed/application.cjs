// Relays RTP from one socket to another through a worker, counts what arrives, and tells it as JSON.
const { createSocket } = require('node:dgram');
const { once } = require('node:events');
const fs = require('node:fs');

const PACKETS = 200;
const SSRC = 1234;

module.exports = async function relay({ createWorker }) {
  const worker = await createWorker();
  const router = await worker.createRouter({
    mediaCodecs: [{ kind: 'audio', mimeType: 'audio/opus', clockRate: 48000, channels: 2 }],
  });
  const listenInfo = { protocol: 'udp', ip: '127.0.0.1' };
  const ingest = await router.createPlainTransport({ listenInfo, comedia: true });
  const codec = { mimeType: 'audio/opus', payloadType: 100, clockRate: 48000, channels: 2 };
  const rtpParameters = { codecs: [codec], encodings: [{ ssrc: SSRC }] };
  const producer = await ingest.produce({ kind: 'audio', rtpParameters });

  const player = createSocket('udp4');
  player.bind(0, '127.0.0.1');
  await once(player, 'listening');
  const egress = await router.createPlainTransport({ listenInfo });
  await egress.connect({ ip: '127.0.0.1', port: player.address().port });
  const { rtpCapabilities } = router;
  const consumer = await egress.consume({ producerId: producer.id, rtpCapabilities });
  const [{ ssrc }] = consumer.rtpParameters.encodings;
  const arrived = new Set();
  player.on('message', (packet) => {
    const isRtp = packet.readUInt8(1) < 200 && packet.readUInt32BE(8) === ssrc;
    if (isRtp) arrived.add(packet.readUInt16BE(2));
  });

  const sender = createSocket('udp4');
  for (let sequence = 0; sequence < PACKETS; sequence += 1) {
    const packet = Buffer.alloc(12 + 40, sequence);
    packet.writeUInt16BE(0x8064, 0);
    packet.writeUInt16BE(sequence, 2);
    packet.writeUInt32BE(sequence * 960, 4);
    packet.writeUInt32BE(SSRC, 8);
    sender.send(packet, ingest.tuple.localPort, '127.0.0.1');
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  const until = performance.now() + 10_000;
  while (arrived.size < PACKETS && performance.now() < until) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const [{ packetCount }] = await producer.getStats();
  const program = fs.readlinkSync(`/proc/${worker.pid}/exe`);
  console.log(
    JSON.stringify({ sent: PACKETS, received: arrived.size, counted: packetCount, worker: program }),
  );
  sender.close();
  player.close();
  worker.close();
};
