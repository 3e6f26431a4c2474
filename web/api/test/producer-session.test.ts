import { describe, expect, it, vi } from "vitest";
import { SessionState, type ClientSession } from "../src/index.js";
import { MAX_CLIENT_SESSIONS } from "../src/producer-session.js";
import { FakeMediaStream, FakePeerConnection, settle, useFakeBrowser } from "./fakes.js";
import { connected, eventsOf, welcome } from "./stage.js";

useFakeBrowser();

const PRODUCING = { type: "peerStatusChanged", peerId: "me", roles: ["listener", "producer"], meta: null };

function producing(config = {}) {
  const stage = connected(config);
  const stream = new FakeMediaStream(["video", "audio"]);
  const session = stage.api.createProducerSession(stream as never);
  if (!session) {
    throw new Error("no session was made");
  }
  const clients: ClientSession[] = [];
  session.addEventListener("clientConsumerAdded", (event) => {
    clients.push((event as CustomEvent<ClientSession>).detail);
  });
  session.start();
  stage.socket.say(PRODUCING);
  stage.socket.taken();
  return { ...stage, stream, session, clients };
}

describe("a producer session", () => {
  it("streams once the server lists it", () => {
    const { api, socket } = connected({ meta: { name: "cam" } });
    const stream = new FakeMediaStream(["video"]);
    expect(api.createProducerSession({} as never)).toBeNull();
    const session = api.createProducerSession(stream as never);
    expect(api.createProducerSession(stream as never)).toBe(session);
    expect(api.createProducerSession(new FakeMediaStream() as never)).toBeNull();
    expect(session?.start()).toBe(true);
    expect(session?.state).toBe(SessionState.connecting);
    expect(socket.taken()).toEqual([
      { type: "setPeerStatus", peerId: "me", roles: ["listener", "producer"], meta: { name: "cam" } },
    ]);
    socket.say(PRODUCING);
    expect(session?.state).toBe(SessionState.streaming);
    api.setMeta({ name: "other" });
    expect(socket.taken()).toEqual([
      { type: "setPeerStatus", peerId: "me", roles: ["listener", "producer"], meta: { name: "other" } },
    ]);
  });

  it("offers its tracks to each consumer", async () => {
    const { socket, clients, session } = producing();
    const removed: unknown[] = [];
    session.addEventListener("clientConsumerRemoved", (event) => removed.push((event as CustomEvent).detail));
    socket.say({ type: "startSession", peerId: "c", sessionId: "s", offer: null });
    await settle();
    expect(FakePeerConnection.last.done).toEqual([
      "addTrack video",
      "addTrack audio",
      "createOffer",
      "setLocalDescription offer",
    ]);
    expect(socket.taken()).toEqual([{ type: "peer", sessionId: "s", sdp: { type: "offer", sdp: "my offer" } }]);
    expect(clients.map(({ peerId, sessionId, state }) => [peerId, sessionId, state])).toEqual([
      ["c", "s", SessionState.streaming],
    ]);
    socket.say({ type: "peer", sessionId: "s", sdp: { type: "answer", sdp: "their answer" } });
    await settle();
    expect(FakePeerConnection.last.done.at(-1)).toBe("setRemoteDescription answer their answer");
    socket.say({ type: "endSession", sessionId: "s" });
    expect(removed).toEqual(clients);
    expect(session.state).toBe(SessionState.streaming);
  });

  it("answers a consumer that makes the offer", async () => {
    const { socket } = producing();
    socket.say({ type: "startSession", peerId: "c", sessionId: "s", offer: "their offer" });
    await settle();
    expect(FakePeerConnection.last.done).toEqual([
      "setRemoteDescription offer their offer",
      "addTrack video",
      "addTrack audio",
      "createAnswer",
      "setLocalDescription answer",
    ]);
    expect(socket.taken()).toEqual([{ type: "peer", sessionId: "s", sdp: { type: "answer", sdp: "my answer" } }]);
  });

  it("outlives the failure of one consumer, and tells of it", async () => {
    const { socket, session } = producing();
    const events = eventsOf(session);
    socket.say({ type: "startSession", peerId: "c", sessionId: "s", offer: null });
    FakePeerConnection.last.become("failed");
    await settle();
    expect(events).toEqual(["error: with consumer c: the media connection failed"]);
    expect(session.state).toBe(SessionState.streaming);
  });

  it("calls the consumer that it is for, once", () => {
    const { api, socket } = connected();
    api.createProducerSessionForConsumer(new FakeMediaStream(["video"]) as never, "screen")?.start();
    socket.taken();
    socket.say(PRODUCING);
    socket.say(PRODUCING);
    expect(socket.taken()).toEqual([{ type: "startSession", peerId: "screen" }]);
    expect(connected().api.createProducerSessionForConsumer(new FakeMediaStream() as never, "")).toBeNull();
  });

  it("stops the tracks and all sessions when it closes", async () => {
    const { api, socket, session, stream, clients } = producing();
    socket.say({ type: "startSession", peerId: "c", sessionId: "s", offer: null });
    await settle();
    socket.taken();
    session.close();
    expect(stream.tracks.every(({ stopped }) => stopped)).toBe(true);
    expect(clients[0]?.state).toBe(SessionState.closed);
    expect(socket.taken()).toEqual([
      { type: "endSession", sessionId: "s" },
      { type: "setPeerStatus", peerId: "me", roles: ["listener"], meta: null },
    ]);
    socket.say({ type: "startSession", peerId: "c", sessionId: "late", offer: null });
    expect(socket.taken()).toEqual([{ type: "endSession", sessionId: "late" }]);
    expect(api.createProducerSession(new FakeMediaStream() as never)).not.toBeNull();
  });

  it("turns away consumers beyond its limit", () => {
    const { socket, clients } = producing();
    for (let index = 0; index <= MAX_CLIENT_SESSIONS; index += 1) {
      socket.say({ type: "startSession", peerId: `c${index}`, sessionId: `s${index}`, offer: null });
    }
    expect(clients.length).toBe(MAX_CLIENT_SESSIONS);
    expect(socket.taken().at(-1)).toEqual({ type: "endSession", sessionId: `s${MAX_CLIENT_SESSIONS}` });
  });

  it("is listed again when the server is back, and keeps who is connected", () => {
    const { socket, session, clients } = producing();
    socket.say({ type: "startSession", peerId: "c", sessionId: "s", offer: null });
    FakePeerConnection.last.become("connected");
    socket.say({ type: "startSession", peerId: "d", sessionId: "t", offer: null });
    socket.drop();
    expect(clients.map(({ state }) => state)).toEqual([SessionState.streaming, SessionState.closed]);
    vi.advanceTimersByTime(2_500);
    const next = welcome("me again", ["listener", "producer"]);
    expect(next).not.toBe(socket);
    expect(session.state).toBe(SessionState.streaming);
    next.say({ type: "startSession", peerId: "e", sessionId: "u", offer: null });
    expect(clients.length).toBe(3);
  });

  it("ends with the server if it is not to be kept", () => {
    const { socket, session } = producing({ keepSessions: false });
    socket.drop();
    expect(session.state).toBe(SessionState.closed);
  });
});
