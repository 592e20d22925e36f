/**
 * UDP ports of peers on this machine: which are free, and when another process has taken them.
 *
 * Knows /proc/net/udp. Does not know who listens or why.
 */

import { createSocket } from 'node:dgram';
import { readFile } from 'node:fs/promises';
import { isIPv6 } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

/**
 * Two neighbouring free ports, the lower one even: RTP and RTCP as RFC 3550 11 pairs them. Players that read a session
 * description expect them so, and cannot choose ports themselves.
 *
 * @param {string} ip
 */
export async function freePair(ip) {
  for (let tried = 0; tried < PAIRS; tried += 1) {
    next = (next + 1) % PAIRS;
    const port = FIRST + 2 * next;
    if ((await isFree(ip, port)) && (await isFree(ip, port + 1))) return port;
  }
  throw new Error(`no free pair of UDP ports for a viewer at ${ip}; name one with --viewer-port`);
}

/**
 * Returns once each of `ports` is bound, or `false` after `patienceMs`.
 *
 * @param {number[]} ports
 * @param {number} patienceMs
 */
export async function untilBound(ports, patienceMs) {
  const until = performance.now() + patienceMs;
  while (performance.now() < until) {
    const bound = await boundPorts();
    if (ports.every((port) => bound.has(port))) return true;
    await pause(10);
  }
  return false;
}

/** Ports of all UDP sockets: `sl local_address:PORT ...`, in hexadecimal. */
async function boundPorts() {
  const tables = await Promise.all(
    ['/proc/net/udp', '/proc/net/udp6'].map((file) => readFile(file, 'utf8').catch(() => '')),
  );
  const lines = tables.flatMap((table) => table.split('\n').slice(1));
  return new Set(lines.map((line) => parseInt(line.trim().split(/\s+/)[1]?.split(':')[1] ?? '', 16)));
}

/**
 * @param {string} ip
 * @param {number} port
 * @returns {Promise<boolean>}
 */
function isFree(ip, port) {
  return new Promise((resolve) => {
    const socket = createSocket(isIPv6(ip) ? 'udp6' : 'udp4');
    socket.once('error', () => resolve(false));
    socket.bind(port, ip, () => socket.close(() => resolve(true)));
  });
}

// Above the range from which Linux gives ports to sockets that ask for any (32,768 to 60,999 unless set otherwise):
// nobody gets one of ours by chance between our look and the player's bind.
const FIRST = 61_000;
const PAIRS = Math.floor((65_535 - FIRST) / 2);
// Processes that look for ports at the same time should not start at the same one.
let next = process.pid % PAIRS;
