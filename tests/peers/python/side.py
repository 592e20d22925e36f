"""One webrtcbin in its pipeline: what peers with GStreamer have in common.

Knows webrtcbin's actions and pads. Knows no signalling.
"""

import hashlib

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import Gst, GstSdp, GstWebRTC

SEND = """webrtcbin name=webrtc bundle-policy=max-bundle
    audiotestsrc is-live=true freq=440 ! audioconvert ! opusenc ! rtpopuspay pt=111
    ! application/x-rtp,media=audio,encoding-name=OPUS,payload=111 ! webrtc.
    videotestsrc is-live=true pattern=%s ! video/x-raw,width=320,height=240,framerate=30/1
    ! vp8enc deadline=1 cpu-used=8 target-bitrate=300000 keyframe-max-dist=%s ! rtpvp8pay pt=96 picture-id-mode=15-bit
    ! application/x-rtp,media=video,encoding-name=VP8,payload=96 ! webrtc."""
DECODE = {"audio": "rtpopusdepay ! opusdec", "video": "rtpvp8depay ! vp8dec"}


class Side:
    """A webrtcbin, and what went through it."""

    def __init__(self, pipeline):
        self.pipeline, self.packets, self.decoded, self.pictures = pipeline, {}, {}, set()
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
        end.connect("handoff", lambda _sink, buffer, _pad: self._decoded(kind, buffer))
        self.pipeline.add(decoder)
        decoder.sync_state_with_parent()
        pad.link(decoder.get_static_pad("sink"))
        self.count(pad, kind)

    def _decoded(self, kind, buffer):
        self.decoded[kind] = self.decoded.get(kind, 0) + 1
        if kind == "video":
            self.pictures.add(hashlib.sha1(buffer.extract_dup(0, buffer.get_size())).digest())
