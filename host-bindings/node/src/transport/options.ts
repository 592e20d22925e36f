// What applications say about transports, as the wire takes it; deprecated names too.
import { checkNumber, checkObject, checkText, checkWhole } from '../check';
import { UnsupportedError } from '../errors';
import type {
  IceCandidate as WireIceCandidate,
  ListenInfo,
  PlainConnectOptions,
  PlainTransportOptions as WirePlainOptions,
  Protocol,
  SrtpCryptoSuite as WireSuite,
  SrtpParameters as WireSrtpParameters,
  TransportTuple as WireTuple,
  WebRtcListen,
  WebRtcTransportOptions as WireWebRtcOptions,
} from '../wire/generated';
import { ipFromWire, ipToWire } from './address';
import type { PlainTransportOptions, SrtpCryptoSuite, SrtpParameters } from './plain-types';
import type { SctpOptions, TransportListenInfo, TransportListenIp, TransportTuple } from './types';
import type { IceCandidate, WebRtcTransportOptions } from './webrtc-types';

/** @throws TypeError names what is wrong with `given`, which is the argument `field`. */
export function listenInfoToWire(given: TransportListenInfo, field: string): ListenInfo {
  checkObject(given, field);
  const protocol: unknown = given.protocol;
  if (protocol !== 'udp' && protocol !== 'tcp') {
    throw new TypeError(`${field}.protocol must be 'udp' or 'tcp', not ${JSON.stringify(protocol)}`);
  }
  const announced = given.announcedAddress ?? given.announcedIp;
  const socketBytes = (value: unknown, name: string) =>
    checkWhole(value, `${field}.${name}`, 0, 0xffff_ffff) ?? 0;
  return {
    protocol,
    ip: ipToWire(given.ip, `${field}.ip`),
    announcedAddress: checkText(announced, `${field}.announcedAddress`) || undefined,
    exposeInternalIp: Boolean(given.exposeInternalIp),
    port: portToWire(given, field),
    shared: Boolean(given.shared),
    ipv6Only: Boolean(given.flags?.ipv6Only),
    udpReusePort: Boolean(given.flags?.udpReusePort),
    sendBufferBytes: socketBytes(given.sendBufferSize, 'sendBufferSize'),
    receiveBufferBytes: socketBytes(given.recvBufferSize, 'recvBufferSize'),
  };
}

function portToWire({ port, portRange }: TransportListenInfo, field: string): ListenInfo['port'] {
  const min = checkWhole(portRange?.min, `${field}.portRange.min`, 0, 65_535) ?? 0;
  const max = checkWhole(portRange?.max, `${field}.portRange.max`, 0, 65_535) ?? 0;
  if (min > 0 || max > 0) {
    return { type: 'range', min, max };
  }
  const fixed = checkWhole(port, `${field}.port`, 0, 65_535) ?? 0;
  return fixed > 0 ? { type: 'fixed', value: fixed } : { type: 'any' };
}

/** The old way to say it, in the new. */
function listenInfoOf(listenIp: TransportListenIp | string, port: number | undefined, protocol: Protocol) {
  const { ip, announcedIp } = typeof listenIp === 'string' ? { ip: listenIp } : listenIp;
  return { protocol, ip, announcedAddress: announcedIp, port } as TransportListenInfo;
}

/** @throws UnsupportedError: there are no data channels yet. */
export function refuseSctp({ enableSctp }: SctpOptions): void {
  if (enableSctp) {
    throw new UnsupportedError(
      'this version of the worker has no data channels (SCTP) yet; leave enableSctp out',
    );
  }
}

/** @throws TypeError names what is wrong or missing. */
export function plainOptionsToWire(options: PlainTransportOptions): WirePlainOptions {
  const { listenInfo, rtcpListenInfo, listenIp, port } = options;
  if (!listenInfo && !listenIp) {
    throw new TypeError('missing listenInfo and listenIp (one of them is mandatory)');
  }
  if (listenInfo && listenIp) {
    throw new TypeError('only one of listenInfo and listenIp must be given');
  }
  refuseSctp(options);
  const info = listenInfo ?? listenInfoOf(listenIp, port, 'udp');
  const suite = options.srtpCryptoSuite ?? 'AES_CM_128_HMAC_SHA1_80';
  return {
    listenInfo: listenInfoToWire(info, 'listenInfo'),
    rtcpListenInfo: rtcpListenInfo ? listenInfoToWire(rtcpListenInfo, 'rtcpListenInfo') : undefined,
    rtcpMux: !rtcpListenInfo && (options.rtcpMux ?? true),
    comedia: Boolean(options.comedia),
    srtp: options.enableSrtp ? suiteToWire(suite) : undefined,
  };
}

/** @throws TypeError names what is wrong. */
export function plainConnectToWire(given: {
  ip?: string;
  port?: number;
  rtcpPort?: number;
  srtpParameters?: SrtpParameters;
}): PlainConnectOptions {
  const { ip, port, rtcpPort, srtpParameters } = given;
  return {
    ip: ip === undefined ? undefined : ipToWire(ip, 'ip'),
    port: checkWhole(port, 'port', 0, 65_535),
    rtcpPort: checkWhole(rtcpPort, 'rtcpPort', 0, 65_535),
    srtpParameters: srtpParameters === undefined ? undefined : srtpToWire(srtpParameters),
  };
}

