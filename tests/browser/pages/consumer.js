import { watchClock } from "./clock.js";
import { measure } from "./measurement.js";
import { watch } from "./picture.js";
import { connectToSignalling, errorText } from "./signalling-connection.js";

/** @import { ConsumerSession } from "./session-types.js" */
/** @import { Goal } from "./measurement.js" */

/** How often what came is read. */
const SAMPLE_EVERY_MS = 100;

const api = connectToSignalling();
const video = /** @type {HTMLVideoElement} */ (document.querySelector("video"));
/** @type {ConsumerSession | null} */
let session = null;

/**
 * Starts to play a producer.
 *
 * @param {string} producerId
 * @param {RTCOfferOptions | null} offerOptions what to offer; null if the producer is to offer
 * @param {string | null} [onlyVideoCodec] the one codec to take of those that the producer offers; null for any
 */
function play(producerId, offerOptions, onlyVideoCodec = null) {
  const created = offerOptions
    ? api.createConsumerSessionWithOfferOptions(producerId, offerOptions)
    : api.createConsumerSession(producerId);
  if (!created) {
    throw new Error("the API made no consumer session");
  }
  session = created;
  created.addEventListener("error", (event) => void window.report("sessionError", errorText(event)));
  created.addEventListener("closed", () => {
    void window.report("consumerSessionClosed", { peerId: created.peerId, sessionId: created.sessionId });
  });
  created.addEventListener("streamsChanged", () => {
    video.srcObject = created.streams[0] ?? null;
  });
  if (onlyVideoCodec !== null) {
    created.addEventListener("rtcPeerConnectionChanged", () => {
      // It also changes when it goes.
      if (created.rtcPeerConnection) {
        takeOnly(created.rtcPeerConnection, onlyVideoCodec);
      }
    });
  }
  if (!created.connect()) {
    throw new Error("the consumer session did not connect");
  }
}

/**
 * Makes a connection answer with one codec for video, as a viewer does that has no other.
 *
 * @param {RTCPeerConnection} connection
 * @param {string} codec its media type
 */
function takeOnly(connection, codec) {
  connection.addEventListener("signalingstatechange", () => {
    if (connection.signalingState !== "have-remote-offer") {
      return;
    }
    const known = RTCRtpReceiver.getCapabilities("video")?.codecs ?? [];
    const wanted = known.filter(({ mimeType }) => [codec, "video/rtx"].includes(mimeType));
    for (const transceiver of connection.getTransceivers()) {
      if (transceiver.receiver.track.kind === "video") {
        transceiver.setCodecPreferences(wanted);
      }
    }
  });
}

/** Ends the session. */
function stop() {
  session?.close();
}

/**
 * @param {number} frames how many to wait for
 * @param {number} deadlineMs
 * @returns what the video element has shown since the call, and what kinds of track it plays
 */
async function picture(frames, deadlineMs) {
  const seen = await watch(video, frames, deadlineMs);
  const stream = /** @type {MediaStream | null} */ (video.srcObject);
  return { ...seen, tracks: (stream?.getTracks() ?? []).map((track) => track.kind).sort() };
}

/**
 * Waits until the tracks that are received are of these kinds, and until each has got so much more.
 *
 * @param {string[]} kinds in order
 * @param {number} more pictures of video, packets of audio
 * @param {number} deadlineMs
 * @returns {Promise<string[]>} the kinds of those that got so much at last
 */
async function tracks(kinds, more, deadlineMs) {
  const giveUp = performance.now() + deadlineMs;
  /** @type {Map<string, number>} */
  const before = new Map();
  for (;;) {
    const counts = await counted();
    for (const [id, { count }] of counts) {
      before.set(id, before.get(id) ?? count);
    }
    const going = [...counts].filter(([id, { count }]) => count >= (before.get(id) ?? count) + more);
    const found = going.map(([, { kind }]) => kind).sort();
    if ((found.length === kinds.length && counts.size === kinds.length) || performance.now() > giveUp) {
      return found;
    }
    await new Promise((resolve) => window.setTimeout(resolve, SAMPLE_EVERY_MS));
  }
}

/** @returns {Promise<Map<string, { kind: string, count: number }>>} what came of each track that is received now */
async function counted() {
  /** @type {Map<string, { kind: string, count: number }>} */
  const counts = new Map();
  for (const transceiver of session?.rtcPeerConnection?.getTransceivers() ?? []) {
    if (!["recvonly", "sendrecv"].includes(transceiver.currentDirection ?? "")) {
      continue;
    }
    const { track } = transceiver.receiver;
    let count = 0;
    for (const entry of (await transceiver.receiver.getStats()).values()) {
      if (entry.type === "inbound-rtp") {
        count = Math.max(count, entry.framesDecoded ?? 0, track.kind === "audio" ? entry.packetsReceived : 0);
      }
    }
    counts.set(track.id, { kind: track.kind, count });
  }
  return counts;
}

/**
 * @param {Goal} goal
 * @returns what a viewer notices of the session, measured when the goal is reached or the time is over
 */
function measured(goal) {
  if (!session?.rtcPeerConnection) {
    throw new Error("there is no session to measure");
  }
  return measure(session.rtcPeerConnection, video, goal);
}

const page = {
  play,
  stop,
  picture,
  tracks,
  measured,
  /** @param {Parameters<typeof watchClock>[1]} how */
  clock: (how) => watchClock(video, how),
  available: () => api.getAvailableProducers(),
};
/** @typedef {typeof page} ConsumerPage */
window.consumer = page;
