// Packets for the facts that only packets can show: RTP of VP8 and Opus, an RTCP receiver report, a STUN binding request.
import { createHmac, randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';

/** One stream whose packets count up. */
export class RtpSource {
  #sequence = 1000;
  #timestamp = 0;

  constructor({ ssrc, payloadType, step }) {
    this.ssrc = ssrc;
    this.payloadType = payloadType;
    this.step = step;
  }

  /** The next packet; `extensions` are pairs of a one-byte header extension's id and its bytes (RFC 8285 4.2). */
  next(payload, extensions = []) {
    const elements = Buffer.concat(
      extensions.map(([id, bytes]) => Buffer.concat([Buffer.from([(id << 4) | (bytes.length - 1)]), bytes])),
    );
    const words = Math.ceil(elements.length / 4);
    const extension = Buffer.alloc(words === 0 ? 0 : 4 + 4 * words);
    if (words > 0) {
      extension.writeUInt16BE(0xbede, 0);
      extension.writeUInt16BE(words, 2);
      elements.copy(extension, 4);
    }
    const header = Buffer.alloc(12);
    header[0] = 0x80 | (words === 0 ? 0 : 0x10);
    header[1] = 0x80 | this.payloadType;
    header.writeUInt16BE(this.#sequence, 2);
    header.writeUInt32BE(this.#timestamp, 4);
    header.writeUInt32BE(this.ssrc, 8);
    this.#sequence = (this.#sequence + 1) & 0xffff;
    this.#timestamp = (this.#timestamp + this.step) >>> 0;
    return Buffer.concat([header, extension, payload]);
  }
}

/** A frame of VP8 that is one packet: descriptor (RFC 7741 4.2), then a key frame's header (RFC 6386 9.1). */
export const vp8KeyFrame = Buffer.from([
  0x10, 0x50, 0x01, 0x00, 0x9d, 0x01, 0x2a, 0x40, 0x01, 0xf0, 0x00, 0x00,
]);

/** Sound that is no silence: more bytes than discontinuous transmission has. */
export const opusFrame = Buffer.from([0x78, ...Array.from({ length: 30 }, (_, index) => index)]);

/** A receiver report without blocks (RFC 3550 6.4.2). */
export function receiverReport(ssrc) {
  const report = Buffer.from([0x80, 201, 0, 1, 0, 0, 0, 0]);
  report.writeUInt32BE(ssrc, 4);
  return report;
}

/** A binding request that nominates (RFC 8445 7.2), signed with the transport's password. */
export function bindingRequest({ usernameFragment, password }) {
  const username = Buffer.from(`${usernameFragment}:peer`);
  const attributes = [
    attribute(0x0006, username),
    attribute(0x0024, Buffer.from([0x6e, 0x00, 0x1e, 0xff])),
    attribute(0x802a, randomBytes(8)),
    attribute(0x0025, Buffer.alloc(0)),
  ];
  let message = Buffer.concat([header(), ...attributes]);
  const signed = withLength(message, 24);
  const integrity = createHmac('sha1', password).update(signed).digest();
  message = Buffer.concat([signed, attribute(0x0008, integrity)]);
  const summed = withLength(message, 8);
  const fingerprint = Buffer.alloc(4);
  fingerprint.writeUInt32BE((crc32(summed) ^ 0x5354554e) >>> 0);
  return Buffer.concat([summed, attribute(0x8028, fingerprint)]);
}

function header() {
  const bytes = Buffer.alloc(20);
  bytes.writeUInt16BE(0x0001, 0);
  bytes.writeUInt32BE(0x2112a442, 4);
  randomBytes(12).copy(bytes, 8);
  return bytes;
}

/** The message with its length as if `more` bytes followed: what integrity and fingerprint are made of. */
function withLength(message, more) {
  const copy = Buffer.from(message);
  copy.writeUInt16BE(message.length - 20 + more, 2);
  return copy;
}

function attribute(type, value) {
  const bytes = Buffer.alloc(4 + 4 * Math.ceil(value.length / 4));
  bytes.writeUInt16BE(type, 0);
  bytes.writeUInt16BE(value.length, 2);
  value.copy(bytes, 4);
  return bytes;
}
