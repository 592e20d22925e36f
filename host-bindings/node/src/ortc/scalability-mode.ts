/**
 * Scalability modes: how many layers one stream has, read from texts like `L3T3_KEY`.
 *
 * Knows the grammar of W3C's "Scalable Video Coding (SVC) Extension for WebRTC" as far as layers go. Does not know
 * codecs. Invariant: layer counts are 1 to 99.
 */

/** Layers of one stream. */
export type ScalabilityMode = {
  /** Spatial layers, 1 to 99. */
  spatialLayers: number;
  /** Temporal layers, 1 to 99. */
  temporalLayers: number;
  /** Whether spatial layers depend on each other at key frames only (K-SVC). */
  ksvc: boolean;
};

/**
 * Reads `L` or `S`, spatial layers, `T`, temporal layers, and `_KEY` or not.
 *
 * Tolerant, as in the field: a text that does not begin so (an empty or absent one too) means one layer, and what
 * follows (`h` of `L2T1h`, an unknown suffix) is not looked at.
 */
export function parseScalabilityMode(scalabilityMode?: string): ScalabilityMode {
  const match = /^[LS]([1-9][0-9]?)T([1-9][0-9]?)(_KEY)?/.exec(scalabilityMode ?? '');
  if (!match) {
    return { spatialLayers: 1, temporalLayers: 1, ksvc: false };
  }
  return { spatialLayers: Number(match[1]), temporalLayers: Number(match[2]), ksvc: match[3] !== undefined };
}
