// The energy of a track's sound as WebRTC's `totalAudioEnergy` counts it: the square of the loudest sample of each
// stretch, times its length in seconds. For browsers that do not measure what they send.

export class Loudness {
  energy = 0;

  constructor(track) {
    const context = new AudioContext();
    const analyser = context.createAnalyser();
    analyser.fftSize = 2048;
    context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    let last = context.currentTime;
    setInterval(() => {
      analyser.getFloatTimeDomainData(samples);
      const peak = samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
      const now = context.currentTime;
      this.energy += peak * peak * (now - last);
      last = now;
    }, EVERY_MS);
  }
}

const EVERY_MS = 20;
