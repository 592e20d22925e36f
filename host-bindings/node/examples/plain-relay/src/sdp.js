/** Session descriptions (RFC 8866) for players that learn from a file what they will receive. */

import { isIPv6 } from 'node:net';

/**
 * One stream that a player will receive.
 *
 * @typedef {object} Stream
 * @property {'audio' | 'video'} kind
 * @property {number} port The player's RTP port; it expects RTCP on the next one (RFC 3550 11).
 * @property {number} payloadType
 * @property {string} encoding As in `a=rtpmap` (RFC 8866 6.6), for example `VP8/90000` or `opus/48000/2`.
 */

/**
 * The description of `streams`, which arrive at `address`.
 *
 * @param {string} address
 * @param {Stream[]} streams
 */
export function describe(address, streams) {
  const place = `IN ${isIPv6(address) ? 'IP6' : 'IP4'} ${address}`;
  const lines = ['v=0', `o=- 0 0 ${place}`, 's=Tidegate plain-relay', `c=${place}`, 't=0 0'];
  for (const { kind, port, payloadType, encoding } of streams) {
    lines.push(`m=${kind} ${port} RTP/AVP ${payloadType}`, `a=rtpmap:${payloadType} ${encoding}`);
  }
  return `${lines.join('\r\n')}\r\n`;
}
