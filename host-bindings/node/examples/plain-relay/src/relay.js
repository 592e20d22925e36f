/**
 * The relay itself: how an application builds one out of a worker.
 *
 * Knows the package `tidegate`. Does not know command lines of peers or how figures are shown.
 */

/** @import { types } from 'tidegate' */
/** @import { Stream } from './sdp.js' */

/**
 * One RTP stream as the sender must send it.
 *
 * @typedef {object} Output
 * @property {number} payloadType
 * @property {number} ssrc
 * @property {string} ip
 * @property {number} port Where RTP goes.
 * @property {number} rtcpPort
 */

/** @typedef {{ transport: types.PlainTransport, producer: types.Producer, output: Output }} Ingest */

/**
 * One viewer: a consumer for each of the relay's streams, each on a transport of its own.
 *
 * @typedef {object} Viewer
 * @property {string} ip Where its player listens.
 * @property {Stream[]} streams What its player will receive.
 * @property {types.PlainTransport[]} transports
 * @property {types.Consumer[]} consumers
 */

/** One video and one audio stream in, any number of viewers out. */
export class Relay {
  worker;
  router;
  ip;
  ingests;
  /** In the order in which they were added. @type {Viewer[]} */
  viewers = [];

  /**
   * Listens for a sender of VP8 and Opus at `ip`, on four ports from `firstPort` on or, when that is 0, on any four that
   * are free.
   *
   * @param {types.Worker} worker
   * @param {string} ip
   * @param {number} firstPort
   */
  static async start(worker, ip, firstPort) {
    // Which payload types viewers get is the router's choice.
    const router = await worker.createRouter({
      mediaCodecs: [
        { kind: 'video', mimeType: 'video/VP8', clockRate: 90_000 },
        { kind: 'audio', mimeType: 'audio/opus', clockRate: 48_000, channels: 2 },
      ],
    });
    const ports = firstPort > 0 ? [firstPort, firstPort + 2] : [0, 0];
    const ingests = [];
    for (const [index, { kind, ssrc, codec }] of SENDERS.entries()) {
      const transport = await router.createPlainTransport({
        ...twoPorts(ip, ports[index] ?? 0),
        comedia: true,
      });
      const rtpParameters = { codecs: [codec], encodings: [{ ssrc }] };
      const producer = await transport.produce({ kind, rtpParameters });
      const { localPort: port } = transport.tuple;
      // Without rtcp-mux a transport has both.
      const rtcpPort = transport.rtcpTuple?.localPort ?? 0;
      ingests.push({
        transport,
        producer,
        output: { payloadType: codec.payloadType, ssrc, ip, port, rtcpPort },
      });
    }
    return new Relay(worker, router, ip, ingests);
  }

  /**
   * @param {types.Worker} worker
   * @param {types.Router} router
   * @param {string} ip
   * @param {Ingest[]} ingests
   */
  constructor(worker, router, ip, ingests) {
    this.worker = worker;
    this.router = router;
    this.ip = ip;
    this.ingests = ingests;
  }

  /**
   * Adds a viewer whose player listens at `ip` on these RTP ports for video and audio, for RTCP on the next ones
   * (RFC 3550 11).
   *
   * @param {string} ip
   * @param {number[]} ports
   */
  async addViewer(ip, ports) {
    /** @type {Viewer} */
    const viewer = { ip, streams: [], transports: [], consumers: [] };
    for (const [index, { producer }] of this.ingests.entries()) {
      const port = ports[index] ?? 0;
      const transport = await this.router.createPlainTransport(twoPorts(this.ip, 0));
      await transport.connect({ ip, port, rtcpPort: port + 1 });
      const rtpCapabilities = withoutFeedback(this.router.rtpCapabilities);
      const consumer = await transport.consume({ producerId: producer.id, rtpCapabilities });
      viewer.transports.push(transport);
      viewer.consumers.push(consumer);
      viewer.streams.push(streamOf(consumer, port));
    }
    this.viewers.push(viewer);
    return viewer;
  }

  /** Video and audio as the sender must send them. */
  get outputs() {
    return this.ingests.map(({ output }) => output);
  }
}

/**
 * A transport with RTCP on a port of its own: `port` and the next one, or any two.
 *
 * @param {string} ip
 * @param {number} port
 * @returns {types.PlainTransportOptions}
 */
function twoPorts(ip, port) {
  const listen = (/** @type {number} */ chosen) => ({
    protocol: /** @type {const} */ ('udp'),
    ip,
    ...(port > 0 ? { port: chosen } : {}),
  });
  return { listenInfo: listen(port), rtcpListenInfo: listen(port + 1), rtcpMux: false };
}

/**
 * What a player receives that learns from a session description what comes: RTP/AVP, as that says, has no feedback.
 *
 * @param {types.RtpCapabilities} capabilities
 * @returns {types.RtpCapabilities}
 */
function withoutFeedback({ codecs = [] }) {
  const media = codecs.filter(({ mimeType }) => !/\/rtx$/i.test(mimeType));
  return { codecs: media.map((codec) => ({ ...codec, rtcpFeedback: [] })), headerExtensions: [] };
}

/**
 * What a player must be told of a consumer whose packets come to `port`.
 *
 * @param {types.Consumer} consumer
 * @param {number} port
 * @returns {Stream}
 */
function streamOf({ kind, rtpParameters }, port) {
  const [codec] = rtpParameters.codecs;
  if (!codec) throw new Error('a consumer without codec');
  const { mimeType, clockRate, channels = 1, payloadType } = codec;
  // RFC 8866 6.6: one channel goes without saying.
  const encoding = `${mimeType.split('/')[1]}/${clockRate}${channels > 1 ? `/${channels}` : ''}`;
  return { kind, port, payloadType, encoding };
}

// No feedback is named: ffmpeg and GStreamer (with its defaults) neither send again nor make key frames on request.
const SENDERS = [
  {
    kind: /** @type {const} */ ('video'),
    ssrc: 11_111_111,
    codec: { mimeType: 'video/VP8', payloadType: 101, clockRate: 90_000 },
  },
  {
    kind: /** @type {const} */ ('audio'),
    ssrc: 22_222_222,
    codec: { mimeType: 'audio/opus', payloadType: 100, clockRate: 48_000, channels: 2 },
  },
];
