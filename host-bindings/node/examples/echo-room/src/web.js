/**
 * HTTP: the page, and one conversation for each visitor.
 *
 * Knows addresses and connections. Does not know requests.
 */

import { createServer } from 'node:http';

import { WebSocketServer } from 'ws';

import {
  CLOSE_AGAIN,
  CLOSE_BAD_NAME,
  Conversation,
  MESSAGE_BYTES_MAX,
  Socket,
  sayGoodbye,
} from './conversation.js';
import { BadName, roomName } from './limits.js';
import { listen } from './listener.js';
import * as page from './page.js';
import { messageOf } from './stage.js';

/** @import { IncomingMessage } from 'node:http' */
/** @import { WebSocket } from 'ws' */
/** @import { Hall } from './hall.js' */

/**
 * Serves pages and signalling.
 *
 * @param {Hall} hall
 * @param {{ host: string, port: number }} address
 * @throws {Error} What the system says of the address.
 */
export async function serve(hall, address) {
  const visitors = new WebSocketServer({
    noServer: true,
    maxPayload: MESSAGE_BYTES_MAX,
    WebSocket: Socket,
  });
  // Silence is the listener's to judge.
  const server = createServer(
    { keepAliveTimeout: 0, headersTimeout: 0, requestTimeout: 0 },
    (request, response) => {
      answer(request).then(
        ({ status, headers, body }) => response.writeHead(status, headers).end(body),
        (/** @type {unknown} */ error) => response.writeHead(500).end(`${messageOf(error)}\n`),
      );
    },
  );
  server.on('upgrade', (request, socket, head) => {
    const { path, query } = target(request);
    if (path === '/signalling') {
      visitors.handleUpgrade(request, socket, head, (visitor) => {
        converse(hall, query.get('room') ?? '', visitor, visitors.clients.size);
      });
    } else {
      socket.end('HTTP/1.1 404 Not Found\r\nconnection: close\r\n\r\n');
    }
  });
  const listener = await listen(address, hall.limits, (socket) => server.emit('connection', socket));
  return {
    address: listener.address,

    /** Says goodbye to everybody and ends the worker; done when its process is gone, and the last visitor. */
    async close() {
      listener.shut();
      const gone = [...visitors.clients].map(
        (visitor) => new Promise((resolve) => visitor.once('close', resolve)),
      );
      await Promise.all([hall.close(), ...gone]);
      listener.close();
    },
  };
}

/**
 * Talks with a visitor until either has enough.
 *
 * @param {Hall} hall
 * @param {string} room
 * @param {WebSocket} socket
 * @param {number} sockets How many there are, this one included.
 */
function converse(hall, room, socket, sockets) {
  const most = hall.limits.sockets;
  try {
    if (sockets <= most) new Conversation(hall, roomName(room), socket);
    else refuse(socket, CLOSE_AGAIN, `${most} visitors are here already; come back later`);
  } catch (error) {
    if (!(error instanceof BadName)) throw error;
    refuse(socket, CLOSE_BAD_NAME, error.message);
  }
}

/**
 * @param {WebSocket} socket
 * @param {number} code
 * @param {string} why
 */
function refuse(socket, code, why) {
  socket.on('error', () => {});
  sayGoodbye(socket, code, why);
}

/**
 * @param {IncomingMessage} request
 * @returns {Promise<page.Answer>}
 */
async function answer(request) {
  if (request.method !== 'GET' && request.method !== 'HEAD') return page.refusal(405, 'pages are only read');
  const { path } = target(request);
  if (path === '/favicon.ico') return page.file('icon.svg');
  if (path === '/signalling') return page.refusal(426, 'this is for WebSockets');
  if (path.startsWith('/page/')) return page.file(path.slice('/page/'.length));
  if (/^\/[^/]*$/.test(path)) return page.index();
  return page.refusal(404, 'there is nothing here; rooms are at /NAME');
}

/** @param {IncomingMessage} request */
function target({ url = '/' }) {
  const [path = '/', query = ''] = url.split('?', 2);
  return { path, query: new URLSearchParams(query) };
}
