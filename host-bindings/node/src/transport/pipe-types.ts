import type { EnhancedEventEmitter } from '../emitter';
import type { Consumer } from '../media/consumer-types';
import type { AppData, Either } from '../types';
import type { SrtpParameters } from './plain-types';
import type {
  BaseTransportDump,
  BaseTransportStats,
  SctpNegotiatedCapabilities,
  SctpOptions,
  SctpParameters,
  SctpState,
  Transport,
  TransportEvents,
  TransportListenInfo,
  TransportListenIp,
  TransportObserverEvents,
  TransportTuple,
} from './types';

export type PipeTransportOptions<PipeTransportAppData extends AppData = AppData> = SctpOptions & {
  /** Default false. */
  enableRtx?: boolean;
  /** Default false. */
  enableSrtp?: boolean;
  appData?: PipeTransportAppData;
} & PipeTransportListen;

type PipeTransportListen = Either<PipeTransportListenInfo, PipeTransportListenIp>;

type PipeTransportListenInfo = { listenInfo: TransportListenInfo };

type PipeTransportListenIp = {
  listenIp: TransportListenIp | string;
  port?: number;
};

export type PipeConsumerOptions<ConsumerAppData extends AppData = AppData> = {
  producerId: string;
  appData?: ConsumerAppData;
};

export type PipeTransportDump = BaseTransportDump & {
  tuple: TransportTuple;
  rtx: boolean;
  srtpParameters?: SrtpParameters;
};

export type PipeTransportStat = BaseTransportStats & {
  type: string;
  tuple: TransportTuple;
};

export type PipeTransportEvents = TransportEvents & {
  sctpstatechange: [SctpState];
};

export type PipeTransportObserver = EnhancedEventEmitter<PipeTransportObserverEvents>;

export type PipeTransportObserverEvents = TransportObserverEvents & {
  sctpstatechange: [SctpState];
};

/** Joins two routers. The worker has none yet: `createPipeTransport()` is refused. */
export interface PipeTransport<PipeTransportAppData extends AppData = AppData> extends Transport<
  PipeTransportAppData,
  PipeTransportEvents,
  PipeTransportObserver
> {
  get type(): 'pipe';
  get observer(): PipeTransportObserver;
  get tuple(): TransportTuple;
  get sctpParameters(): SctpParameters | undefined;
  get sctpState(): SctpState | undefined;
  get sctpNegotiatedCapabilities(): SctpNegotiatedCapabilities | undefined;
  get srtpParameters(): SrtpParameters | undefined;
  dump(): Promise<PipeTransportDump>;
  getStats(): Promise<PipeTransportStat[]>;
  connect(options: { ip: string; port: number; srtpParameters?: SrtpParameters }): Promise<void>;
  consume<ConsumerAppData extends AppData = AppData>(
    options: PipeConsumerOptions<ConsumerAppData>,
  ): Promise<Consumer<ConsumerAppData>>;
}
