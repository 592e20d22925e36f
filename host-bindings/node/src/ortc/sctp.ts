/**
 * Parameters of one SCTP stream, as mediasoup's data producers have them.
 *
 * Knows fields, ranges and what excludes what (RFC 8831 6.1). Does not know associations.
 */
import { flag, object } from './dictionary';
import { invalid } from './error';
import { nameOf } from './value';

/** SCTP parameters of a data channel. */
export type SctpStreamParameters = {
  /** Its stream, 0 to 65534. */
  streamId: number;
  /** Whether messages arrive in the order in which they were sent. Default true, false where reliability is partial. */
  ordered?: boolean;
  /** Milliseconds after which a message is given up, 0 to 65535. Excludes `maxRetransmits`. */
  maxPacketLifeTime?: number;
  /** How often a message is sent again, 0 to 65535. Excludes `maxPacketLifeTime`. */
  maxRetransmits?: number;
};

/** Checks stream parameters and writes `ordered` into them where it is absent. */
export function normalizeSctpStreamParameters(params: unknown): void {
  const root = 'sctpStreamParameters';
  const given = object(params, root);
  range(given.streamId, 65_534, `${root}.streamId`);
  const ordered = given.ordered === undefined ? undefined : flag(given.ordered, `${root}.ordered`);
  // 0 excludes nothing, as in the field: a life time or a count of 0 is a message that is sent once, ordered or not.
  const lifeTime = optionalRange(given.maxPacketLifeTime, `${root}.maxPacketLifeTime`);
  const retransmits = optionalRange(given.maxRetransmits, `${root}.maxRetransmits`);
  if (lifeTime && retransmits) {
    throw invalid(`${root}.maxRetransmits`, 'it excludes maxPacketLifeTime; give one of the two');
  }
  const isPartial = Boolean(lifeTime || retransmits);
  if (ordered && isPartial) {
    throw invalid(
      `${root}.ordered`,
      'messages that may be given up are not ordered; leave out maxPacketLifeTime and maxRetransmits, or do not order',
    );
  }
  given.ordered = ordered ?? !isPartial;
}

function optionalRange(value: unknown, field: string): number | undefined {
  return value === undefined ? undefined : range(value, 65_535, field);
}

function range(value: unknown, max: number, field: string): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= max) {
    return value;
  }
  const what = typeof value === 'number' ? String(value) : nameOf(value);
  throw invalid(field, `a whole number from 0 to ${max} is wanted, not ${what}; give one`);
}
