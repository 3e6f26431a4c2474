import { describe, expect, it, vi } from "vitest";
import { GstWebRTCAPI, SessionState } from "../src/index.js";
import { MAX_EARLY_CANDIDATES, MAX_WAITING_DESCRIPTIONS } from "../src/negotiation.js";
import { CONNECT_DEADLINE_MS, MAX_HELD_CANDIDATES } from "../src/webrtc-session.js";
import { FakeMediaStream, FakePeerConnection, settle, useFakeBrowser } from "./fakes.js";
import { connected, consuming, eventsOf, welcome } from "./stage.js";

useFakeBrowser();

const OFFER = { type: "peer", sessionId: "s", sdp: { type: "offer", sdp: "their offer" } };

describe("a consumer session", () => {
  it("answers the producer's offer and streams", async () => {
    const { api, socket } = connected({ webrtcConfig: { iceServers: [] } });
    const session = api.createConsumerSession("p");
    expect(session?.peerId).toBe("p");
    expect(session?.state).toBe(GstWebRTCAPI.SessionState.idle);
    expect(api.createConsumerSession("p")).toBe(session);
    expect(session?.connect()).toBe(true);
    expect(session?.connect()).toBe(true);
    expect(socket.taken()).toEqual([{ type: "startSession", peerId: "p" }]);
    socket.say({ type: "sessionStarted", peerId: "p", sessionId: "s" });
    expect(session?.sessionId).toBe("s");
    expect(session?.rtcPeerConnection).toBeNull();

    socket.say({ type: "peer", sessionId: "s", ice: { candidate: "early", sdpMLineIndex: 0 } });
    socket.say(OFFER);
    await settle();
    const connection = FakePeerConnection.last;
    expect(connection.configuration).toEqual({ iceServers: [] });
    expect(connection.done).toEqual([
      "setRemoteDescription offer their offer",
      "addIceCandidate early",
      "createAnswer",
      "setLocalDescription answer",
    ]);
    connection.gather("mine", 1);
    expect(socket.taken()).toEqual([
      { type: "peer", sessionId: "s", sdp: { type: "answer", sdp: "my answer" } },
      { type: "peer", sessionId: "s", ice: { candidate: "mine", sdpMLineIndex: 1 } },
    ]);
    const stream = new FakeMediaStream(["video"]);
    connection.track("video", [stream]);
    expect(session?.state).toBe(SessionState.streaming);
    expect(session?.streams).toEqual([stream]);
    stream.tracks.pop();
    stream.dispatchEvent(new Event("removetrack"));
    expect(session?.streams).toEqual([]);
    connection.track("audio", []);
    expect(session?.streams[0]?.getTracks().map(({ kind }) => kind)).toEqual(["audio"]);
  });

  it("makes the offer when it has options, and holds its candidates until it has an id", async () => {
    const { api, socket } = connected();
    const session = api.createConsumerSessionWithOfferOptions("p", { offerToReceiveVideo: true, iceRestart: false });
    session?.connect();
    await settle();
    const connection = FakePeerConnection.last;
    expect(connection.done).toEqual([
      "addTransceiver video recvonly",
      'createOffer {"iceRestart":false}',
      "setLocalDescription offer",
    ]);
    connection.gather("mine");
    expect(socket.taken()).toEqual([{ type: "startSession", peerId: "p", offer: "my offer" }]);
    socket.say({ type: "sessionStarted", peerId: "p", sessionId: "s" });
    expect(socket.taken()).toEqual([{ type: "peer", sessionId: "s", ice: { candidate: "mine", sdpMLineIndex: 0 } }]);
    socket.say({ type: "peer", sessionId: "s", sdp: { type: "answer", sdp: "their answer" } });
    await settle();
    expect(connection.done.at(-1)).toBe("setRemoteDescription answer their answer");
  });

  it("holds no more candidates than there is room for", async () => {
    const { api, socket } = connected();
    api.createConsumerSessionWithOfferOptions("p", {})?.connect();
    await settle();
    for (let index = 0; index <= MAX_HELD_CANDIDATES; index += 1) {
      FakePeerConnection.last.gather(String(index));
    }
    socket.taken();
    socket.say({ type: "sessionStarted", peerId: "p", sessionId: "s" });
    expect(socket.taken().length).toBe(MAX_HELD_CANDIDATES);
  });

  it("closes, once, with a reason for those who understand one", async () => {
    const { api, socket } = connected();
    const { session, events } = consuming(api, socket);
    socket.say(OFFER);
    await settle();
    socket.taken();
    session.close("enough");
    session.close();
    expect(socket.taken()).toEqual([
      { type: "endSessionV1_1", sessionId: "s", error: "enough" },
      { type: "endSession", sessionId: "s" },
    ]);
    expect(FakePeerConnection.last.done.at(-1)).toBe("close");
    expect(session.rtcPeerConnection).toBeNull();
    expect(events).toEqual([
      "stateChanged",
      "rtcPeerConnectionChanged",
      "stateChanged",
      "rtcPeerConnectionChanged",
      "closed",
    ]);
    expect(session.connect()).toBe(false);
    expect(api.createConsumerSession("p")).not.toBe(session);
  });

  it("ends with the producer's reason", () => {
    const { api, socket } = connected();
    const { session, events } = consuming(api, socket);
    socket.say({ type: "endSessionV1_1", sessionId: "s", error: "no common codec" });
    expect(session.state).toBe(SessionState.closed);
    expect(events).toContain("error: no common codec");
    expect(socket.taken()).toEqual([]);
  });

  it.each([{ type: "endSession" }, { type: "endSessionV1_1", error: null }])("ends without a reason by %j", (end) => {
    const { api, socket } = connected();
    const { events } = consuming(api, socket);
    socket.say({ ...end, sessionId: "s" });
    expect(events).toEqual(["stateChanged", "stateChanged", "closed"]);
  });

  it("fails with what the server says of its producer", () => {
    const { api, socket } = connected();
    const session = api.createConsumerSession("p-1");
    const events = eventsOf(session as EventTarget);
    session?.connect();
    socket.say({ type: "error", details: "Peer with ID 'p-1' not found" });
    expect(events).toContain("error: Peer with ID 'p-1' not found");
    expect(session?.state).toBe(SessionState.closed);
  });

  it("that was closed before it began is ended when it begins", () => {
    const { api, socket } = connected();
    const session = api.createConsumerSession("p");
    session?.connect();
    session?.close();
    socket.taken();
    socket.say({ type: "sessionStarted", peerId: "p", sessionId: "late" });
    expect(socket.taken()).toEqual([{ type: "endSession", sessionId: "late" }]);
  });

  it("fails, and tells the producer why, when it cannot be negotiated", async () => {
    const { api, socket } = connected();
    const { session, events } = consuming(api, socket);
    socket.say({ type: "peer", sessionId: "s", ice: { candidate: "early", sdpMLineIndex: 0 } });
    FakePeerConnection.last.failAt = "setRemoteDescription";
    socket.say(OFFER);
    await settle();
    expect(session.state).toBe(SessionState.closed);
    expect(events).toContain("error: the session could not be negotiated");
    expect(socket.taken()[0]).toEqual({
      type: "endSessionV1_1",
      sessionId: "s",
      error: "the session could not be negotiated: it cannot",
    });
  });

  it("survives a candidate that it cannot use", async () => {
    const { api, socket } = connected();
    const { session } = consuming(api, socket);
    socket.say(OFFER);
    FakePeerConnection.last.failAt = "addIceCandidate";
    socket.say({ type: "peer", sessionId: "s", ice: { candidate: "odd", sdpMLineIndex: 7 } });
    await settle();
    expect(session.state).toBe(SessionState.connecting);
  });

  it("waits for media only so long", async () => {
    const { api, socket } = connected();
    const { session, events } = consuming(api, socket);
    await vi.advanceTimersByTimeAsync(CONNECT_DEADLINE_MS);
    expect(session.state).toBe(SessionState.closed);
    expect(events).toContain("error: no media connection came about in time");

    const other = consuming(api, socket);
    socket.say(OFFER);
    FakePeerConnection.last.become("connected");
    await vi.advanceTimersByTimeAsync(CONNECT_DEADLINE_MS);
    expect(other.session.state).toBe(SessionState.connecting);
    FakePeerConnection.last.become("failed");
    expect(other.events).toContain("error: the media connection failed");
  });

  it("bounds what it keeps for later", async () => {
    const { api, socket } = connected();
    const { session } = consuming(api, socket);
    for (let index = 0; index <= MAX_EARLY_CANDIDATES; index += 1) {
      socket.say({ type: "peer", sessionId: "s", ice: { candidate: `c${index}`, sdpMLineIndex: 0 } });
    }
    for (let index = 0; index <= MAX_WAITING_DESCRIPTIONS; index += 1) {
      socket.say(OFFER);
    }
    expect(session.state).toBe(SessionState.closed);

    const other = consuming(api, socket);
    for (let index = 0; index <= MAX_EARLY_CANDIDATES; index += 1) {
      socket.say({ type: "peer", sessionId: "s", ice: { candidate: `c${index}`, sdpMLineIndex: 0 } });
    }
    socket.say(OFFER);
    await settle();
    const added = FakePeerConnection.last.done.filter((step) => step.startsWith("addIceCandidate"));
    expect(added.length).toBe(MAX_EARLY_CANDIDATES);
    expect(other.session.state).toBe(SessionState.connecting);
  });

  it("plays on when the server is lost, and closes in silence afterwards", () => {
    const { api, socket } = connected();
    const { session } = consuming(api, socket);
    socket.say(OFFER);
    FakePeerConnection.last.become("connected");
    const unconnected = api.createConsumerSession("q");
    unconnected?.connect();
    socket.drop();
    expect(session.state).toBe(SessionState.connecting);
    expect(unconnected?.state).toBe(SessionState.closed);
    vi.advanceTimersByTime(2_500);
    const next = welcome("me again");
    session.close();
    expect(next.taken()).toEqual([]);
    expect(session.state).toBe(SessionState.closed);
  });

  it("ends with the server if it is not to be kept", () => {
    const { api, socket } = connected({ keepSessions: false });
    const { session } = consuming(api, socket);
    socket.say(OFFER);
    FakePeerConnection.last.become("connected");
    socket.drop();
    expect(session.state).toBe(SessionState.closed);
  });

  it("needs a connection to the server", () => {
    const api = new GstWebRTCAPI();
    expect(api.createConsumerSession("p")).toBeNull();
    const { api: other, socket } = connected();
    const session = other.createConsumerSession("p");
    socket.drop();
    expect(session?.connect()).toBe(false);
    expect(other.createConsumerSession("")).toBeNull();
  });
});
