import { watchClock } from "./clock.js";
import { measure } from "./measurement.js";
import { watch } from "./picture.js";
import { connectToSignalling, errorText } from "./signalling-connection.js";

/** @import { ConsumerSession } from "./session-types.js" */
/** @import { Goal } from "./measurement.js" */

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
  measured,
  /** @param {Parameters<typeof watchClock>[1]} how */
  clock: (how) => watchClock(video, how),
  available: () => api.getAvailableProducers(),
};
/** @typedef {typeof page} ConsumerPage */
window.consumer = page;
