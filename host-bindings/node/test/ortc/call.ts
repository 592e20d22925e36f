/**
 * Calls a function of negotiation by the name that it has in `protocol/vectors/ortc.md`, through the package's public
 * names. Knows both sets of names. Does not know what comes out.
 */
import { errors, getSupportedRtpCapabilities, ortc, parseScalabilityMode } from 'tidegate';

const { UnsupportedError } = errors;

/** The arguments of one call, by name. They may be anything: the type checker cannot know, the functions must. */
export type Input = Record<
  | 'consumableRtpParameters'
  | 'firstMappedSsrc'
  | 'kind'
  | 'mediaCodecs'
  | 'options'
  | 'routerRtpCapabilities'
  | 'rtpCapabilities'
  | 'rtpMapping'
  | 'rtpParameters'
  | 'scalabilityMode',
  never
>;

/** What came out; `field` only where the refusal names one. */
export type Outcome = { output: unknown } | { error: { kind: string; field: string | undefined } };

/** Calls a function; whatever is thrown but the two classes of refusals is a fault and goes on. */
export function evaluate(name: string, input: Input): Outcome {
  try {
    return { output: call(name, input) };
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof UnsupportedError) || !('field' in error)) {
      throw error;
    }
    const field = String(error.field);
    if (!error.message.startsWith(`${field}: `) || error.message.length < field.length + 10) {
      throw new Error(`a refusal must begin with its field and be a sentence: ${error.message}`, {
        cause: error,
      });
    }
    return { error: { kind: error instanceof UnsupportedError ? 'Unsupported' : 'InvalidArgument', field } };
  }
}

function call(name: string, input: Input): unknown {
  const { kind, rtpParameters, routerRtpCapabilities, rtpCapabilities, consumableRtpParameters, options } =
    input;
  switch (name) {
    case 'supportedRtpCapabilities':
      return getSupportedRtpCapabilities();
    case 'routerRtpCapabilities':
      return ortc.generateRouterRtpCapabilities(input.mediaCodecs);
    case 'validateRtpCapabilities':
      ortc.validateAndNormalizeRtpCapabilities(structuredClone(rtpCapabilities));
      return null;
    case 'validateRtpParameters':
      ortc.validateAndNormalizeRtpParameters(structuredClone(rtpParameters), kind);
      return null;
    case 'producerMapping': {
      const { firstMappedSsrc } = input;
      return ortc.getProducerRtpParametersMapping(rtpParameters, routerRtpCapabilities, {
        kind,
        firstMappedSsrc,
      });
    }
    case 'consumableRtpParameters':
      return ortc.getConsumableRtpParameters(kind, rtpParameters, routerRtpCapabilities, input.rtpMapping);
    case 'canConsume':
      return ortc.canConsume(consumableRtpParameters, rtpCapabilities);
    case 'consumerRtpParameters': {
      const choice = choices(options, 'ssrc');
      const pipe = choice.rtxSsrc !== undefined && choice.rtxSsrc !== null;
      const remoteRtpCapabilities = rtpCapabilities;
      return ortc.getConsumerRtpParameters({
        consumableRtpParameters,
        remoteRtpCapabilities,
        pipe,
        ...choice,
      } as never);
    }
    case 'pipeConsumerRtpParameters': {
      const choice = choices(options, 'ssrc', 'rtxSsrc');
      return ortc.getPipeConsumerRtpParameters({ consumableRtpParameters, ...choice } as never);
    }
    case 'parseScalabilityMode':
      return parseScalabilityMode(input.scalabilityMode);
    default:
      throw new Error(`no function ${name}`);
  }
}

/** What a host decides. In the vectors it decides all of it; here SSRCs that it leaves open would be random. */
function choices(options: unknown, ...required: string[]): Record<string, unknown> {
  const choice = Object(options) as Record<string, unknown>;
  const missing = required.find((name) => choice[name] === undefined || choice[name] === null);
  if (missing !== undefined) {
    const field = `options.${missing}`;
    throw Object.assign(new TypeError(`${field}: it is not given`), { field });
  }
  return choice;
}
