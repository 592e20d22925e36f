// The real worker for tests: built by cargo, closed at the end of each test.
import type { TestContext } from 'node:test';
import { createWorker, type types } from 'tidegate';
import { built } from './repository.js';

/** The worker program. */
export const program = built('tidegate-worker');

/** A worker that is closed when the test ends. */
export async function worker(t: TestContext, settings: types.WorkerSettings = {}): Promise<types.Worker> {
  const made = await createWorker({ workerBin: program, ...settings });
  t.after(async () => {
    made.close();
    await gone(made);
  });
  return made;
}

/** Resolves when the worker's process is gone. */
export async function gone(made: types.Worker): Promise<void> {
  if (!made.subprocessClosed) {
    await new Promise<void>((resolve) => {
      made.once('subprocessclose', resolve);
    });
  }
}

export const mediaCodecs: types.RouterRtpCodecCapability[] = [
  { kind: 'audio', mimeType: 'audio/opus', clockRate: 48_000, channels: 2 },
  { kind: 'video', mimeType: 'video/VP8', clockRate: 90_000 },
];

export const loopback: types.TransportListenInfo = { protocol: 'udp', ip: '127.0.0.1' };

/** An audio producer's options; each `ssrc` once a transport. */
export function audio(ssrc = 1111): types.ProducerOptions {
  return {
    kind: 'audio',
    rtpParameters: {
      codecs: [{ mimeType: 'audio/opus', payloadType: 101, clockRate: 48_000, channels: 2 }],
      headerExtensions: [{ uri: 'urn:ietf:params:rtp-hdrext:ssrc-audio-level', id: 1 }],
      encodings: [{ ssrc }],
    },
  };
}

/** A VP8 producer's options. */
export function video(ssrc = 2222): types.ProducerOptions {
  return {
    kind: 'video',
    rtpParameters: {
      codecs: [
        {
          mimeType: 'video/VP8',
          payloadType: 102,
          clockRate: 90_000,
          rtcpFeedback: [{ type: 'nack' }, { type: 'nack', parameter: 'pli' }],
        },
      ],
      encodings: [{ ssrc }],
    },
  };
}

/** A router with two plain transports: one that produces, one that consumes. */
export async function stage(made: types.Worker) {
  const router = await made.createRouter({ mediaCodecs });
  const sending = await router.createPlainTransport({ listenInfo: loopback, comedia: true });
  const receiving = await router.createPlainTransport({ listenInfo: loopback });
  return { router, sending, receiving };
}

/** Records what an emitter emits, by name, into one list in order. */
export function record(
  into: string[],
  name: string,
  emitter: { on: (event: never, listener: () => void) => unknown },
  ...events: string[]
): void {
  for (const event of events) {
    (emitter.on as (event: string, listener: () => void) => unknown).call(emitter, event, () => {
      into.push(`${name} ${event}`);
    });
  }
}

/** Waits until `condition` holds. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) {
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
