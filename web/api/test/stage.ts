import { GstWebRTCAPI, type ConsumerSession, type GstWebRTCConfig, type WebRTCSession } from "../src/index.js";
import { FakeWebSocket } from "./fakes.js";

/** An API that a server has welcomed and registered as "me"; what it sent until then is taken. */
export function connected(config: Partial<GstWebRTCConfig> = {}): { api: GstWebRTCAPI; socket: FakeWebSocket } {
  const api = new GstWebRTCAPI(config);
  return { api, socket: welcome("me") };
}

/** Plays the server to the newest socket until the client is registered. */
export function welcome(peerId: string, roles = ["listener"]): FakeWebSocket {
  const socket = FakeWebSocket.last;
  socket.open();
  socket.say({ type: "welcome", peerId });
  socket.say({ type: "peerStatusChanged", peerId, roles, meta: null });
  socket.taken();
  return socket;
}

/** A consumer session with the producer "p" under the id "s", and what it tells. */
export function consuming(api: GstWebRTCAPI, socket: FakeWebSocket): { session: ConsumerSession; events: string[] } {
  const session = api.createConsumerSession("p");
  if (!session) {
    throw new Error("no session was made");
  }
  const events = eventsOf(session);
  session.connect();
  socket.say({ type: "sessionStarted", peerId: "p", sessionId: "s" });
  socket.taken();
  return { session, events };
}

/** The names of a session's events from now on, that of an error with its message. */
export function eventsOf(session: WebRTCSession | EventTarget): string[] {
  const events: string[] = [];
  for (const name of ["stateChanged", "rtcPeerConnectionChanged", "streamsChanged", "closed"]) {
    session.addEventListener(name, () => events.push(name));
  }
  session.addEventListener("error", (event) => events.push(`error: ${(event as ErrorEvent).message}`));
  return events;
}
