import type { EnhancedEventEmitter } from '../emitter';
import type { AppData } from '../types';
import type {
  BaseTransportDump,
  BaseTransportStats,
  Transport,
  TransportEvents,
  TransportObserverEvents,
} from './types';

export type DirectTransportOptions<DirectTransportAppData extends AppData = AppData> = {
  maxSendMessageSize?: number;
  maxReceiveMessageSize?: number;
  /** @deprecated Use `maxSendMessageSize` and `maxReceiveMessageSize` instead. */
  maxMessageSize?: number;
  appData?: DirectTransportAppData;
};

export type DirectTransportDump = BaseTransportDump;

export type DirectTransportStat = BaseTransportStats & { type: string };

export type DirectTransportEvents = TransportEvents & { rtcp: [Buffer] };

export type DirectTransportObserver = EnhancedEventEmitter<DirectTransportObserverEvents>;

export type DirectTransportObserverEvents = TransportObserverEvents & { rtcp: [Buffer] };

/** Packets of the host itself. The worker has none yet: `createDirectTransport()` is refused. */
export interface DirectTransport<DirectTransportAppData extends AppData = AppData> extends Transport<
  DirectTransportAppData,
  DirectTransportEvents,
  DirectTransportObserver
> {
  get type(): 'direct';
  get observer(): DirectTransportObserver;
  dump(): Promise<DirectTransportDump>;
  getStats(): Promise<DirectTransportStat[]>;
  connect(): Promise<void>;
  sendRtcp(rtcpPacket: Buffer): void;
}
