"""GStreamer's webrtcbin as a client of WHIP and of WHEP, by HTTP alone: what OBS and whipsink do.

    python3 whip.py publish URL     # sends a picture and a tone until its standard input ends
    python3 whip.py play URL        # decodes until enough pictures came

Ends the session with DELETE and prints one line of JSON: what the test `whip` judges. The first line that `publish`
prints says that it is connected. `URL` is `http://HOST/whip/ROOM` or `http://HOST/whep/ROOM`.
"""

import json
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

from side import SEND, Side

from gi.repository import GLib, Gst, GstWebRTC

ENOUGH_PICTURES, ENOUGH_SOUNDS, PATIENCE_S, LOOK_AGAIN_S = 60, 80, 30, 0.02
# A ball that moves: no two pictures are equal.
PATTERN = "ball"
RECEIVE = {
    "video": "application/x-rtp,media=video,encoding-name=VP8,payload=97,clock-rate=90000,rtcp-fb-nack-pli=true",
    "audio": "application/x-rtp,media=audio,encoding-name=OPUS,payload=98,clock-rate=48000,encoding-params=(string)2",
}


def ask(method, url, body=None, content_type=None, **fields):
    """Status, header fields and body of what a server answers."""
    headers = {"Content-Type": content_type} if content_type else {}
    headers.update({name.replace("_", "-"): value for name, value in fields.items()})
    request = urllib.request.Request(url, body.encode() if body else None, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as response:
            return response.status, response.headers, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read().decode()


class Session:
    """An offer of a side, taken by a server."""

    def __init__(self, side, url):
        self.side, self.statuses = side, {}
        self.offer = side.describe_local("create-offer", "offer")
        self.statuses["post"], headers, answer = ask("POST", url, self.offer, "application/sdp")
        if self.statuses["post"] != 201:
            raise RuntimeError(f"{self.statuses['post']}: {answer}")
        self.url, self.etag = urllib.parse.urljoin(url, headers["Location"]), headers["ETag"]
        side.describe_remote(GstWebRTC.WebRTCSDPType.ANSWER, answer)
        self.statuses["patch"], _, _ = ask("PATCH", self.url, self._fragment(), "application/trickle-ice-sdpfrag",
                                           If_Match=self.etag)

    def _fragment(self):
        lines = self.offer.splitlines()
        wanted = [next(line for line in lines if line.startswith(start))
                  for start in ("a=ice-ufrag:", "a=ice-pwd:", "m=", "a=mid:")]
        candidate = "a=candidate:1 1 UDP 2015363327 127.0.0.1 9 typ host"
        return "\r\n".join([*wanted, candidate, "a=end-of-candidates", ""])

    def end(self):
        self.statuses["delete"], _, _ = ask("DELETE", self.url)
        self.statuses["delete_again"], _, _ = ask("DELETE", self.url)
        self.side.pipeline.set_state(Gst.State.NULL)
        return {"statuses": self.statuses, "packets": self.side.packets, "decoded": self.side.decoded,
                "pictures": len(self.side.pictures)}


def wait(what, holds):
    until = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > until:
            raise RuntimeError(f"waited {PATIENCE_S} s for {what}")
        time.sleep(LOOK_AGAIN_S)


def negotiates(side):
    """Starts a pipeline, and waits until its webrtcbin wants an offer."""
    wanted = threading.Event()
    side.webrtc.connect("on-negotiation-needed", lambda _: wanted.set())
    side.pipeline.set_state(Gst.State.PLAYING)
    if not wanted.wait(PATIENCE_S):
        raise RuntimeError("webrtcbin does not want to negotiate")


def is_connected(side):
    state = side.webrtc.get_property("connection-state")
    return state == GstWebRTC.WebRTCPeerConnectionState.CONNECTED


def publish(url):
    # Key frames come when they are asked for, and hardly otherwise.
    side = Side(Gst.parse_launch(SEND % (PATTERN, 3_000)))
    for pad, kind in zip(side.webrtc.sinkpads, ("audio", "video")):
        side.count(pad, kind)
    for index in range(2):
        transceiver = side.webrtc.emit("get-transceiver", index)
        transceiver.set_property("direction", GstWebRTC.WebRTCRTPTransceiverDirection.SENDONLY)
    negotiates(side)
    session = Session(side, url)
    wait("the connection", lambda: is_connected(side))
    print(json.dumps({"connected": True, "session": session.url}), flush=True)
    sys.stdin.read()
    return session.end()


def play(url):
    pipeline = Gst.Pipeline()
    pipeline.add(Gst.ElementFactory.make("webrtcbin", "webrtc"))
    side = Side(pipeline)
    side.webrtc.set_property("bundle-policy", GstWebRTC.WebRTCBundlePolicy.MAX_BUNDLE)
    side.webrtc.connect("pad-added", side.on_pad)
    for caps in RECEIVE.values():
        direction = GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY
        side.webrtc.emit("add-transceiver", direction, Gst.Caps.from_string(caps))
    negotiates(side)
    session = Session(side, url)
    connecting = time.monotonic()
    wait("a picture", lambda: side.decoded.get("video", 0) > 0)
    first_picture_s = time.monotonic() - connecting
    wait("pictures and sound", lambda: (side.decoded.get("video", 0) >= ENOUGH_PICTURES
                                        and side.decoded.get("audio", 0) >= ENOUGH_SOUNDS))
    return {**session.end(), "first_picture_s": first_picture_s}


def main(what, url):
    Gst.init(None)
    loop = GLib.MainLoop()
    threading.Thread(target=loop.run, daemon=True).start()
    print(json.dumps({"publish": publish, "play": play}[what](url)), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
