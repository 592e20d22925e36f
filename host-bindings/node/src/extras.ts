export { EnhancedEventEmitter, enhancedOnce } from './emitter';
