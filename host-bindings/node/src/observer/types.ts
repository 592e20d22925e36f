import type { EnhancedEventEmitter } from '../emitter';
import type { Producer } from '../media/producer-types';
import type { AppData } from '../types';

export type RtpObserverType = 'audiolevel' | 'activespeaker';

/** Which producer an observer is to watch, or no longer. */
export type RtpObserverAddRemoveProducerOptions = { producerId: string };

export type RtpObserverEvents = {
  routerclose: [];
  '@close': [];
};

export type RtpObserverObserver = EnhancedEventEmitter<RtpObserverObserverEvents>;

export type RtpObserverObserverEvents = {
  close: [];
  pause: [];
  resume: [];
  addproducer: [Producer];
  removeproducer: [Producer];
};

/** Tells something about audio producers of a router. */
export interface RtpObserver<
  RtpObserverAppData extends AppData = AppData,
  Events extends RtpObserverEvents = RtpObserverEvents,
  Observer extends RtpObserverObserver = RtpObserverObserver,
> extends EnhancedEventEmitter<Events> {
  get id(): string;
  get closed(): boolean;
  get type(): RtpObserverType;
  get paused(): boolean;
  get appData(): RtpObserverAppData;
  set appData(appData: RtpObserverAppData);
  get observer(): Observer;
  /** Closes it. Effective at once; the worker follows. */
  close(): void;
  /** @private */
  routerClosed(): void;
  /** Tells nothing until resumed. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** An audio producer of the same router. */
  addProducer(options: RtpObserverAddRemoveProducerOptions): Promise<void>;
  removeProducer(options: RtpObserverAddRemoveProducerOptions): Promise<void>;
}

export type AudioLevelObserverOptions<AudioLevelObserverAppData extends AppData = AppData> = {
  /** How many of the loudest producers are told at most. Default 1. */
  maxEntries?: number;
  /** Mean level in dBov below which a producer counts as silent, -127 to 0. Default -80. */
  threshold?: number;
  /** Milliseconds between two events, 250 to 5,000. Default 1,000. */
  interval?: number;
  appData?: AudioLevelObserverAppData;
};

export type AudioLevelObserverVolume = {
  producer: Producer;
  /** Mean dBov of the last interval, -127 (silence) to 0 (loudest). */
  volume: number;
};

export type AudioLevelObserverEvents = RtpObserverEvents & {
  /** Loudest first. */
  volumes: [AudioLevelObserverVolume[]];
  silence: [];
};

export type AudioLevelObserverObserver = EnhancedEventEmitter<AudioLevelObserverObserverEvents>;

export type AudioLevelObserverObserverEvents = RtpObserverObserverEvents & {
  volumes: [AudioLevelObserverVolume[]];
  silence: [];
};

/** Tells which audio producers are loud. */
export interface AudioLevelObserver<AudioLevelObserverAppData extends AppData = AppData> extends RtpObserver<
  AudioLevelObserverAppData,
  AudioLevelObserverEvents,
  AudioLevelObserverObserver
> {
  get type(): 'audiolevel';
  get observer(): AudioLevelObserverObserver;
}

export type ActiveSpeakerObserverOptions<ActiveSpeakerObserverAppData extends AppData = AppData> = {
  /** Milliseconds between two decisions, 100 to 5,000. Default 300. */
  interval?: number;
  appData?: ActiveSpeakerObserverAppData;
};

export type ActiveSpeakerObserverDominantSpeaker = { producer: Producer };

export type ActiveSpeakerObserverEvents = RtpObserverEvents & {
  dominantspeaker: [ActiveSpeakerObserverDominantSpeaker];
};

export type ActiveSpeakerObserverObserver = EnhancedEventEmitter<ActiveSpeakerObserverObserverEvents>;

export type ActiveSpeakerObserverObserverEvents = RtpObserverObserverEvents & {
  dominantspeaker: [ActiveSpeakerObserverDominantSpeaker];
};

/** Tells who leads the conversation. */
export interface ActiveSpeakerObserver<
  ActiveSpeakerObserverAppData extends AppData = AppData,
> extends RtpObserver<
  ActiveSpeakerObserverAppData,
  ActiveSpeakerObserverEvents,
  ActiveSpeakerObserverObserver
> {
  get type(): 'activespeaker';
  get observer(): ActiveSpeakerObserverObserver;
}