/** @throws TypeError names what is wrong or missing. */
export function webRtcOptionsToWire(
  options: WebRtcTransportOptions,
  server: number | undefined,
): WireWebRtcOptions {
  const { webRtcServer, listenInfos, listenIps, port, preferUdp = false, preferTcp = false } = options;
  if (!webRtcServer && !Array.isArray(listenInfos) && !Array.isArray(listenIps)) {
    throw new TypeError('missing webRtcServer, listenInfos and listenIps (one of them is mandatory)');
  }
  if ([webRtcServer, listenInfos, listenIps].filter((given) => given !== undefined).length > 1) {
    throw new TypeError('only one of webRtcServer, listenInfos and listenIps must be given');
  }
  refuseSctp(options);
  const enableUdp = options.enableUdp ?? true;
  const enableTcp = options.enableTcp ?? server !== undefined;
  // Where both are wanted in one place, the preferred one is listened on first.
  const protocols: Protocol[] = enableTcp && preferTcp && !preferUdp ? ['tcp', 'udp'] : ['udp', 'tcp'];
  const enabled = protocols.filter((protocol) => (protocol === 'udp' ? enableUdp : enableTcp));
  const infos =
    listenInfos ?? listenIps?.flatMap((ip) => enabled.map((protocol) => listenInfoOf(ip, port, protocol)));
  const listen: WebRtcListen =
    server === undefined
      ? { type: 'individual', value: listenInfosToWire(infos ?? []) }
      : { type: 'server', value: server };
  const consent = checkWhole(options.iceConsentTimeout, 'iceConsentTimeout', 0, 255) ?? 30;
  const { initialAvailableOutgoingBitrate: initial } = options;
  return {
    listen,
    enableUdp,
    enableTcp,
    preferUdp,
    preferTcp,
    iceConsentTimeoutS: consent,
    initialAvailableOutgoingBitrate: bitrateToWire(initial ?? 600_000, 'initialAvailableOutgoingBitrate'),
    enableSctp: false,
  };
}

/** @throws TypeError names the one that is wrong. */
export function listenInfosToWire(infos: TransportListenInfo[]): ListenInfo[] {
  if (!Array.isArray(infos)) {
    throw new TypeError('listenInfos must be an array');
  }
  return infos.map((info, index) => listenInfoToWire(info, `listenInfos[${index}]`));
}

/** @throws TypeError unless it is a number of bits per second. */
export function bitrateToWire(bitrate: unknown, field: string): number {
  const checked = checkNumber(bitrate, field, 0, Number.MAX_SAFE_INTEGER);
  if (checked === undefined) {
    throw new TypeError(`missing ${field}: it must be a number`);
  }
  return Math.round(checked);
}

const SUITES: Record<SrtpCryptoSuite, { wire: WireSuite; keyBytes: number }> = {
  AEAD_AES_256_GCM: { wire: 'aeadAes256Gcm', keyBytes: 32 + 12 },
  AEAD_AES_128_GCM: { wire: 'aeadAes128Gcm', keyBytes: 16 + 12 },
  AES_CM_128_HMAC_SHA1_80: { wire: 'aesCm128HmacSha1_80', keyBytes: 16 + 14 },
  AES_CM_128_HMAC_SHA1_32: { wire: 'aesCm128HmacSha1_32', keyBytes: 16 + 14 },
};

function suiteToWire(suite: SrtpCryptoSuite): WireSuite {
  if (!Object.hasOwn(SUITES, suite)) {
    const names = Object.keys(SUITES).join(', ');
    throw new TypeError(`the SRTP crypto suite cannot be ${String(suite)}; it is one of ${names}`);
  }
  return SUITES[suite].wire;
}

function srtpToWire(given: SrtpParameters): WireSrtpParameters {
  checkObject(given, 'srtpParameters');
  const cryptoSuite = suiteToWire(given.cryptoSuite);
  const { keyBytes } = SUITES[given.cryptoSuite];
  const text: unknown = given.keyBase64;
  const key = Buffer.from(typeof text === 'string' ? text : '', 'base64');
  // Node reads past what is not base64.
  if (
    key.length !== keyBytes ||
    key.toString('base64').replace(/=+$/, '') !== String(text).replace(/=+$/, '')
  ) {
    throw new TypeError(
      `srtpParameters.keyBase64: ${given.cryptoSuite} needs base64 of ${keyBytes} bytes, master key and master salt`,
    );
  }
  return { cryptoSuite, key };
}

/** What a transport sends under, as applications read it. */
export function srtpFromWire({ cryptoSuite, key }: WireSrtpParameters): SrtpParameters {
  const names = Object.keys(SUITES) as SrtpCryptoSuite[];
  const name = names.find((name) => SUITES[name].wire === cryptoSuite);
  return {
    cryptoSuite: name ?? 'AES_CM_128_HMAC_SHA1_80',
    keyBase64: Buffer.from(key).toString('base64'),
  };
}

/** The two ends of a transport, as applications read them. */
export function tupleFromWire(tuple: WireTuple): TransportTuple {
  return {
    localIp: tuple.localAddress,
    localAddress: tuple.localAddress,
    localPort: tuple.localPort,
    ...(tuple.remoteIp && { remoteIp: ipFromWire(tuple.remoteIp) }),
    ...(tuple.remotePort !== undefined && { remotePort: tuple.remotePort }),
    protocol: tuple.protocol,
  };
}

/** A candidate, as applications read it. */
export function candidateFromWire(candidate: WireIceCandidate): IceCandidate {
  return {
    foundation: candidate.foundation,
    priority: candidate.priority,
    ip: candidate.address,
    address: candidate.address,
    protocol: candidate.protocol,
    port: candidate.port,
    type: 'host',
    ...(candidate.protocol === 'tcp' && { tcpType: 'passive' as const }),
  };
}
