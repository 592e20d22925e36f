/**
 * `profile-level-id` of H264 (RFC 6184 8.1): which profiles are the same, and which level an answer states.
 *
 * Knows profiles, constraint flags and levels. Does not know the other parameters of H264. Invariant: a text that is no
 * known profile and level is undefined, never a guess.
 */
import { type ParameterValue, text } from './value';

/** A profile that WebRTC endpoints negotiate. */
export type Profile =
  'constrained-baseline' | 'baseline' | 'main' | 'constrained-high' | 'high' | 'predictive-high-444';

/** What `profile-level-id` says. Levels count in `level_idc` times two, so that 1b has a place between 1 and 1.1. */
export type ProfileLevelId = { profile: Profile; level: number };

/** What counts where the parameter is absent: constrained baseline, level 3.1. */
export const DEFAULT_PROFILE_LEVEL_ID: ProfileLevelId = { profile: 'constrained-baseline', level: 62 };

/** `profile_idc`, bits of `profile_iop` that count, their values, and the profile (RFC 6184 8.1, table 5). */
const PROFILES: readonly (readonly [number, number, number, Profile])[] = [
  [0x42, 0b0100_1111, 0b0100_0000, 'constrained-baseline'],
  [0x4d, 0b1000_1111, 0b1000_0000, 'constrained-baseline'],
  [0x58, 0b1100_1111, 0b1100_0000, 'constrained-baseline'],
  [0x42, 0b0100_1111, 0b0000_0000, 'baseline'],
  [0x58, 0b1100_1111, 0b1000_0000, 'baseline'],
  [0x4d, 0b1010_1111, 0b0000_0000, 'main'],
  [0x64, 0b1111_1111, 0b0000_0000, 'high'],
  [0x64, 0b1111_1111, 0b0000_1100, 'constrained-high'],
  [0xf4, 0b1111_1111, 0b0000_0000, 'predictive-high-444'],
];

/** `level_idc` of all levels but 1b. */
const LEVELS: readonly number[] = [10, 11, 12, 13, 20, 21, 22, 30, 31, 32, 40, 41, 42, 50, 51, 52];

/** With `level_idc` 11: level 1b instead of 1.1 (constraint_set3_flag). */
const LEVEL_1B_FLAG = 0x10;
const LEVEL_1B = 21;

const PREFIXES: Readonly<Record<Profile, string>> = {
  'constrained-baseline': '42e0',
  baseline: '4200',
  main: '4d00',
  'constrained-high': '640c',
  high: '6400',
  'predictive-high-444': 'f400',
};

const TEXTS_1B: Readonly<Partial<Record<Profile, string>>> = {
  'constrained-baseline': '42f00b',
  baseline: '42100b',
  main: '4d100b',
};

/** Reads six hexadecimal digits, which may be a number when all of them are decimal. */
export function parseProfileLevelId(value: ParameterValue): ProfileLevelId | undefined {
  const match = /^([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(text(value));
  if (!match) {
    return undefined;
  }
  const [idc, iop, levelIdc] = match.slice(1).map((digits) => Number.parseInt(digits, 16)) as [
    number,
    number,
    number,
  ];
  const row = PROFILES.find(([profileIdc, mask, bits]) => profileIdc === idc && (iop & mask) === bits);
  const level = levelOf(levelIdc, iop);
  return row && level !== undefined ? { profile: row[3], level } : undefined;
}

/** Six digits; undefined where the profile has no level 1b. */
export function profileLevelIdText({ profile, level }: ProfileLevelId): string | undefined {
  if (level === LEVEL_1B) {
    return TEXTS_1B[profile];
  }
  return PREFIXES[profile] + (level / 2).toString(16).padStart(2, '0');
}

function levelOf(levelIdc: number, iop: number): number | undefined {
  if (levelIdc === 11 && (iop & LEVEL_1B_FLAG) !== 0) {
    return LEVEL_1B;
  }
  return LEVELS.includes(levelIdc) ? levelIdc * 2 : undefined;
}
