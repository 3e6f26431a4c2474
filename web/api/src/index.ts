/** Plays and sends WebRTC streams of GStreamer's `webrtcsink` and `webrtcsrc` in a browser. */

export { GstWebRTCAPI, GstWebRTCAPI as default } from "./gstwebrtc-api.js";
export type { ConnectionListener, PeerListener } from "./gstwebrtc-api.js";
export type { GstWebRTCConfig } from "./config.js";
export type { Latency } from "./latency.js";
export type { Peer } from "./peers.js";
export type { Refusal } from "./refusals.js";
export { SessionState } from "./session-state.js";
export { WebRTCSession } from "./webrtc-session.js";
export { ConsumerSession } from "./consumer-session.js";
export { ProducerSession } from "./producer-session.js";
export { ClientSession } from "./client-session.js";
