// A track sent from one connection of this page to another, with no worker in between: what the same browser makes of it
// at the same time, by itself.

import { msToPicture, settled, statistic } from "./waiting.js";

export class Loopback {
  // `mimeType` is the picture's codec.
  static async of(track, mimeType) {
    const [from, to] = [new RTCPeerConnection(), new RTCPeerConnection()];
    const element = document.createElement(track.kind);
    element.autoplay = true;
    document.body.append(element);
    to.ontrack = (event) => { element.srcObject = new MediaStream([event.track]); };
    const transceiver = from.addTransceiver(track, { direction: "sendonly" });
    if (mimeType) {
      const { codecs } = RTCRtpReceiver.getCapabilities(track.kind);
      transceiver.setCodecPreferences(codecs.filter((codec) => codec.mimeType.toLowerCase() === mimeType.toLowerCase()));
    }
    await describe(from, to, await from.createOffer());
    await describe(to, from, await to.createAnswer());
    return Object.assign(new Loopback(), { to, element, sender: transceiver.sender });
  }

  // By the receiving end.
  async energy() {
    return statistic(await this.to.getStats(), "inbound-rtp", "totalAudioEnergy");
  }

  // Stops sending; ends when no picture is under way any more.
  async pause() {
    await this.#send(false);
    await settled(async () => statistic(await this.to.getStats(), "inbound-rtp", "framesDecoded"));
  }

  // Sends for a moment: how long until a picture is shown. It begins with a key frame, as behind a worker.
  async msToPicture() {
    const ms = await msToPicture(this.element, () => this.#send(true));
    await this.#send(false);
    return ms;
  }

  async #send(active) {
    const parameters = this.sender.getParameters();
    for (const encoding of parameters.encodings) encoding.active = active;
    await this.sender.setParameters(parameters);
  }
}

// Tells both ends a description that has all candidates in it.
async function describe(own, other, description) {
  await own.setLocalDescription(description);
  await new Promise((resolve) => {
    const look = () => { if (own.iceGatheringState === "complete") resolve(); };
    own.onicegatheringstatechange = look;
    look();
  });
  await other.setRemoteDescription(own.localDescription);
}
