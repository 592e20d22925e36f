/** Where the repository is, for tests that hold this package equal to its other parts. */
import path from 'node:path';

/** The repository's root: compiled tests are in `host-bindings/node/out`. */
export const repository = path.resolve(import.meta.dirname, '../../..');
