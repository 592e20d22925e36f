/**
 * One format parameter's value: a number or a text, and what JavaScript may say for it.
 *
 * Knows how values are read, compared and written. Does not know parameters. Invariant: a number that was read is
 * whole and fits 64 bits.
 */
import { invalid } from './error';

/** A format parameter's value. */
export type ParameterValue = number | string;

/** Format parameters by name. */
export type Parameters = Record<string, ParameterValue>;

/** The parameter of this name, if it is there (an object's prototype has none). */
export function parameter(parameters: Readonly<Parameters>, name: string): ParameterValue | undefined {
  return Object.hasOwn(parameters, name) ? parameters[name] : undefined;
}

/**
 * What a line of SDP would hold: `true` is 1 and `false` 0; a number that is not whole, or beyond 64 bits, is its
 * decimal text; `null` and `undefined` are the empty text.
 */
export function readValue(value: unknown, field: string): ParameterValue {
  switch (typeof value) {
    case 'string':
      return wellFormed(value, field);
    case 'number':
      return fromNumber(value, field);
    case 'boolean':
      return value ? 1 : 0;
    case 'undefined':
      return '';
    default:
      if (value === null) {
        return '';
      }
      throw invalid(
        field,
        `a codec parameter is a number or a text, not ${nameOf(value)}; give what a line of SDP would hold`,
      );
  }
}

/** The whole number as decimal digits without leading zeros, whether it was given as a number or as digits. */
export function digits(value: ParameterValue | undefined): string | undefined {
  if (typeof value === 'number') {
    return String(value);
  }
  if (value === undefined || !/^[+-]?[0-9]+$/.test(value)) {
    return undefined;
  }
  const number = BigInt(value.startsWith('+') ? value.slice(1) : value);
  return number === BigInt.asIntN(64, number) ? number.toString() : undefined;
}

/** The whole number, whether it was given as a number or as digits. Beyond 2^53 it is rounded. */
export function number(value: ParameterValue | undefined): number | undefined {
  const text = digits(value);
  return text === undefined ? undefined : Number(text);
}

/** The text that a line of SDP would hold. */
export function text(value: ParameterValue): string {
  return String(value);
}

/** Refuses a text that has no UTF-8 (a half of a surrogate pair). */
export function wellFormed(value: string, field: string): string {
  if (/\p{Surrogate}/u.test(value)) {
    throw invalid(
      field,
      'the text has half a surrogate pair, which is no character; give it as UTF-8 can hold it',
    );
  }
  return value;
}

/** What a wrong value is, for a sentence. */
export function nameOf(value: unknown): string {
  if (value === null || value === undefined) {
    return String(value);
  }
  if (Array.isArray(value)) {
    return 'a list';
  }
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

/** 2^63: whole numbers from here on (and below its negative) are texts. */
const WHOLE_MAX = 9_223_372_036_854_775_808;

function fromNumber(value: number, field: string): ParameterValue {
  if (!Number.isFinite(value)) {
    throw invalid(field, 'the number is not finite; give a number or a text that a line of SDP can hold');
  }
  if (Number.isInteger(value) && value >= -WHOLE_MAX && value < WHOLE_MAX) {
    return value || 0; // Not -0.
  }
  return decimal(value);
}

/** All digits of a number, where JavaScript would write an exponent. */
function decimal(value: number): string {
  const [mantissa = '', exponent] = String(value).split('e');
  if (exponent === undefined) {
    return mantissa;
  }
  const sign = mantissa.startsWith('-') ? '-' : '';
  const [whole = '', fraction = ''] = mantissa.replace('-', '').split('.');
  const point = whole.length + Number(exponent);
  const all = whole + fraction;
  if (point <= 0) {
    return `${sign}0.${'0'.repeat(-point)}${all}`;
  }
  return sign + all.padEnd(point, '0');
}
