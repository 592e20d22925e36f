"""aiortc: pyOpenSSL and libsrtp, as DTLS client and as DTLS server.

    python aiortc_peer.py ws://127.0.0.1:PORT/signalling?room=NAME client|server

Sends a picture and silence, takes both back, closes, and prints one line of JSON: what the test `peers` judges.
"""

import asyncio
import json
import sys

from aiortc import MediaStreamTrack, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack, MediaStreamError, VideoStreamTrack
from av import VideoFrame

import room as signalling

FRAMES, SOUNDS, LOOK_AGAIN_S = 60, 100, 0.05
EXTENSIONS = [signalling.MID, signalling.ABS_SEND_TIME, signalling.AUDIO_LEVEL]


class Picture(VideoStreamTrack):
    """A plain picture whose colour changes, 30 times a second."""

    def __init__(self):
        super().__init__()
        self.number = 0

    async def recv(self):
        pts, time_base = await self.next_timestamp()
        frame = VideoFrame(width=320, height=240)
        self.number += 1
        for at, plane in enumerate(frame.planes):
            plane.update(bytes([(self.number * (at + 3)) & 255]) * plane.buffer_size)
        frame.pts, frame.time_base = pts, time_base
        return frame


async def count(track: MediaStreamTrack, decoded):
    """Counts what a track decodes to."""
    while True:
        try:
            await track.recv()
        except MediaStreamError:
            return
        decoded[track.kind] += 1


async def packets(peer, kind, field):
    """A field of the statistics of one type, by medium."""
    entries = (await peer.getStats()).values()
    return {entry.kind: getattr(entry, field) for entry in entries if entry.type == kind}


def protection(peer, direction, transport_id):
    """What aiortc tells of DTLS."""
    transceiver = peer.getTransceivers()[0]
    end = (transceiver.sender if direction == "send" else transceiver.receiver).transport
    connection = end._ssl
    return {"direction": direction, "id": transport_id, "role": end._role, "state_here": end.state,
            "version": connection.get_protocol_version_name(), "suite": connection.get_cipher_name(),
            "srtp": connection.get_selected_srtp_profile().decode()}


async def send(room, role):
    told = room.ask("createTransport", forceTcp=False)
    peer = RTCPeerConnection()
    peer.addTransceiver(AudioStreamTrack(), "sendonly")
    peer.addTransceiver(Picture(), "sendonly")
    await peer.setLocalDescription(await peer.createOffer())
    offer = peer.localDescription.sdp
    room.ask("connectTransport", transportId=told["id"], dtlsParameters=signalling.dtls_parameters(offer, role))
    answer = signalling.answer(told, offer, role, EXTENSIONS)
    await peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    for kind, parameters in signalling.producers(offer, EXTENSIONS):
        room.ask("produce", transportId=told["id"], kind=kind, rtpParameters=parameters)
    return told["id"], peer


async def receive(room, role, decoded):
    told = room.ask("createTransport", forceTcp=False)
    consumers = [room.ask("consume", transportId=told["id"], producerId=room.producer_announced()) for _ in range(2)]
    peer = RTCPeerConnection()
    counting = []
    peer.on("track", lambda track: counting.append(asyncio.ensure_future(count(track, decoded))))
    await peer.setRemoteDescription(RTCSessionDescription(signalling.offer(told, consumers, role), "offer"))
    await peer.setLocalDescription(await peer.createAnswer())
    answer = peer.localDescription.sdp
    room.ask("connectTransport", transportId=told["id"], dtlsParameters=signalling.dtls_parameters(answer, role))
    for consumer in consumers:
        room.ask("resumeConsumer", consumerId=consumer["id"])
    return told["id"], peer


async def main(url, role):
    room = signalling.Room(url)
    router = room.ask("routerRtpCapabilities")
    room.ask("join", rtpCapabilities=signalling.capabilities(router, EXTENSIONS))
    decoded = {"audio": 0, "video": 0}
    sending_id, sending = await send(room, role)
    receiving_id, receiving = await receive(room, role, decoded)
    while decoded["video"] < FRAMES or decoded["audio"] < SOUNDS:
        await asyncio.sleep(LOOK_AGAIN_S)
    sent = await packets(sending, "outbound-rtp", "packetsSent")
    received = await packets(receiving, "inbound-rtp", "packetsReceived")
    transports = [protection(sending, "send", sending_id), protection(receiving, "recv", receiving_id)]
    await sending.close()
    await receiving.close()
    for told in transports:
        while (state := room.transport_state(told["id"])["dtls_state"]) == "Connected":
            await asyncio.sleep(LOOK_AGAIN_S)
        told["state"] = state
    room.close()
    print(json.dumps({"sent": sent, "received": received, "decoded": decoded, "transports": transports}), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:3]))
