"""What peers without mediasoup-client say to a room: its JSON, and SDP made of what it answers.

A peer sends by one transport and receives by another. Towards its own WebRTC stack the room is an ICE-lite end that
answers the offer of the one and makes the offer of the other. Knows opus and VP8. Knows no WebRTC stack.
"""

import json

from websockets.sync.client import connect

MID = "urn:ietf:params:rtp-hdrext:sdes:mid"
ABS_SEND_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
AUDIO_LEVEL = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
FEEDBACK = [("nack", ""), ("nack", "pli"), ("ccm", "fir"), ("goog-remb", "")]
PATIENCE_S = 60


class Room:
    """The signalling, one question after the other."""

    def __init__(self, url):
        self.socket = connect(url)
        self.last_id = 0
        self.news = []

    def ask(self, method, **data):
        self.last_id += 1
        question = {"id": self.last_id, "method": method}
        if data:
            question["data"] = data
        self.socket.send(json.dumps(question))
        while True:
            told = self._read()
            if told.get("id") == self.last_id:
                if "error" in told:
                    raise RuntimeError(f"{method}: {told['error']}")
                return told["ok"]

    def producer_announced(self):
        """The id of the next track that somebody sends."""
        while True:
            for at, told in enumerate(self.news):
                if told["event"] == "newProducer":
                    return self.news.pop(at)["data"]["producerId"]
            self._read()

    def transport_state(self, transport_id):
        """What the worker says of ICE and DTLS."""
        return self.ask("transportStats", transportId=transport_id)["webrtc"]

    def close(self):
        self.socket.close()

    def _read(self):
        told = json.loads(self.socket.recv(timeout=PATIENCE_S))
        if "event" in told:
            self.news.append(told)
        return told


def capabilities(router, extensions):
    """Of what the room can forward: opus and VP8 with RTX, and these header extensions."""
    codecs = [codec for codec in router["codecs"] if codec["mimeType"].lower() in ("audio/opus", "video/vp8")]
    payload_types = [codec["preferredPayloadType"] for codec in codecs]
    codecs += [codec for codec in router["codecs"]
               if codec["mimeType"].lower() == "video/rtx" and codec["parameters"]["apt"] in payload_types]
    for codec in codecs:
        codec["rtcpFeedback"] = [entry for entry in codec.get("rtcpFeedback", []) if _feedback(entry) in FEEDBACK]
    known = [entry for entry in router["headerExtensions"] if entry["uri"] in extensions]
    return {"codecs": codecs, "headerExtensions": known}


def producers(offer, extensions):
    """For each medium of a stack's own offer: its kind, and its RTP parameters as `produce` takes them."""
    return [(media["kind"], _parameters(media, extensions)) for media in _media(offer)]


def dtls_parameters(description, role):
    """The stack's certificate, by the fingerprints in its description, and which end of DTLS it is."""
    found = {}
    for line in description.splitlines():
        if line.startswith("a=fingerprint:"):
            algorithm, value = line.removeprefix("a=fingerprint:").split()
            found[algorithm.lower()] = value.upper()
    fingerprints = [{"algorithm": algorithm, "value": value} for algorithm, value in found.items()]
    return {"role": role, "fingerprints": fingerprints}


def answer(transport, offer, peer_role, extensions):
    """What the room answers to the offer of a stack that sends."""
    media = [{"kind": media["kind"], "mid": media["mid"], "parameters": _parameters(media, extensions)}
             for media in _media(offer)]
    return _describe(transport, media, "recvonly", "passive" if peer_role == "client" else "active")


def offer(transport, consumers, peer_role):
    """What the room offers to a stack that receives."""
    media = [{"kind": consumer["kind"], "mid": consumer["rtpParameters"]["mid"], "parameters": consumer["rtpParameters"],
              "ssrcs": consumer["rtpParameters"]["encodings"][0]} for consumer in consumers]
    return _describe(transport, media, "sendonly", "actpass" if peer_role == "client" else "active")


