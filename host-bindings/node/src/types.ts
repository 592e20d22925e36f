export type * from './errors';
export type { OrtcError, RtpMapping } from './ortc';
export type { ScalabilityMode } from './ortc/scalability-mode';
export type { SctpStreamParameters } from './ortc/sctp';
export type * from './rtp-parameters';

type Only<T, U> = { [P in keyof T]: T[P] } & { [P in keyof U]?: never };

/** One of both, not a mixture. */
export type Either<T, U> = Only<T, U> | Only<U, T>;

/** What an application attaches to an entity. */
export type AppData = Record<string, unknown>;
