/**
 * Command lines of ffmpeg and GStreamer, as sender and as player.
 *
 * Knows their options. Does not know the worker.
 */

import { isIPv6 } from 'node:net';

/** @import { Output, Viewer } from './relay.js' */

/**
 * The arguments of an ffmpeg that sends a moving test picture (VP8) and a beep (Opus).
 *
 * @param {Output[]} outputs Video, then audio.
 */
export function ffmpegSends([video, audio]) {
  return [...QUIET, ...words(CAMERA), ...words(VP8), ...rtp(video), ...words(OPUS), ...rtp(audio)];
}

/**
 * The arguments of an ffplay that shows and plays the streams of a session description.
 *
 * @param {string} file
 */
export const ffplay = (file) => [...words('-hide_banner -loglevel error'), ...input(file)];

/**
 * The arguments of an ffmpeg that decodes picture and sound, throws both away, and says every half second how far it is.
 * It takes the time of arrival for the time of each: sender reports may move a stream's times back, which ffmpeg's writers
 * refuse.
 *
 * @param {string} file
 */
export const ffmpegDecodes = (file) => [
  ...QUIET,
  ...words('-use_wallclock_as_timestamps 1'),
  ...input(file),
  ...words(
    '-map 0:v -map 0:a -fps_mode passthrough -progress pipe:1 -stats_period 0.5 -f framecrc -y /dev/null',
  ),
];

/**
 * A GStreamer pipeline that sends a test picture (VP8) and a ticking sound (Opus) with sender reports.
 *
 * @param {Output[]} outputs Video, then audio.
 */
export function gstreamerSends([video, audio]) {
  return [
    'gst-launch-1.0 rtpbin name=rtp',
    'videotestsrc is-live=true ! video/x-raw,width=640,height=360,framerate=30/1',
    '! vp8enc deadline=1 cpu-used=8 target-bitrate=800000 keyframe-max-dist=30',
    `! rtpvp8pay pt=${video?.payloadType} ssrc=${video?.ssrc} picture-id-mode=15-bit mtu=1200 ${sinks(0, video)}`,
    'audiotestsrc is-live=true wave=ticks ! audio/x-raw,rate=48000,channels=2',
    `! opusenc ! rtpopuspay pt=${audio?.payloadType} ssrc=${audio?.ssrc} ${sinks(1, audio)}`,
  ].join(' ');
}

/**
 * A GStreamer pipeline that shows and plays what a viewer receives, and reports to the worker how it arrives.
 *
 * @param {Viewer} viewer
 */
export function gstreamerPlays({ ip, streams, transports }) {
  const branches = streams.map(({ kind, port, payloadType, encoding }, session) => {
    const [name = '', clockRate] = encoding.split('/');
    const decode =
      kind === 'video'
        ? 'rtpvp8depay ! vp8dec ! videoconvert ! autovideosink'
        : 'rtpopusdepay ! opusdec ! audioconvert ! audioresample ! autoaudiosink';
    const caps = `application/x-rtp,media=${kind},encoding-name=${name.toUpperCase()},clock-rate=${clockRate},payload=${payloadType}`;
    // Reports leave from the port where they are received: the worker takes them from nowhere else.
    const workerPort = transports[session]?.rtcpTuple?.localPort;
    return [
      `udpsrc address=${ip} port=${port} caps='${caps}' ! rtp.recv_rtp_sink_${session}`,
      `rtp. ! application/x-rtp,media=${kind} ! ${decode}`,
      `udpsrc address=${ip} port=${port + 1} ! rtp.recv_rtcp_sink_${session}`,
      `rtp.send_rtcp_src_${session} ! udpsink host=${ip} port=${workerPort} bind-port=${port + 1} sync=false async=false`,
    ].join(' ');
  });
  return `gst-launch-1.0 rtpbin name=rtp latency=100 ${branches.join(' ')}`;
}

/**
 * A line that a shell understands as `program` with these arguments.
 *
 * @param {string} program
 * @param {string[]} programArguments
 */
export const commandLine = (program, programArguments) =>
  [program, ...programArguments.map(quoted)].join(' ');

/** @param {string} word */
const quoted = (word) =>
  /^[\w\-./:=,@%+]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;

/** @param {string} line */
const words = (line) => line.split(' ');

/** @param {string} file */
const input = (file) => [...words('-protocol_whitelist file,udp,rtp -i'), file];

/** @param {Output | undefined} output */
function rtp(output) {
  if (!output) return [];
  const { payloadType, ssrc, ip, port, rtcpPort } = output;
  // Room for a worker's own header extensions below the usual 1,500 bytes.
  const url = `rtp://${isIPv6(ip) ? `[${ip}]` : ip}:${port}?rtcpport=${rtcpPort}&pkt_size=1200`;
  return [...words(`-payload_type ${payloadType} -ssrc ${ssrc} -f rtp`), url];
}

/**
 * RTP and RTCP of one rtpbin session to the worker.
 *
 * @param {number} session
 * @param {Output | undefined} output
 */
const sinks = (session, output) =>
  `! rtp.send_rtp_sink_${session} rtp.send_rtp_src_${session} ! udpsink host=${output?.ip} port=${output?.port} ` +
  `rtp.send_rtcp_src_${session} ! udpsink host=${output?.ip} port=${output?.rtcpPort} sync=false async=false`;

const QUIET = words('-hide_banner -loglevel error -nostdin');
const CAMERA =
  '-re -f lavfi -i testsrc2=size=640x360:rate=30 ' +
  '-re -f lavfi -i sine=frequency=440:beep_factor=4:sample_rate=48000';
// Without alternative reference frames: they are invisible, and RTP receivers cannot place them.
const VP8 = '-map 0:v:0 -c:v libvpx -deadline realtime -cpu-used 8 -b:v 800k -g 30 -auto-alt-ref 0';
const OPUS = '-map 1:a:0 -ac 2 -c:a libopus -b:a 48k';
