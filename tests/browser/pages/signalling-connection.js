import GstWebRTCAPI from "gstwebrtc-api";

/** Short, so that a test of reconnection need not wait for the API's 2.5 seconds. */
const RECONNECTION_MS = 300;

/**
 * Connects to the server that the page's address names and reports what the API's listeners hear.
 *
 * @returns {GstWebRTCAPI} the API under test
 */
export function connectToSignalling() {
  const query = new URLSearchParams(window.location.search);
  const api = new GstWebRTCAPI({
    meta: JSON.parse(query.get("meta") ?? "{}"),
    signalingServerUrl: query.get("signalling") ?? "",
    reconnectionTimeout: RECONNECTION_MS,
    // The default names public STUN servers, which a test must not contact.
    webrtcConfig: { iceServers: [], bundlePolicy: "max-bundle" },
  });
  api.registerConnectionListener({
    connected: (clientId) => void window.report("connected", clientId),
    disconnected: () => void window.report("disconnected", null),
  });
  api.registerPeerListener({
    producerAdded: (peer) => void window.report("producerAdded", peer),
    producerRemoved: (peer) => void window.report("producerRemoved", peer),
    consumerAdded: (peer) => void window.report("consumerAdded", peer),
    consumerRemoved: (peer) => void window.report("consumerRemoved", peer),
  });
  return api;
}

/**
 * @param {Event} event an `error` event of a session
 * @returns {string} what it says
 */
export function errorText(event) {
  return event instanceof ErrorEvent ? `${event.message}: ${event.error}` : String(event);
}
