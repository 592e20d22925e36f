// A worker's settings as its command line.
//
// Knows options and their ranges, as far as the worker would refuse them. Called before a process is started.
import { type LogLevel, type LogTag } from '../wire/generated';
import { checkAppData, checkNumber, checkText, checkWhole } from '../check';
import type { WorkerLogLevel, WorkerLogTag, WorkerSettings } from './types';

const LOG_LEVELS: readonly LogLevel[] = ['debug', 'warn', 'error', 'none'];
const LOG_TAGS: readonly LogTag[] = [
  'info',
  'ice',
  'dtls',
  'rtp',
  'srtp',
  'rtcp',
  'rtx',
  'bwe',
  'score',
  'simulcast',
  'svc',
  'sctp',
  'message',
];

/** What of the settings the host itself follows, with its defaults. */
export type HostSettings = { startTimeoutMs: number; requestTimeoutMs: number };

/** @throws TypeError names a setting that the host cannot follow. */
export function hostSettings(settings: WorkerSettings): HostSettings {
  return {
    startTimeoutMs: checkNumber(settings.startTimeout, 'startTimeout', 1, TIMEOUT_MS_MAX) ?? 10_000,
    requestTimeoutMs: checkNumber(settings.requestTimeout, 'requestTimeout', 1, TIMEOUT_MS_MAX) ?? 10_000,
  };
}

/**
 * The command line.
 *
 * @throws TypeError names a setting that is wrong.
 */
export function commandLine(settings: WorkerSettings): string[] {
  checkAppData(settings.appData);
  const level = checkLogLevel(settings.logLevel ?? 'error');
  const tags = checkLogTags(settings.logTags ?? []);
  const microseconds = checkNumber(settings.batchInterval, 'batchInterval', 0, 2);
  const padding: unknown = settings.equalizePadding;
  if (padding !== undefined && typeof padding !== 'boolean') {
    throw new TypeError('equalizePadding must be true or false');
  }
  const optional: [string, string | number | undefined][] = [
    ['log-tags', tags.length > 0 ? tags.join(',') : undefined],
    ['rtc-min-port', checkWhole(settings.rtcMinPort, 'rtcMinPort', 1, 65_535)],
    ['rtc-max-port', checkWhole(settings.rtcMaxPort, 'rtcMaxPort', 1, 65_535)],
    ['dtls-certificate-file', checkText(settings.dtlsCertificateFile, 'dtlsCertificateFile')],
    ['dtls-private-key-file', checkText(settings.dtlsPrivateKeyFile, 'dtlsPrivateKeyFile')],
    ['batch-interval-us', microseconds === undefined ? undefined : Math.round(microseconds * 1000)],
    ['equalize-padding', padding === undefined ? undefined : padding ? 'on' : 'off'],
    [
      'packet-memory-limit',
      checkWhole(settings.packetMemoryLimit, 'packetMemoryLimit', 2 << 20, Number.MAX_SAFE_INTEGER),
    ],
  ];
  const given = optional.filter(([, value]) => value !== undefined && value !== '');
  return [`--log-level=${level}`, ...given.map(([name, value]) => `--${name}=${String(value)}`)];
}

/** @throws TypeError names the levels that there are. */
export function checkLogLevel(level: WorkerLogLevel): LogLevel {
  if (!LOG_LEVELS.includes(level)) {
    throw new TypeError(`logLevel cannot be ${String(level)}; it is one of ${LOG_LEVELS.join(', ')}`);
  }
  return level;
}

/** @throws TypeError when it is not a list. Tags that nobody knows are left out, as mediasoup does. */
export function checkLogTags(tags: WorkerLogTag[]): LogTag[] {
  if (!Array.isArray(tags)) {
    throw new TypeError('logTags must be an array');
  }
  return [...new Set(tags)].filter((tag) => LOG_TAGS.includes(tag));
}

/** A day. */
const TIMEOUT_MS_MAX = 86_400_000;
