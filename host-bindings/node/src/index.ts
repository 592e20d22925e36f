export type * as types from './types';
export * as errors from './errors';
export * as extras from './extras';
export { version } from './version';
