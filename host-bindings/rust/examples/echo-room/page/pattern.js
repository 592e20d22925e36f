// A moving picture and a sound for whoever has no camera or microphone.
//
// The picture is a colour of the visitor's own, a dial that turns once in four seconds, and a running number.

export function openPattern() {
  return new Pattern();
}

class Pattern {
  // Degrees on the colour wheel, far enough from the next visitor's to tell them apart most of the time.
  hue = Math.floor(Math.random() * 24) * 15;
  #canvas = Object.assign(document.createElement("canvas"), { width: 640, height: 360 });
  #ticker = null;
  #frames = 0;
  #context = null;
  #beeps = null;

  picture() {
    this.#draw();
    this.#ticker ??= new Worker("/page/ticker.js");
    this.#ticker.onmessage = () => this.#draw();
    return this.#canvas.captureStream().getVideoTracks()[0];
  }

  sound() {
    this.#context ??= new AudioContext();
    this.#context.resume();
    const gain = this.#context.createGain();
    gain.gain.value = 0;
    const tone = this.#context.createOscillator();
    tone.frequency.value = 330 + this.hue;
    tone.connect(gain);
    const out = this.#context.createMediaStreamDestination();
    gain.connect(out);
    tone.start();
    const beep = () => {
      const now = this.#context.currentTime;
      gain.gain.setTargetAtTime(LOUDNESS, now, 0.02);
      gain.gain.setTargetAtTime(0, now + 0.35, 0.05);
    };
    beep();
    this.#beeps = setInterval(beep, 1_000);
    return out.stream.getAudioTracks()[0];
  }

  close() {
    this.#ticker?.terminate();
    clearInterval(this.#beeps);
    this.#context?.close();
  }

  #draw() {
    const { width, height } = this.#canvas;
    const pen = this.#canvas.getContext("2d", { alpha: false });
    this.#frames += 1;
    const turn = (performance.now() / 4_000) % 1;
    pen.fillStyle = `hsl(${this.hue} 70% 45%)`;
    pen.fillRect(0, 0, width, height);
    pen.fillStyle = `hsl(${this.hue} 75% 62%)`;
    pen.fillRect(((turn * 2) % 1) * (width + 80) - 80, 0, 80, height);
    const [x, y, radius] = [width / 2, height / 2, 90];
    pen.lineWidth = 14;
    pen.strokeStyle = "rgb(255 255 255 / 35%)";
    pen.beginPath();
    pen.arc(x, y, radius, 0, 2 * Math.PI);
    pen.stroke();
    pen.strokeStyle = "#fff";
    pen.beginPath();
    pen.arc(x, y, radius, (turn - 0.35) * 2 * Math.PI, turn * 2 * Math.PI);
    pen.stroke();
    pen.fillStyle = "#fff";
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.font = "600 40px system-ui, sans-serif";
    pen.fillText(String(this.#frames), x, y);
    pen.font = "20px system-ui, sans-serif";
    pen.fillText(`test pattern, ${new Date().toLocaleTimeString()}`, x, height - 28);
  }
}

const LOUDNESS = 0.12;
