/**
 * Texts and lists as the wire limits them: bytes of UTF-8, and case of ASCII only.
 *
 * Knows how Rust measures and compares. Does not know fields.
 */
import { invalid } from './error';

/** Bytes of `text` in UTF-8. */
export function bytes(text: string): number {
  return Buffer.byteLength(text, 'utf8');
}

/** Lower case of ASCII letters; other letters stay, so that `K` (U+212A) is no `k`. */
export function lower(text: string): string {
  return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

/** Whether two texts differ in the case of ASCII letters at most. */
export function sameName(one: string, another: string): boolean {
  return one === another || lower(one) === lower(another);
}

/** As much of `text` as `max` bytes hold, cut at a character's edge. */
export function clipped(text: string, max: number): string {
  let clip = '';
  let used = 0;
  for (const character of text) {
    used += bytes(character);
    if (used > max) {
      break;
    }
    clip += character;
  }
  return clip;
}

/** The names of `parameters` in the order of their UTF-8 bytes: whichever refusal comes first, comes first everywhere. */
export function sortedNames(parameters: Readonly<Record<string, unknown>>): string[] {
  const names = Object.keys(parameters);
  return names.length < 2 ? names : names.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

/** Refuses a list with more than `max` elements, or a text with more than `max` bytes. */
export function checkLength(given: number, max: number, field: string): void {
  if (given > max) {
    throw invalid(field, `${given} given where at most ${max} are allowed; shorten it`);
  }
}

/** Refuses a text that is longer than the wire takes. */
export function checkText(text: string | undefined, max: number, field: string): void {
  if (text !== undefined) {
    checkLength(bytes(text), max, field);
  }
}
