/**
 * RED (RFC 2198) in negotiation: audio packets that repeat what earlier ones held, each block with a payload type.
 *
 * Knows which codecs RED's blocks may have, the forms in which SDP libraries hand on their list, and that a router's RED
 * carries Opus. Does not know packets: where payload types differ, the worker writes the router's into the blocks.
 * Invariant: the blocks' payload types are those of codecs that are in the same list as RED.
 */
import { type Codec, type CodecCapability, type CodecParameters, isMedia, isRed } from './dictionary';
import { invalid } from './error';
import { sameName, sortedNames } from './text';
import { type Parameters, text } from './value';

/** Most blocks of a packet. RFC 2198 sets no limit; receivers in the field take this many. */
const BLOCKS_MAX = 32;

/** The name of RED's parameter, of which SDP knows the value only (`a=fmtp:63 111/111`). */
const PARAMETER = '';

/** What is wrong with a list of blocks, as a sentence. */
export class NotBlocks {
  constructor(readonly message: string) {}
}

/**
 * The payload types that `red`, one of `all`, has in its blocks: those that it lists, each a codec's of RED's clock
 * rate, for blocks count time by the packet's clock. Without a list, the first such codec's: new, and once again.
 */
export function blockPayloadTypes(
  red: CodecParameters,
  all: readonly CodecParameters[],
): number[] | NotBlocks {
  const carried = all.filter((codec) => isMedia(codec) && !isRed(codec) && codec.clockRate === red.clockRate);
  const listed = listOf(red.parameters);
  if (listed instanceof NotBlocks) {
    return listed;
  }
  if (!listed) {
    const first = carried[0]?.payloadType;
    return first === undefined
      ? new NotBlocks(
          'RED has no codec of its clock rate to carry; give that one too, with a payload type of its own',
        )
      : [first, first];
  }
  const known = new Set(carried.map((codec) => codec.payloadType));
  const unknown = listed.find((payloadType) => !known.has(payloadType));
  return unknown === undefined
    ? listed
    : new NotBlocks(
        `payload type ${unknown} of RED's blocks is no other codec's of its clock rate; list that codec too`,
      );
}

/** RED's parameters with these payload types. */
export function redParameters(payloadTypes: readonly number[]): Parameters {
  return { [PARAMETER]: payloadTypes.join('/') };
}

/** Lets the RED of a router carry its Opus, once each had a payload type. `wanted` are the media codecs asked for. */
export function carryOpus(codecs: readonly CodecCapability[], wanted: readonly Codec[]): void {
  const index = wanted.findIndex(isRed);
  if (index < 0) {
    return;
  }
  const payloadType = codecs.find((codec) => sameName(codec.mimeType, 'audio/opus'))?.preferredPayloadType;
  if (payloadType === undefined) {
    throw invalid(
      `mediaCodecs[${index}]`,
      'audio/red carries audio/opus, which the router does not have; add it to mediaCodecs',
    );
  }
  for (const red of codecs.filter(isRed)) {
    red.parameters = redParameters([payloadType, payloadType]);
  }
}

/**
 * The payload types that parameters list, the newest block's first; undefined where they list none. The list is the
 * value of the parameter without a name, or itself the name of one without a value: libraries that expect `name=value`
 * read `111/111` so.
 */
function listOf(parameters: Readonly<Parameters>): number[] | NotBlocks | undefined {
  const name = sortedNames(parameters).find((name) => name === PARAMETER || /^[0-9/]*\/[0-9/]*$/.test(name));
  if (name === undefined) {
    return undefined;
  }
  return readList(name === PARAMETER ? text(parameters[name] ?? '') : name);
}

function readList(list: string): number[] | NotBlocks {
  // One more than fits is enough to know.
  const parts = list.split('/', BLOCKS_MAX + 1);
  const isPayloadType = (part: string) => /^\+?[0-9]+$/.test(part) && Number(part) <= 127;
  if (parts.length > BLOCKS_MAX || !parts.every(isPayloadType)) {
    return new NotBlocks(
      `"" must be 1 to ${BLOCKS_MAX} payload types with slashes between them, for example "111/111"`,
    );
  }
  return parts.map(Number);
}
