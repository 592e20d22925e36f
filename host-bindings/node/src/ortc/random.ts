/** Random SSRCs. Not secret, only unlikely to meet another's. */
import { randomInt } from 'node:crypto';

const SSRC_MIN = 100_000_000;
/** The first that is not chosen; room for streams that count up is left below it. */
const SSRC_END = 1_000_000_000;

/** The first of `count` SSRCs in a row. */
export function randomSsrc(count: number): number {
  return randomInt(SSRC_MIN, SSRC_END - count);
}

/** The first of `count` SSRCs in a row, none of which is one of the `count` from `other` on. */
export function randomSsrcBeside(other: number, count: number): number {
  for (;;) {
    const ssrc = randomSsrc(count);
    if (Math.abs(ssrc - other) >= count) {
      return ssrc;
    }
  }
}
