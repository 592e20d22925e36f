// Every type of the public API, by mediasoup's names.
import type { EnhancedEventEmitter } from './emitter';
import type { Worker } from './worker/types';

export type * from './errors';
export type { LogEventListeners } from './log';
export type * from './media/consumer-types';
export type * from './media/data-types';
export type * from './media/producer-types';
export type * from './media/stats-types';
export type * from './observer/types';
export type { OrtcError, RtpMapping } from './ortc';
export type { ScalabilityMode } from './ortc/scalability-mode';
export type { SctpStreamParameters } from './ortc/sctp';
export type * from './router/types';
export type * from './rtp-parameters';
export type * from './transport/direct-types';
export type * from './transport/pipe-types';
export type * from './transport/plain-types';
export type * from './transport/types';
export type * from './transport/webrtc-server-types';
export type * from './transport/webrtc-types';
export type * from './worker/types';

/** Events of the package's observer. */
export type ObserverEvents = { newworker: [Worker] };

export type Observer = EnhancedEventEmitter<ObserverEvents>;

type Only<T, U> = { [P in keyof T]: T[P] } & { [P in keyof U]?: never };

/** One of both, not a mixture. */
export type Either<T, U> = Only<T, U> | Only<U, T>;

/** What an application attaches to an entity. */
export type AppData = { [key: string]: unknown };
