// A whole viewer of the JSON protocol, without any library: it listens for producers, calls one, and
// answers what that offers. What comes from the network is shown as text, never as HTML.

const RECONNECTION_MS = 1_000;

const element = (id) => document.getElementById(id);
const video = document.querySelector("video");
const producers = new Map();
let socket;
let call = null;

function connect() {
  socket = new WebSocket(document.body.dataset.signalling);
  socket.onmessage = ({ data }) => hear(JSON.parse(data));
  socket.onclose = () => {
    // What plays goes on: only the signalling is lost.
    producers.clear();
    showProducers();
    setTimeout(connect, RECONNECTION_MS);
  };
}

function say(message) {
  socket.send(JSON.stringify(message));
}

function hear(message) {
  switch (message.type) {
    case "welcome":
      say({ type: "setPeerStatus", roles: ["listener"] });
      say({ type: "list" });
      break;
    case "list":
      message.producers.forEach(({ id, meta }) => producers.set(id, meta));
      return chooseProducer();
    case "peerStatusChanged":
      if (message.roles.includes("producer")) {
        producers.set(message.peerId, message.meta);
      } else {
        producers.delete(message.peerId);
      }
      return chooseProducer();
    case "sessionStarted":
      if (call?.producer === message.peerId) {
        call.session = message.sessionId;
      }
      break;
    case "peer":
      if (call?.session === message.sessionId) {
        // One after the other: a candidate may come while the offer before it is still being read.
        const current = call;
        current.heard = current.heard.then(() => negotiate(current, message)).catch((error) => fail(current, error));
      }
      break;
    case "endSession":
      if (call?.session === message.sessionId) {
        hangUp();
        show("ended by the producer");
        showProducers();
      }
      break;
    case "error":
      show(`error: ${message.details}`, "failed");
      break;
  }
}

async function negotiate({ peer, session }, { sdp, ice }) {
  if (sdp) {
    await peer.setRemoteDescription(sdp);
    await peer.setLocalDescription();
    say({ type: "peer", sessionId: session, sdp: { type: "answer", sdp: peer.localDescription.sdp } });
  } else if (ice) {
    await peer.addIceCandidate(ice);
  }
}

function play(producer) {
  if (call?.session && socket.readyState === WebSocket.OPEN) {
    say({ type: "endSession", sessionId: call.session });
  }
  hangUp();
  const peer = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
  const current = { producer, peer, session: null, heard: Promise.resolve() };
  call = current;
  peer.onicecandidate = ({ candidate }) => {
    if (candidate && call === current && socket.readyState === WebSocket.OPEN) {
      const ice = { candidate: candidate.candidate, sdpMLineIndex: candidate.sdpMLineIndex };
      say({ type: "peer", sessionId: current.session, ice });
    }
  };
  peer.onconnectionstatechange = () => show(peer.connectionState, peer.connectionState);
  peer.ontrack = ({ streams }) => {
    video.srcObject = streams[0];
  };
  say({ type: "startSession", peerId: producer });
  show("calling");
  showProducers();
}

function hangUp() {
  call?.peer.close();
  call = null;
  video.srcObject = null;
  element("figures").textContent = "";
}

function fail(current, error) {
  if (call === current) {
    show(`failed: ${error.message}`, "failed");
  }
}

/** Calls the first producer if there is no call; a producer that came back is called again. */
function chooseProducer() {
  const [first] = producers.keys();
  if (first && (!call || !producers.has(call.producer))) {
    play(first);
  } else if (!first && !call) {
    show("waiting for a producer");
  }
  showProducers();
}

function showProducers() {
  const buttons = [...producers].map(([id, meta]) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = typeof meta?.name === "string" ? meta.name : id.slice(0, 8);
    button.title = id;
    button.ariaPressed = String(call?.producer === id);
    button.onclick = () => play(id);
    return button;
  });
  element("producers").replaceChildren(...buttons);
}

function show(text, state = "") {
  element("state").textContent = text;
  element("state").dataset.state = state;
}

/** Frames and bits in the second that passed. */
async function showFigures() {
  const current = call;
  if (!current || current.peer.connectionState !== "connected") {
    return;
  }
  const report = await current.peer.getStats();
  const streams = [...report.values()].filter(({ type }) => type === "inbound-rtp");
  const picture = streams.find(({ kind }) => kind === "video");
  const bytes = streams.reduce((sum, stream) => sum + (stream.bytesReceived ?? 0), 0);
  const now = { time: performance.now(), frames: picture?.framesDecoded ?? 0, bytes };
  const { before } = current;
  current.before = now;
  if (call !== current || !before || !picture) {
    return;
  }
  const seconds = (now.time - before.time) / 1_000;
  const figures = [
    `${video.videoWidth}×${video.videoHeight}`,
    `${Math.round((now.frames - before.frames) / seconds)} frames/s`,
    `${Math.round(((now.bytes - before.bytes) * 8) / seconds / 1_000)} kbit/s`,
    report.get(picture.codecId)?.mimeType.split("/")[1] ?? "",
  ];
  element("figures").textContent = figures.filter(Boolean).join("  ·  ");
}

element("sound").onclick = ({ currentTarget }) => {
  video.muted = !video.muted;
  currentTarget.ariaPressed = String(!video.muted);
};
setInterval(() => void showFigures(), 1_000);
connect();
