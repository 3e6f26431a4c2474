import GstWebRTCAPI from "gstwebrtc-api";
import { connectToSignalling, errorText } from "./signalling-connection.js";

/** @import { ProducerSession, ClientSession } from "./session-types.js" */

const api = connectToSignalling();
/** @type {ProducerSession | null} */
let session = null;
/** @type {Map<string, ClientSession>} */
const clients = new Map();

/**
 * @param {Event} event a `clientConsumerAdded` or `clientConsumerRemoved` event
 * @returns {ClientSession} the session that it is about
 */
function clientOf(event) {
  return /** @type {CustomEvent<ClientSession>} */ (event).detail;
}

/**
 * Offers the fake camera and microphone to everybody, or calls one passive consumer with it.
 *
 * @param {string} [consumerId]
 * @param {number} [cameras] how many streams of video
 * @returns {Promise<void>}
 */
async function start(consumerId, cameras = 1) {
  const stream = await navigator.mediaDevices.getUserMedia({
    audio: true,
    video: { width: 320, height: 240, frameRate: 30 },
  });
  for (let further = 1; further < cameras; further += 1) {
    const [first] = stream.getVideoTracks();
    if (first) {
      stream.addTrack(first.clone());
    }
  }
  const created = consumerId
    ? api.createProducerSessionForConsumer(stream, consumerId)
    : api.createProducerSession(stream);
  if (!created) {
    throw new Error("the API made no producer session");
  }
  session = created;
  created.addEventListener("stateChanged", () => {
    if (created.state === GstWebRTCAPI.SessionState.streaming) {
      void window.report("producing", null);
    }
  });
  created.addEventListener("closed", () => void window.report("producerSessionClosed", null));
  created.addEventListener("error", (event) => void window.report("sessionError", errorText(event)));
  created.addEventListener("clientConsumerAdded", (event) => {
    const client = clientOf(event);
    clients.set(client.sessionId, client);
    void window.report("clientConsumerAdded", { peerId: client.peerId, sessionId: client.sessionId });
  });
  created.addEventListener("clientConsumerRemoved", (event) => {
    const client = clientOf(event);
    clients.delete(client.sessionId);
    void window.report("clientConsumerRemoved", { peerId: client.peerId, sessionId: client.sessionId });
  });
  if (!created.start()) {
    throw new Error("the producer session did not start");
  }
}

/** Stops producing. */
function stop() {
  session?.close();
}

/**
 * Ends one consumer's session and goes on producing.
 *
 * @param {string} sessionId
 */
function dismiss(sessionId) {
  const client = clients.get(sessionId);
  if (!client) {
    throw new Error(`no client session ${sessionId}`);
  }
  client.close();
}

const page = { start, stop, dismiss };
/** @typedef {typeof page} ProducerPage */
window.producer = page;
