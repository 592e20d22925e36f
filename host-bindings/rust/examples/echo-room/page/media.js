// What the visitor sends: camera and microphone, or a test pattern for whichever of them is not to be had.
//
// Dispatches `replaced` { kind, track, sentence } when a device goes away.

import { openPattern } from "./pattern.js";
import * as words from "./words.js";

const WISHES = {
  video: { width: { ideal: 960 }, height: { ideal: 540 }, frameRate: { ideal: 30, max: 30 } },
  audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true },
};
const NAMES = { video: "camera", audio: "microphone" };

export class Media extends EventTarget {
  tracks = {};
  // Sentences for the visitor.
  notes = [];
  #pattern = null;

  // "camera" asks for devices, "pattern" does not.
  static async open(choice) {
    const media = new Media();
    if (choice === "camera") await media.#askForDevices();
    for (const kind of ["video", "audio"]) media.tracks[kind] ??= media.#substitute(kind);
    return media;
  }

  // The colour of the test pattern; null when both come from devices.
  get hue() {
    return this.#pattern?.hue ?? null;
  }

  close() {
    for (const track of Object.values(this.tracks)) track.stop();
    this.#pattern?.close();
  }

  async #askForDevices() {
    if (!navigator.mediaDevices?.getUserMedia) {
      this.notes.push(words.INSECURE);
      return;
    }
    try {
      this.#take(await navigator.mediaDevices.getUserMedia(WISHES));
      return;
    } catch (error) {
      if (error.name === "NotAllowedError") {
        this.notes.push(words.ofMedia(error, "camera and microphone"));
        return;
      }
    }
    // One of them may be there.
    const errors = new Map();
    for (const kind of ["video", "audio"]) {
      try {
        this.#take(await navigator.mediaDevices.getUserMedia({ [kind]: WISHES[kind] }));
      } catch (error) {
        errors.set(kind, error);
      }
    }
    const [one, other] = [...errors.values()];
    if (other && one.name === other.name) this.notes.push(words.ofMedia(one, "camera or microphone"));
    else for (const [kind, error] of errors) this.notes.push(words.ofMedia(error, NAMES[kind]));
  }

  #take(stream) {
    for (const track of stream.getTracks()) {
      const { kind } = track;
      this.tracks[kind] = track;
      if (kind === "video") track.contentHint = "motion";
      // Not by our own stop().
      track.addEventListener("ended", () => {
        this.tracks[kind] = this.#substitute(kind);
        const detail = { kind, track: this.tracks[kind], sentence: words.ofEnded(NAMES[kind]) };
        this.dispatchEvent(new CustomEvent("replaced", { detail }));
      });
    }
  }

  #substitute(kind) {
    this.#pattern ??= openPattern();
    return kind === "video" ? this.#pattern.picture() : this.#pattern.sound();
  }
}
