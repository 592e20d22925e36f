"""GStreamer's webrtcbin: OpenSSL with an RSA certificate, DTLS 1.2, libnice.

    python webrtcbin.py ws://127.0.0.1:PORT/signalling?room=NAME client|server [SECONDS]

Sends a picture and a tone, takes both back, at least SECONDS long, closes, and prints one line of JSON: what the test
`peers` judges. Once connected, libnice keeps its ways alive with indications (RFC 8445 11) and asks nothing more. When
a pipeline stops, webrtcbin 1.22 ends DTLS without a close_notify: the room has to notice by its silence.
"""

import json
import sys
import threading
import time

from cryptography import x509

import room as signalling
from side import SEND, Side

from gi.repository import GLib, Gst, GstWebRTC

FRAMES, SOUNDS, LOOK_AGAIN_S = 90, 150, 0.05
# Longer than the time after which a silent peer counts as gone.
GOODBYE_S = 45
EXTENSIONS = []  # What webrtcbin 1.22 sends is told apart by SSRC alone.


def protection(side, direction, transport_id, role):
    """What webrtcbin tells of DTLS: its own certificate, neither version nor suite."""
    transceiver = side.webrtc.emit("get-transceiver", 0)
    end = transceiver.get_property("sender" if direction == "send" else "receiver").get_property("transport")
    certificate = x509.load_pem_x509_certificate(end.get_property("certificate").encode())
    key = certificate.public_key()
    return {"direction": direction, "id": transport_id, "role": role,
            "state_here": end.get_property("state").value_nick,
            "certificate": f"{type(key).__name__.removeprefix('_').removesuffix('PublicKey')} {key.key_size}"}


def send(room, role):
    told = room.ask("createTransport", forceTcp=False)
    side = Side(Gst.parse_launch(SEND % ("smpte", 60)))
    wanted = threading.Event()
    side.webrtc.connect("on-negotiation-needed", lambda _: wanted.set())
    for pad, kind in zip(side.webrtc.sinkpads, ("audio", "video")):
        side.count(pad, kind)
    side.pipeline.set_state(Gst.State.PLAYING)
    if not wanted.wait(20):
        raise RuntimeError("webrtcbin does not want to negotiate")
    offer = side.describe_local("create-offer", "offer")
    room.ask("connectTransport", transportId=told["id"], dtlsParameters=signalling.dtls_parameters(offer, role))
    side.describe_remote(GstWebRTC.WebRTCSDPType.ANSWER, signalling.answer(told, offer, role, EXTENSIONS))
    for kind, parameters in signalling.producers(offer, EXTENSIONS):
        room.ask("produce", transportId=told["id"], kind=kind, rtpParameters=parameters)
    return told["id"], side


def receive(room, role):
    told = room.ask("createTransport", forceTcp=False)
    consumers = [room.ask("consume", transportId=told["id"], producerId=room.producer_announced()) for _ in range(2)]
    pipeline = Gst.Pipeline()
    pipeline.add(Gst.ElementFactory.make("webrtcbin", "webrtc"))
    side = Side(pipeline)
    side.webrtc.set_property("bundle-policy", GstWebRTC.WebRTCBundlePolicy.MAX_BUNDLE)
    side.webrtc.connect("pad-added", side.on_pad)
    pipeline.set_state(Gst.State.PLAYING)
    side.describe_remote(GstWebRTC.WebRTCSDPType.OFFER, signalling.offer(told, consumers, role))
    answer = side.describe_local("create-answer", "answer")
    room.ask("connectTransport", transportId=told["id"], dtlsParameters=signalling.dtls_parameters(answer, role))
    for consumer in consumers:
        room.ask("resumeConsumer", consumerId=consumer["id"])
    return told["id"], side


def main(url, role, seconds="0"):
    Gst.init(None)
    loop = GLib.MainLoop()
    threading.Thread(target=loop.run, daemon=True).start()
    room = signalling.Room(url)
    router = room.ask("routerRtpCapabilities")
    room.ask("join", rtpCapabilities=signalling.capabilities(router, EXTENSIONS))
    sending_id, sending = send(room, role)
    receiving_id, receiving = receive(room, role)
    until = time.monotonic() + float(seconds)
    while (time.monotonic() < until or receiving.decoded.get("video", 0) < FRAMES
           or receiving.packets.get("audio", 0) < SOUNDS):
        time.sleep(LOOK_AGAIN_S)
    transports = [protection(sending, "send", sending_id, role), protection(receiving, "recv", receiving_id, role)]
    for side in (sending, receiving):
        side.pipeline.set_state(Gst.State.NULL)
    patience = time.monotonic() + GOODBYE_S
    for told in transports:
        while time.monotonic() < patience:
            state = room.transport_state(told["id"])
            told["state"], told["ice_state"] = state["dtls_state"], state["ice_state"]
            if told["state"] != "Connected" or told["ice_state"] == "Disconnected":
                break
            time.sleep(LOOK_AGAIN_S)
    room.close()
    print(json.dumps({"sent": sending.packets, "received": receiving.packets, "decoded": receiving.decoded,
                      "transports": transports}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
