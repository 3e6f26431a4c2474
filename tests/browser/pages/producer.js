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

/**
 * Adds another stream of video to a consumer's session, and one of audio, by a further offer.
 *
 * @param {string} sessionId
 */
async function addTracks(sessionId) {
  const connection = connectionOf(sessionId);
  // What is done before comes with the first offer.
  while (connection.connectionState !== "connected") {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const stream = await navigator.mediaDevices.getUserMedia({
    audio: true,
    video: { width: 320, height: 240, frameRate: 30 },
  });
  for (const track of stream.getTracks()) {
    connection.addTrack(track, stream);
  }
  await offerAgain(sessionId);
}

/**
 * Adds a stream of video in several encodings to a consumer's session, by a further offer.
 *
 * @param {string} sessionId
 * @param {RTCRtpEncodingParameters[]} sendEncodings
 */
async function addSimulcast(sessionId, sendEncodings) {
  const connection = connectionOf(sessionId);
  // What is done before comes with the first offer.
  while (connection.connectionState !== "connected") {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  // The largest is sent once the path is taken to carry it, of which Chromium is slow to be sure on a busy machine.
  const setRemote = connection.setRemoteDescription.bind(connection);
  connection.setRemoteDescription = (/** @type {RTCSessionDescriptionInit} */ { type, sdp }) =>
    setRemote({ type, sdp: sdp?.replace(/^a=rtpmap:(\d+) VP8\/90000\r\n/gm, "$&a=fmtp:$1 x-google-min-bitrate=1500\r\n") });
  // Chromium makes three encodings of no smaller picture, and the camera is in use as it is.
  const stream = movingPicture(960, 540);
  for (const track of stream.getTracks()) {
    const { sender } = connection.addTransceiver(track, {
      direction: "sendonly",
      streams: [stream],
      sendEncodings,
    });
    // On a busy machine, fewer pictures instead of smaller ones, of which there would be fewer encodings.
    const parameters = /** @type {any} */ (sender.getParameters());
    parameters.degradationPreference = "maintain-resolution";
    await sender.setParameters(parameters);
  }
  await offerAgain(sessionId);
}

/**
 * @param {number} width
 * @param {number} height
 * @returns {MediaStream} a picture in which something moves
 */
function movingPicture(width, height) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  let place = 0;
  const draw = () => {
    place = (place + 8) % width;
    context.fillStyle = "navy";
    context.fillRect(0, 0, width, height);
    context.fillStyle = "white";
    context.fillRect(place, height / 4, height / 4, height / 2);
  };
  window.setInterval(draw, 100);
  return canvas.captureStream(10);
}

/**
 * Stops or resumes the first stream of video of a consumer's session, by a further offer.
 *
 * @param {string} sessionId
 * @param {RTCRtpTransceiverDirection} direction
 */
async function setDirection(sessionId, direction) {
  const videos = connectionOf(sessionId)
    .getTransceivers()
    .filter((transceiver) => transceiver.sender.track?.kind === "video");
  if (videos[0]) {
    videos[0].direction = direction;
  }
  await offerAgain(sessionId);
}

/** @param {string} sessionId */
function connectionOf(sessionId) {
  const connection = clients.get(sessionId)?.rtcPeerConnection;
  if (!(connection instanceof RTCPeerConnection)) {
    throw new Error(`no connection of ${sessionId}`);
  }
  return connection;
}

/**
 * Offers once more, past the API, which takes the answer.
 *
 * @param {string} sessionId
 */
async function offerAgain(sessionId) {
  const connection = connectionOf(sessionId);
  await connection.setLocalDescription();
  const { _comChannel: channel } = /** @type {any} */ (clients.get(sessionId));
  channel.send({ type: "peer", sessionId, sdp: connection.localDescription?.toJSON() });
  while (connection.signalingState !== "stable") {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const page = { start, stop, dismiss, addTracks, addSimulcast, setDirection };
/** @typedef {typeof page} ProducerPage */
window.producer = page;
