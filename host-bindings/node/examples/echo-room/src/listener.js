/**
 * TCP connections, counted, and ended when nothing is heard of them.
 *
 * Knows sockets. Does not know what is said on them. Invariant: no more connections are served than there are places;
 * others wait, in order, until one of them ends.
 */

import { once } from 'node:events';
import { createServer } from 'node:net';

/** @import { AddressInfo, Socket } from 'node:net' */
/** @import { Limits } from './limits.js' */

/**
 * Accepts connections, and hands each to `serve` once there is a place for it.
 *
 * @param {{ host: string, port: number }} address
 * @param {Readonly<Limits>} limits
 * @param {(socket: Socket) => void} serve
 */
export async function listen({ host, port }, { connections, silenceMs }, serve) {
  /** Those that are served, with what was heard of them. @type {Map<Socket, { bytes: number, atMs: number }>} */
  const served = new Map();
  /** @type {Set<Socket>} */
  const waiting = new Set();

  const admit = () => {
    for (const socket of waiting) {
      if (served.size >= connections) return;
      waiting.delete(socket);
      served.set(socket, { bytes: 0, atMs: performance.now() });
      serve(socket);
      socket.resume();
    }
  };
  const server = createServer({ pauseOnConnect: true, noDelay: true }, (socket) => {
    // Whatever is wrong with it, `close` follows.
    socket.on('error', () => {});
    socket.once('close', () => {
      served.delete(socket);
      waiting.delete(socket);
      admit();
    });
    waiting.add(socket);
    admit();
  });
  server.maxConnections = connections + WAITING_MAX;
  // Not `setTimeout` of a socket: for that, what is sent counts as a sign of life too.
  const look = () => {
    const now = performance.now();
    for (const [socket, heard] of served) {
      if (socket.bytesRead !== heard.bytes) [heard.bytes, heard.atMs] = [socket.bytesRead, now];
      else if (now - heard.atMs >= silenceMs) socket.destroy();
    }
  };
  const looking = setInterval(look, silenceMs / LOOKS_A_SILENCE);
  server.listen(port, host);
  try {
    await once(server, 'listening');
  } catch (error) {
    clearInterval(looking);
    throw error;
  }
  return {
    address: /** @type {AddressInfo} */ (server.address()),

    /** Accepts nobody any more; those that are served go on. */
    shut() {
      server.close();
      for (const socket of waiting) socket.destroy();
    },

    /** Ends all. */
    close() {
      clearInterval(looking);
      for (const socket of served.keys()) socket.destroy();
    },
  };
}

// Like the queue of a listening socket in the kernel; whoever comes later still is turned away.
const WAITING_MAX = 1_024;
const LOOKS_A_SILENCE = 10;
