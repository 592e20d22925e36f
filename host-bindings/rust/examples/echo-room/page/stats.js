// What the browser measures of one stream: from growing counters to what people read.

export class StreamMeter {
  #source;
  #looks = [];

  // `source` has getStats(): a producer or a consumer.
  constructor(source) {
    this.#source = source;
  }

  // { width, height, fps, bitrate, lossPercent, rttMs, level }; null where nothing is known.
  async read() {
    const stats = [...(await this.#source.getStats()).values()];
    const received = stats.find(({ type }) => type === "inbound-rtp");
    const sent = stats.find(({ type }) => type === "outbound-rtp");
    const stream = received ?? sent;
    if (!stream) return null;
    const answered = stats.find(({ type }) => type === "remote-inbound-rtp");
    const bytes = stream.bytesReceived ?? stream.bytesSent;
    this.#looks.push({ at: stream.timestamp, bytes, lost: stream.packetsLost ?? 0, packets: stream.packetsReceived ?? 0 });
    if (this.#looks.length > LOOKS) this.#looks.shift();
    const source = stats.find(({ type }) => type === "media-source");
    return {
      width: stream.frameWidth ?? null,
      height: stream.frameHeight ?? null,
      fps: stream.kind === "video" ? stream.framesPerSecond ?? 0 : null,
      bitrate: this.#bitrate(),
      lossPercent: received ? this.#loss() : percent(answered?.fractionLost),
      rttMs: milliseconds(answered?.roundTripTime ?? selectedPair(stats)?.currentRoundTripTime),
      level: stream.audioLevel ?? source?.audioLevel ?? null,
    };
  }

  #bitrate() {
    const [last, before] = [this.#looks.at(-1), this.#looks.at(-2)];
    if (!before || last.at <= before.at) return null;
    return Math.max(0, (last.bytes - before.bytes) * 8_000 / (last.at - before.at));
  }

  #loss() {
    const [first, last] = [this.#looks[0], this.#looks.at(-1)];
    const lost = Math.max(0, last.lost - first.lost);
    const all = lost + last.packets - first.packets;
    return all > 0 ? (100 * lost) / all : null;
  }
}

function selectedPair(stats) {
  const { selectedCandidatePairId } = stats.find(({ type }) => type === "transport") ?? {};
  return stats.find(({ id, type, selected }) => type === "candidate-pair" && (id === selectedCandidatePairId || selected));
}

const percent = (fraction) => (fraction === undefined ? null : fraction * 100);
const milliseconds = (seconds) => (seconds === undefined ? null : seconds * 1_000);
// Loss is of the last so many seconds.
const LOOKS = 5;

export function bitrateText(bitsPerSecond) {
  if (bitsPerSecond === null) return "–";
  if (bitsPerSecond >= 999_500) return `${(bitsPerSecond / 1e6).toFixed(2)} Mb/s`;
  return `${Math.round(bitsPerSecond / 1e3)} kb/s`;
}

export const numberText = (value, digits, unit) => (value === null || value === undefined ? "–" : `${value.toFixed(digits)}${unit}`);

export function timeText(ms) {
  if (ms === null) return "–";
  if (ms >= 1_000) return `${(ms / 1_000).toFixed(1)} s`;
  return `${ms.toFixed(ms >= 10 ? 0 : 1)} ms`;
}
