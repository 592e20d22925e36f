// IP addresses as text and as the wire's bytes.
import { isIPv4, isIPv6 } from 'node:net';
import type { IpAddr, SocketAddr } from '../wire/generated';

/** The wire's form of an address. @throws TypeError names the field that is none. */
export function ipToWire(text: unknown, field: string): IpAddr {
  if (typeof text === 'string' && isIPv4(text)) {
    return { type: 'v4', value: Uint8Array.from(text.split('.').map(Number)) };
  }
  if (typeof text === 'string' && isIPv6(text) && !text.includes('%')) {
    return { type: 'v6', value: v6Bytes(text) };
  }
  throw new TypeError(`${field} must be an IPv4 or IPv6 address, not ${JSON.stringify(text)}`);
}

/** The text of an address (RFC 5952 for IPv6). */
export function ipFromWire({ type, value }: IpAddr): string {
  return type === 'v4' ? value.join('.') : v6Text(value);
}

/** An address with its port. */
export function socketFromWire({ type, value: [bytes, port] }: SocketAddr): { ip: string; port: number } {
  return { ip: ipFromWire({ type, value: bytes }), port };
}

function v6Bytes(text: string): Uint8Array {
  const [head = '', tail] = text.split('::');
  const left = groups(head);
  const right = tail === undefined ? [] : groups(tail);
  const zeros = new Array<number>(8 - left.length - right.length).fill(0);
  const words = [...left, ...zeros, ...right];
  return Uint8Array.from(words.flatMap((word) => [word >> 8, word & 0xff]));
}

/** 16-bit groups; a last one in dots counts as two. */
function groups(text: string): number[] {
  return text
    .split(':')
    .filter((group) => group !== '')
    .flatMap((group) => {
      if (!group.includes('.')) {
        return [parseInt(group, 16)];
      }
      const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number);
      return [(a << 8) | b, (c << 8) | d];
    });
}

function v6Text(bytes: Uint8Array): string {
  const words = Array.from({ length: 8 }, (_, at) => ((bytes[2 * at] ?? 0) << 8) | (bytes[2 * at + 1] ?? 0));
  if (words.slice(0, 5).every((word) => word === 0) && words[5] === 0xffff) {
    return `::ffff:${bytes.slice(12).join('.')}`;
  }
  const { start, length } = longestZeros(words);
  const hex = (part: number[]) => part.map((word) => word.toString(16)).join(':');
  return length < 2 ? hex(words) : `${hex(words.slice(0, start))}::${hex(words.slice(start + length))}`;
}

function longestZeros(words: number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  for (let start = 0; start < words.length; start++) {
    let end = start;
    while (words[end] === 0) {
      end += 1;
    }
    if (end - start > best.length) {
      best = { start, length: end - start };
    }
  }
  return best;
}
