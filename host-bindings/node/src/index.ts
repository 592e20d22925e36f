export type * as types from './types';
export * as ortc from './ortc';
export { parseScalabilityMode } from './ortc/scalability-mode';
export { getSupportedRtpCapabilities } from './ortc/supported';
export * as errors from './errors';
export * as extras from './extras';
export { version } from './version';
