/**
 * Whether two codecs are the same, and with which parameters both agree.
 *
 * Knows the parameters that decide: multiopus streams; H264 packetization mode, profile and level; VP9 profile; H265
 * profile, tier and transmission mode; AV1 profile and tier. Does not know payload types or feedback. Invariant:
 * symmetric, but for the level of an answer.
 */
import type { Codec } from './dictionary';
import {
  DEFAULT_PROFILE_LEVEL_ID,
  parseProfileLevelId,
  profileLevelIdText,
  type ProfileLevelId,
} from './h264';
import { kindOf } from './mime';
import { sameName } from './text';
import { digits, number, parameter, type Parameters, text } from './value';

const PROFILE_LEVEL_ID = 'profile-level-id';

/** Parameters that must be equal, each with the value of one that is absent (undefined: absent is a value of its own). */
type Deciding = readonly (readonly [name: string, absent: number | undefined])[];

const MULTIOPUS: Deciding = [
  ['num_streams', undefined],
  ['coupled_streams', undefined],
];
/** RFC 6184 8.1: packetization mode 0 when absent. */
const H264: Deciding = [['packetization-mode', 0]];
const VP9: Deciding = [['profile-id', 0]];
/** RFC 7798 7.1. Levels may differ. */
const H265: Deciding = [
  ['profile-space', 0],
  ['profile-id', 1],
  ['tier-flag', 0],
];
/** AV1's RTP payload format, 7.2. Levels may differ. */
const AV1: Deciding = [
  ['profile', 0],
  ['tier', 0],
];

/** Whether both are the same codec, whatever its profile: enough for a router's wish. */
export function isSameCodec(one: Codec, another: Codec): boolean {
  return (
    sameName(one.mimeType, another.mimeType) &&
    one.clockRate === another.clockRate &&
    channelsOf(one) === channelsOf(another) &&
    (!is(one, 'audio/multiopus') || agree(one, another, MULTIOPUS))
  );
}

/** Whether what one encodes the other decodes: the same codec in the same profile. */
export function matches(one: Codec, another: Codec): boolean {
  return isSameCodec(one, another) && isSameProfile(one, another);
}

/** The parameters of a producer's codec as agreed with the router's: its own, and a level that both state. */
export function agreedParameters(codec: Codec, router: Codec): Parameters {
  const parameters = { ...codec.parameters };
  if (is(codec, 'video/H264')) {
    const answer = h264Answer(codec, router);
    if (answer !== undefined) {
      parameters[PROFILE_LEVEL_ID] = answer;
    }
  } else if (is(codec, 'video/H265')) {
    lowerOfBoth(parameters, router.parameters, 'level-id');
  } else if (is(codec, 'video/AV1')) {
    lowerOfBoth(parameters, router.parameters, 'level-idx');
  }
  return parameters;
}

/** How many channels count: 1 for audio that does not say, none for video. */
export function channelsOf(codec: Codec): number | undefined {
  return kindOf(codec.mimeType) === 'audio' ? (codec.channels ?? 1) : undefined;
}

function isSameProfile(one: Codec, another: Codec): boolean {
  if (is(one, 'video/H264')) {
    const [profile, other] = [h264Profile(one), h264Profile(another)];
    return agree(one, another, H264) && profile !== undefined && profile.profile === other?.profile;
  }
  if (is(one, 'video/VP9')) {
    return agree(one, another, VP9);
  }
  if (is(one, 'video/H265')) {
    // Transmission over several streams (MRST, MRMT) must be agreed on.
    return agree(one, another, H265) && transmissionMode(one) === transmissionMode(another);
  }
  return !is(one, 'video/AV1') || agree(one, another, AV1);
}

/**
 * RFC 6184 8.2.2: the lower level, unless both allow that levels differ by direction. Nothing where neither states a
 * profile.
 */
function h264Answer(codec: Codec, router: Codec): string | undefined {
  const stated = [codec, router].some(
    ({ parameters }) => parameter(parameters, PROFILE_LEVEL_ID) !== undefined,
  );
  const [own, other] = [h264Profile(codec), h264Profile(router)];
  if (!stated || !own || !other) {
    return undefined;
  }
  const asymmetric = allowsAsymmetry(codec) && allowsAsymmetry(router);
  return profileLevelIdText({ ...own, level: asymmetric ? own.level : Math.min(own.level, other.level) });
}

function h264Profile(codec: Codec): ProfileLevelId | undefined {
  const value = parameter(codec.parameters, PROFILE_LEVEL_ID);
  return value === undefined ? DEFAULT_PROFILE_LEVEL_ID : parseProfileLevelId(value);
}

function allowsAsymmetry(codec: Codec): boolean {
  return number(parameter(codec.parameters, 'level-asymmetry-allowed')) === 1;
}

/** RFC 7798 7.1: a single stream when absent. */
function transmissionMode(codec: Codec): string {
  return text(parameter(codec.parameters, 'tx-mode') ?? 'SRST');
}

function is(codec: Codec, mimeType: string): boolean {
  return sameName(codec.mimeType, mimeType);
}

function agree(one: Codec, another: Codec, parameters: Deciding): boolean {
  return parameters.every(
    ([name, absent]) => canonical(one, name, absent) === canonical(another, name, absent),
  );
}

/** The value as a text that tells numbers from others: digits and the number that they write are the same value. */
function canonical(codec: Codec, name: string, absent: number | undefined): string | undefined {
  const value = parameter(codec.parameters, name) ?? absent;
  if (value === undefined) {
    return undefined;
  }
  const whole = digits(value);
  return whole === undefined ? `text ${value}` : `number ${whole}`;
}

/** Where both state a level, the lower one counts: nobody is promised what the other does not do. */
function lowerOfBoth(parameters: Parameters, other: Parameters, name: string): void {
  const [own, theirs] = [number(parameter(parameters, name)), number(parameter(other, name))];
  if (own !== undefined && theirs !== undefined) {
    parameters[name] = Math.min(own, theirs);
  }
}
