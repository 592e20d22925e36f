/** `npm start`: rooms in the browser. */

import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { isIP } from 'node:net';
import { parseArgs } from 'node:util';

import { Hall } from './hall.js';
import { LIMITS } from './limits.js';
import { messageOf } from './stage.js';
import { serve } from './web.js';

/** @import { Status } from './hall.js' */

const HELP = `Rooms in the browser: everybody sees and hears everybody, themselves included.

npm start -- [OPTIONS]

  --listen ADDRESS:PORT        where the page is served [default: 127.0.0.1:8080]
  --media-ip ADDRESS           where the worker listens for media; may be given several times [default: loopback, and the
                               address that this machine has in its network: Firefox sends nothing to loopback]
  --announced-address ADDRESS  what browsers are told instead of --media-ip
  --media-port PORT            the UDP and TCP port for media [default: 44444]
  --visitors N                 visitors in one room [default: ${LIMITS.visitors}]
`;

function options() {
  const { values } = parseArgs({
    options: {
      listen: { type: 'string', default: '127.0.0.1:8080' },
      'media-ip': { type: 'string', multiple: true, default: [] },
      'announced-address': { type: 'string' },
      'media-port': { type: 'string', default: '44444' },
      visitors: { type: 'string', default: String(LIMITS.visitors) },
      help: { type: 'boolean', default: false },
    },
  });
  const [, host = '', port = ''] = /^(.*):(\d+)$/.exec(values.listen) ?? [];
  const { 'media-ip': ips, 'announced-address': announcedAddress } = values;
  for (const ip of ips) if (isIP(ip) === 0) throw new Error(`--media-ip ${ip} is no IP address`);
  if (announcedAddress && ips.length === 0) {
    throw new Error('--announced-address stands for a --media-ip, which is missing');
  }
  return {
    help: values.help,
    listen: values.listen,
    host: host.replace(/^\[(.*)\]$/, '$1'),
    port: whole('--listen', port, 65_535),
    media: { ips, announcedAddress, port: whole('--media-port', values['media-port'], 65_535) },
    visitors: whole('--visitors', values.visitors, 1_000_000),
  };
}

/**
 * @param {string} option
 * @param {string} text
 * @param {number} max
 */
function whole(option, text, max) {
  if (/^\d{1,7}$/.test(text) && Number(text) <= max) return Number(text);
  throw new Error(`${option} takes a number from 0 to ${max}, not '${text}'`);
}

async function main() {
  const { help, listen, host, port, media, visitors } = options();
  if (help) {
    process.stdout.write(HELP);
    return;
  }
  const stop = new AbortController();
  // Before anything is said: whoever reads it may send signals.
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => stop.abort());
  const ips = media.ips.length > 0 ? media.ips : await ownAddresses();
  const hall = await Hall.open({ ...media, ips }, { ...LIMITS, visitors });
  const server = await serve(hall, { host, port }).catch(async (/** @type {unknown} */ error) => {
    await hall.close();
    throw new Error(`cannot serve at ${listen}: ${messageOf(error)}; --listen chooses another place`);
  });
  const { address, family, port: chosen } = server.address;
  console.log(
    `open http://${family === 'IPv6' ? `[${address}]` : address}:${chosen}/ in a browser; Ctrl-C ends it`,
  );
  hall.on('status', report);
  if (!stop.signal.aborted) await new Promise((resolve) => stop.signal.addEventListener('abort', resolve));
  await server.close();
}

/** Loopback, and the address by which this machine would send to its network, if there is one. */
async function ownAddresses() {
  const socket = createSocket('udp4');
  try {
    // Nothing is sent: the system only says by which of its addresses it would go to a network for documentation.
    socket.connect(9, '198.51.100.1');
    await once(socket, 'connect');
    return [...new Set(['127.0.0.1', socket.address().address])];
  } catch {
    return ['127.0.0.1'];
  } finally {
    socket.close();
  }
}

/**
 * Says on the terminal what becomes of workers.
 *
 * @param {Status} status
 */
function report(status) {
  if (status.is === 'running') {
    console.error(`worker ${status.stage.worker.pid} has taken over`);
  } else if (status.is === 'down') {
    const { reason, restartInMs } = status.death;
    const when = restartInMs === 0 ? 'now' : `in ${restartInMs / 1_000} s`;
    console.error(`${reason}; the next one starts ${when}`);
  }
}

main().catch((/** @type {unknown} */ error) => {
  console.error(`echo-room: ${messageOf(error)}`);
  process.exitCode = 1;
});
