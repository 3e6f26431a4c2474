import { watch } from "./picture.js";
import { connectToSignalling, errorText } from "./signalling-connection.js";

/** @import { ConsumerSession } from "./session-types.js" */

const api = connectToSignalling();
const video = /** @type {HTMLVideoElement} */ (document.querySelector("video"));
/** @type {ConsumerSession | null} */
let session = null;

/**
 * Starts to play a producer.
 *
 * @param {string} producerId
 * @param {RTCOfferOptions | null} offerOptions what to offer; null if the producer is to offer
 */
function play(producerId, offerOptions) {
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
  if (!created.connect()) {
    throw new Error("the consumer session did not connect");
  }
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

const page = {
  play,
  stop,
  picture,
  available: () => api.getAvailableProducers(),
};
/** @typedef {typeof page} ConsumerPage */
window.consumer = page;
