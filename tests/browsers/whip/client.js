// WHIP and WHEP in a page, with nothing but RTCPeerConnection and fetch: as any page would do it.
//
// Knows offers, answers and HTTP. Does not know what must be seen.

// Sends a picture whose colour is `hue` and that moves, and a tone. Several encodings are simulcast.
window.publish = async (url, hue, encodings = 1) => {
  const canvas = Object.assign(document.createElement("canvas"), { width: 320, height: 240 });
  const pen = canvas.getContext("2d");
  let frame = 0;
  setInterval(() => {
    frame += 1;
    pen.fillStyle = `hsl(${hue} 100% 50%)`;
    pen.fillRect(0, 0, 320, 240);
    pen.fillStyle = "black";
    pen.fillRect(160 + (frame * 7) % 120, 120, 40, 120);
  }, 33);
  const audio = new AudioContext();
  const tone = new OscillatorNode(audio, { frequency: 440 });
  const out = audio.createMediaStreamDestination();
  tone.connect(out);
  tone.start();
  const stream = new MediaStream([...canvas.captureStream(30).getTracks(), ...out.stream.getTracks()]);
  const pc = new RTCPeerConnection();
  const layers = Array.from({ length: encodings }, (_, index) => ({ rid: `r${index}`, scaleResolutionDownBy: 2 ** index }));
  for (const track of stream.getTracks()) {
    const isSimulcast = encodings > 1 && track.kind === "video";
    pc.addTransceiver(track, { direction: "sendonly", streams: [stream], ...(isSimulcast && { sendEncodings: layers }) });
  }
  return negotiate(pc, url);
};

// Receives into a video element.
window.play = async (url) => {
  const pc = new RTCPeerConnection();
  for (const kind of ["video", "audio"]) pc.addTransceiver(kind, { direction: "recvonly" });
  const video = Object.assign(document.createElement("video"), { autoplay: true, muted: true, playsInline: true });
  const audio = Object.assign(new Audio(), { autoplay: true });
  document.body.append(video, audio);
  pc.addEventListener("track", ({ track }) => {
    (track.kind === "video" ? video : audio).srcObject = new MediaStream([track]);
  });
  const started = performance.now();
  const first = new Promise((resolve) => {
    video.requestVideoFrameCallback(() => resolve(performance.now() - started));
  });
  const told = await negotiate(pc, url);
  return { ...told, firstPictureMs: await first };
};

// What is seen and heard by now.
window.look = async () => {
  const canvas = Object.assign(document.createElement("canvas"), { width: 32, height: 18 });
  const pen = canvas.getContext("2d");
  pen.drawImage(document.querySelector("video"), 0, 0, 32, 18);
  const received = [...(await window.session.pc.getStats()).values()].filter(({ type }) => type === "inbound-rtp");
  const of = (kind) => received.find((stats) => stats.kind === kind) ?? {};
  return {
    pixels: [...pen.getImageData(0, 0, 32, 18).data],
    framesDecoded: of("video").framesDecoded ?? 0,
    audioEnergy: of("audio").totalAudioEnergy ?? 0,
  };
};

// New credentials on both ends: a fragment with those of a new offer (RFC 9725 4.3.3).
window.restart = async () => {
  const { pc, location, answer } = window.session;
  pc.restartIce();
  await pc.setLocalDescription(await pc.createOffer({ iceRestart: true }));
  const { status, etag, text } = await ask("PATCH", location, fragmentOf(pc), FRAGMENT, "*");
  if (status !== 200) return { status };
  // What was negotiated stays but for the credentials.
  const of = (name) => text.match(new RegExp(`a=${name}:.*`))[0];
  const sdp = answer.replace(/a=ice-ufrag:.*/g, of("ice-ufrag")).replace(/a=ice-pwd:.*/g, of("ice-pwd"));
  await pc.setRemoteDescription({ type: "answer", sdp });
  const isNew = etag !== window.session.etag && etag !== null;
  Object.assign(window.session, { etag, answer: sdp });
  return { status, isNew };
};

window.end = async () => {
  const { pc, location } = window.session;
  const { status } = await ask("DELETE", location);
  pc.close();
  return status;
};

async function negotiate(pc, url) {
  await pc.setLocalDescription();
  const { status, etag, location, text } = await ask("POST", url, pc.localDescription.sdp, "application/sdp");
  if (status !== 201) throw new Error(`${status}: ${text}`);
  await pc.setRemoteDescription({ type: "answer", sdp: text });
  const session = { pc, etag, answer: text, location: new URL(location, url).href };
  window.session = session;
  const trickled = await ask("PATCH", session.location, fragmentOf(pc), FRAGMENT, etag);
  await new Promise((resolve, reject) => {
    const look = () => {
      if (pc.connectionState === "connected") resolve();
      if (pc.connectionState === "failed") reject(new Error("the connection failed"));
    };
    pc.addEventListener("connectionstatechange", look);
    look();
  });
  return { status, trickled: trickled.status, offer: pc.localDescription.sdp, answer: text };
}

// Its credentials alone: whoever answers checks needs no candidates.
function fragmentOf(pc) {
  const lines = pc.localDescription.sdp.split("\r\n");
  const wanted = ["a=ice-ufrag:", "a=ice-pwd:", "m=", "a=mid:"];
  return [...wanted.map((start) => lines.find((line) => line.startsWith(start))), "a=end-of-candidates", ""].join("\r\n");
}

async function ask(method, url, body, type, match) {
  const headers = { ...(type && { "Content-Type": type }), ...(match && { "If-Match": match }) };
  const response = await fetch(url, { method, body, headers });
  const field = (name) => response.headers.get(name);
  return { status: response.status, etag: field("etag"), location: field("location"), text: await response.text() };
}

const FRAGMENT = "application/trickle-ice-sdpfrag";
