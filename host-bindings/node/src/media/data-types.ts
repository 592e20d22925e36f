// Data channels, as the API has them. The worker has none yet: `produceData()` and `consumeData()` are refused.
import type { EnhancedEventEmitter } from '../emitter';
import type { SctpStreamParameters } from '../ortc/sctp';
import type { AppData } from '../types';

export type DataProducerOptions<DataProducerAppData extends AppData = AppData> = {
  id?: string;
  sctpStreamParameters?: SctpStreamParameters;
  label?: string;
  protocol?: string;
  paused?: boolean;
  appData?: DataProducerAppData;
};

export type DataProducerType = 'sctp' | 'direct';

export type DataProducerDump = {
  id: string;
  paused: boolean;
  type: DataProducerType;
  sctpStreamParameters?: SctpStreamParameters;
  label: string;
  protocol: string;
};

export type DataProducerStat = {
  type: string;
  timestamp: number;
  label: string;
  protocol: string;
  messagesReceived: number;
  bytesReceived: number;
};

export type DataProducerEvents = { transportclose: []; '@close': [] };

export type DataProducerObserver = EnhancedEventEmitter<DataProducerObserverEvents>;

export type DataProducerObserverEvents = { close: []; pause: []; resume: [] };

export interface DataProducer<
  DataProducerAppData extends AppData = AppData,
> extends EnhancedEventEmitter<DataProducerEvents> {
  get id(): string;
  get closed(): boolean;
  get type(): DataProducerType;
  get sctpStreamParameters(): SctpStreamParameters | undefined;
  get label(): string;
  get protocol(): string;
  get paused(): boolean;
  get appData(): DataProducerAppData;
  set appData(appData: DataProducerAppData);
  get observer(): DataProducerObserver;
  close(): void;
  /** @private */
  transportClosed(): void;
  dump(): Promise<DataProducerDump>;
  getStats(): Promise<DataProducerStat[]>;
  pause(): Promise<void>;
  resume(): Promise<void>;
  send(
    message: string | Buffer,
    ppid?: number,
    subchannels?: number[],
    requiredSubchannel?: number,
    ignoredSubchannel?: number,
  ): void;
}

export type DataConsumerOptions<DataConsumerAppData extends AppData = AppData> = {
  dataProducerId: string;
  ordered?: boolean;
  maxPacketLifeTime?: number;
  maxRetransmits?: number;
  paused?: boolean;
  subchannels?: number[];
  appData?: DataConsumerAppData;
};

export type DataConsumerType = 'sctp' | 'direct';

export type DataConsumerDump = {
  id: string;
  paused: boolean;
  dataProducerPaused: boolean;
  subchannels: number[];
  dataProducerId: string;
  type: DataConsumerType;
  sctpStreamParameters?: SctpStreamParameters;
  label: string;
  protocol: string;
  bufferedAmount: number;
  bufferedAmountLowThreshold: number;
};

export type DataConsumerStat = {
  type: string;
  timestamp: number;
  label: string;
  protocol: string;
  messagesSent: number;
  bytesSent: number;
  bufferedAmount: number;
};

export type DataConsumerEvents = {
  transportclose: [];
  dataproducerclose: [];
  dataproducerpause: [];
  dataproducerresume: [];
  message: [Buffer, number];
  sctpsendbufferfull: [];
  bufferedamountlow: [number];
  '@close': [];
};

export type DataConsumerObserver = EnhancedEventEmitter<DataConsumerObserverEvents>;

export type DataConsumerObserverEvents = { close: []; pause: []; resume: [] };

export interface DataConsumer<
  DataConsumerAppData extends AppData = AppData,
> extends EnhancedEventEmitter<DataConsumerEvents> {
  get id(): string;
  get dataProducerId(): string;
  get closed(): boolean;
  get type(): DataConsumerType;
  get sctpStreamParameters(): SctpStreamParameters | undefined;
  get label(): string;
  get protocol(): string;
  get paused(): boolean;
  get dataProducerPaused(): boolean;
  get subchannels(): number[];
  get appData(): DataConsumerAppData;
  set appData(appData: DataConsumerAppData);
  get observer(): DataConsumerObserver;
  close(): void;
  /** @private */
  transportClosed(): void;
  dump(): Promise<DataConsumerDump>;
  getStats(): Promise<DataConsumerStat[]>;
  pause(): Promise<void>;
  resume(): Promise<void>;
  setBufferedAmountLowThreshold(threshold: number): Promise<void>;
  getBufferedAmount(): Promise<number>;
  send(message: string | Buffer, ppid?: number): Promise<number>;
  setSubchannels(subchannels: number[]): Promise<void>;
  addSubchannel(subchannel: number): Promise<void>;
  removeSubchannel(subchannel: number): Promise<void>;
}
