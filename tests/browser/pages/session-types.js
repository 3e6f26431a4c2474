// The package exports its API class only, so the types of its sessions are derived from the methods that make them.

/** @typedef {import("gstwebrtc-api").default} GstWebRTCAPI */
/** @typedef {ReturnType<GstWebRTCAPI["createProducerSession"]>} ProducerSession */
/** @typedef {ReturnType<GstWebRTCAPI["createConsumerSession"]>} ConsumerSession */
/** @typedef {Pick<ConsumerSession, "peerId" | "sessionId" | "close" | "rtcPeerConnection">} ClientSession */

export {};
