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

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from cryptography import x509
from gi.repository import GLib, Gst, GstSdp, GstWebRTC

import room as signalling

FRAMES, SOUNDS, LOOK_AGAIN_S = 90, 150, 0.05
# Longer than the time after which a silent peer counts as gone.
GOODBYE_S = 45
EXTENSIONS = []  # What webrtcbin 1.22 sends is told apart by SSRC alone.
SEND = """webrtcbin name=webrtc bundle-policy=max-bundle
    audiotestsrc is-live=true freq=440 ! audioconvert ! opusenc ! rtpopuspay pt=111
    ! application/x-rtp,media=audio,encoding-name=OPUS,payload=111 ! webrtc.
    videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=30/1
    ! vp8enc deadline=1 cpu-used=8 target-bitrate=300000 keyframe-max-dist=60 ! rtpvp8pay pt=96 picture-id-mode=15-bit
    ! application/x-rtp,media=video,encoding-name=VP8,payload=96 ! webrtc."""
DECODE = {"audio": "rtpopusdepay ! opusdec", "video": "rtpvp8depay ! vp8dec"}


class Side:
    """One webrtcbin in its pipeline."""

    def __init__(self, pipeline):
        self.pipeline, self.packets, self.decoded = pipeline, {}, {}
        self.webrtc = pipeline.get_by_name("webrtc")
        # It gathers no loopback addresses by itself. Kept: the binding takes over the agent's only reference.
        self.ice = self.webrtc.get_property("ice-agent")
        self.ice.emit("add-local-ip-address", "127.0.0.1")

    def ask(self, action, *arguments):
        """What an action of webrtcbin replies; a refusal is an error."""
        promise = Gst.Promise.new()
        self.webrtc.emit(action, *arguments, promise)
        promise.wait()
        reply = promise.get_reply()
        if reply is not None and reply.has_field("error"):
            raise RuntimeError(f"{action}: {reply.to_string()}")
        return reply

    def describe_local(self, action, kind):
        reply = self.ask(action, None)  # Owns the description.
        description = reply.get_value(kind)
        self.ask("set-local-description", description)
        return description.sdp.as_text()

    def describe_remote(self, kind, text):
        _, message = GstSdp.SDPMessage.new_from_text(text)
        self.ask("set-remote-description", GstWebRTC.WebRTCSessionDescription.new(kind, message))

    def count(self, pad, kind):
        def on_data(_, info):
            many = info.get_buffer_list().length() if info.type & Gst.PadProbeType.BUFFER_LIST else 1
            self.packets[kind] = self.packets.get(kind, 0) + many
            return Gst.PadProbeReturn.OK

        pad.add_probe(Gst.PadProbeType.BUFFER | Gst.PadProbeType.BUFFER_LIST, on_data)

    def on_pad(self, _, pad):
        """Decodes a stream that comes."""
        if pad.get_direction() != Gst.PadDirection.SRC:
            return
        kind = pad.get_current_caps().get_structure(0).get_string("media")
        decoder = Gst.parse_bin_from_description(f"queue ! {DECODE[kind]} ! fakesink name=end sync=false", True)
        end = decoder.get_by_name("end")
        end.set_property("signal-handoffs", True)
        end.connect("handoff", lambda *_: self.decoded.update({kind: self.decoded.get(kind, 0) + 1}))
        self.pipeline.add(decoder)
        decoder.sync_state_with_parent()
        pad.link(decoder.get_static_pad("sink"))
        self.count(pad, kind)

    def protection(self, direction, transport_id, role):
        """What webrtcbin tells of DTLS: its own certificate, neither version nor suite."""
        transceiver = self.webrtc.emit("get-transceiver", 0)
        end = transceiver.get_property("sender" if direction == "send" else "receiver").get_property("transport")
        certificate = x509.load_pem_x509_certificate(end.get_property("certificate").encode())
        key = certificate.public_key()
        return {"direction": direction, "id": transport_id, "role": role,
                "state_here": end.get_property("state").value_nick,
                "certificate": f"{type(key).__name__.removeprefix('_').removesuffix('PublicKey')} {key.key_size}"}


def send(room, role):
    told = room.ask("createTransport", forceTcp=False)
    side = Side(Gst.parse_launch(SEND))
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
    transports = [sending.protection("send", sending_id, role), receiving.protection("recv", receiving_id, role)]
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
