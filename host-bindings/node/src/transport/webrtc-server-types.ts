import type { EnhancedEventEmitter } from '../emitter';
import type { AppData } from '../types';
import type { TransportListenInfo } from './types';
import type { WebRtcTransport } from './webrtc-types';

export type WebRtcServerOptions<WebRtcServerAppData extends AppData = AppData> = {
  /** One UDP or TCP port each; at least one. */
  listenInfos: TransportListenInfo[];
  appData?: WebRtcServerAppData;
};

/** @deprecated Use `TransportListenInfo` instead. */
export type WebRtcServerListenInfo = TransportListenInfo;

export type IpPort = { ip: string; port: number };

export type IceUserNameFragment = {
  localIceUsernameFragment: string;
  webRtcTransportId: string;
};

export type WebRtcServerDump = {
  id: string;
  udpSockets: IpPort[];
  tcpServers: IpPort[];
  webRtcTransportIds: string[];
  localIceUsernameFragments: IceUserNameFragment[];
};

export type WebRtcServerEvents = {
  workerclose: [];
  '@close': [];
};

export type WebRtcServerObserver = EnhancedEventEmitter<WebRtcServerObserverEvents>;

export type WebRtcServerObserverEvents = {
  close: [];
  webrtctransporthandled: [WebRtcTransport];
  webrtctransportunhandled: [WebRtcTransport];
};

/** Ports that all WebRTC transports of a worker can share. */
export interface WebRtcServer<
  WebRtcServerAppData extends AppData = AppData,
> extends EnhancedEventEmitter<WebRtcServerEvents> {
  get id(): string;
  get closed(): boolean;
  get appData(): WebRtcServerAppData;
  set appData(appData: WebRtcServerAppData);
  get observer(): WebRtcServerObserver;
  /** Closes it and the transports on it. Effective at once; the worker follows. */
  close(): void;
  /** @private */
  workerClosed(): void;
  dump(): Promise<WebRtcServerDump>;
  /** @private */
  handleWebRtcTransport(webRtcTransport: WebRtcTransport): void;
}