def _describe(transport, media, direction, setup):
    ice, lines = transport["iceParameters"], ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=ice-lite"]
    lines.append("a=group:BUNDLE " + " ".join(entry["mid"] for entry in media))
    for entry in media:
        parameters = entry["parameters"]
        payload_types = " ".join(str(codec["payloadType"]) for codec in parameters["codecs"])
        lines += [f"m={entry['kind']} 9 UDP/TLS/RTP/SAVPF {payload_types}", "c=IN IP4 127.0.0.1",
                  f"a=mid:{entry['mid']}", f"a={direction}", "a=rtcp-mux", f"a=setup:{setup}",
                  f"a=ice-ufrag:{ice['usernameFragment']}", f"a=ice-pwd:{ice['password']}"]
        lines += [f"a=fingerprint:{one['algorithm']} {one['value']}"
                  for one in transport["dtlsParameters"]["fingerprints"] if one["algorithm"] == "sha-256"]
        lines += [f"a=candidate:{one['foundation']} 1 udp {one['priority']} {one['address']} {one['port']} typ host"
                  for one in transport["iceCandidates"] if one["protocol"] == "udp"]
        lines.append("a=end-of-candidates")
        for codec in parameters["codecs"]:
            lines += _codec_lines(codec)
        lines += [f"a=extmap:{one['id']} {one['uri']}" for one in parameters["headerExtensions"]]
        lines += _ssrc_lines(entry.get("ssrcs"), parameters["rtcp"].get("cname"))
    return "\r\n".join(lines) + "\r\n"


def _codec_lines(codec):
    payload_type, name = codec["payloadType"], codec["mimeType"].split("/")[1]
    channels = f"/{codec['channels']}" if codec.get("channels", 1) > 1 else ""
    lines = [f"a=rtpmap:{payload_type} {name}/{codec['clockRate']}{channels}"]
    if codec["parameters"]:
        fields = ";".join(f"{key}={value}" for key, value in codec["parameters"].items())
        lines.append(f"a=fmtp:{payload_type} {fields}")
    return lines + [f"a=rtcp-fb:{payload_type} {' '.join(filter(None, _feedback(entry)))}"
                    for entry in codec["rtcpFeedback"]]


def _ssrc_lines(encoding, cname):
    if encoding is None:
        return []
    ssrcs = [encoding["ssrc"]]
    if encoding.get("rtx"):
        ssrcs.append(encoding["rtx"]["ssrc"])
    group = [f"a=ssrc-group:FID {ssrcs[0]} {ssrcs[1]}"] if len(ssrcs) > 1 else []
    return group + [f"a=ssrc:{ssrc} cname:{cname}" for ssrc in ssrcs]


def _feedback(entry):
    return entry["type"], entry.get("parameter") or ""


def _media(description):
    """The media of a description, each with its lines."""
    found = []
    for line in description.splitlines():
        if line.startswith("m="):
            found.append({"kind": line[2:].split()[0], "lines": []})
        elif found:
            found[-1]["lines"].append(line)
    for media in found:
        media["mid"] = _values(media, "a=mid:")[0]
    return found


def _values(media, prefix):
    return [line.removeprefix(prefix) for line in media["lines"] if line.startswith(prefix)]


def _parameters(media, extensions):
    names = dict(value.split(" ", 1) for value in _values(media, "a=rtpmap:"))
    formats = dict(value.split(" ", 1) for value in _values(media, "a=fmtp:"))
    first = next(key for key, name in names.items() if name.split("/")[0].lower() in ("opus", "vp8"))
    again = [key for key, name in names.items()
             if name.lower().startswith("rtx/") and formats.get(key, "").strip() == f"apt={first}"]
    feedback = [tuple(value.split(" ", 1)[1].partition(" ")[::2]) for value in _values(media, "a=rtcp-fb:")
                if value.split(" ")[0] in (first, "*")]
    codecs = [_codec(media["kind"], first, names[first], {}, [one for one in feedback if one in FEEDBACK])]
    codecs += [_codec(media["kind"], key, names[key], {"apt": int(first)}, []) for key in again[:1]]
    told = [value.split() for value in _values(media, "a=ssrc:")]
    ssrcs = list(dict.fromkeys(int(words[0]) for words in told))
    encoding = {"ssrc": ssrcs[0]}
    if again and len(ssrcs) > 1:
        encoding["rtx"] = {"ssrc": ssrcs[1]}
    elif again:
        codecs = codecs[:1]
    offered = [value.split()[:2] for value in _values(media, "a=extmap:")]
    cname = next(words[1].removeprefix("cname:") for words in told if words[1].startswith("cname:"))
    return {"mid": media["mid"], "codecs": codecs, "encodings": [encoding],
            "headerExtensions": [{"uri": uri, "id": int(number.split("/")[0])} for number, uri in offered
                                 if uri in extensions],
            "rtcp": {"cname": cname, "reducedSize": True}}


def _codec(kind, payload_type, name, parameters, feedback):
    name, rate, *channels = name.split("/")
    codec = {"mimeType": f"{kind}/{name}", "payloadType": int(payload_type), "clockRate": int(rate),
             "parameters": parameters,
             "rtcpFeedback": [{"type": one, "parameter": parameter} for one, parameter in feedback]}
    if channels:
        codec["channels"] = int(channels[0])
    return codec
