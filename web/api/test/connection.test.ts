import { describe, expect, it, vi } from "vitest";
import { GstWebRTCAPI } from "../src/index.js";
import { LONGEST_WAIT_MS, MAX_UNSENT_BYTES } from "../src/connection.js";
import { FakeWebSocket, useFakeBrowser } from "./fakes.js";
import { connected, welcome } from "./stage.js";

useFakeBrowser();

describe("the connection to the server", () => {
  it("chooses version 1.1 first, then declares its status, and asks who is there once that is taken", () => {
    const api = new GstWebRTCAPI({ meta: { name: "me" }, signalingServerUrl: "ws://here:1" });
    const heard: string[] = [];
    api.registerConnectionListener({ connected: (id) => heard.push(id), disconnected: () => heard.push("gone") });
    const socket = FakeWebSocket.last;
    expect(socket.url).toBe("ws://here:1");
    socket.open();
    socket.say({ type: "welcome", peerId: "me" });
    expect(socket.taken()).toEqual([
      { type: "setProtocolVersion", version: "v1_1" },
      { type: "setPeerStatus", peerId: "me", roles: ["listener"], meta: { name: "me" } },
    ]);
    expect(heard).toEqual([]);
    expect(api.clientId).toBe("");
    socket.say({ type: "peerStatusChanged", peerId: "me", roles: ["listener"], meta: null });
    expect(socket.taken()).toEqual([{ type: "list" }, { type: "listConsumers" }]);
    expect(heard).toEqual(["me"]);
    expect(api.clientId).toBe("me");
  });

  it("comes back with waits that double, and short ones again after a good connection", () => {
    const { socket } = connected({ reconnectionTimeout: 1_000 });
    socket.drop();
    for (const wait of [1_000, 2_000, 4_000, 8_000, LONGEST_WAIT_MS, LONGEST_WAIT_MS]) {
      const count = FakeWebSocket.all.length;
      vi.advanceTimersByTime(wait - 1);
      expect(FakeWebSocket.all.length).toBe(count);
      vi.advanceTimersByTime(1);
      expect(FakeWebSocket.all.length).toBe(count + 1);
      FakeWebSocket.last.drop();
    }
    vi.advanceTimersByTime(LONGEST_WAIT_MS);
    const count = FakeWebSocket.all.length;
    const good = welcome("again");
    vi.advanceTimersByTime(LONGEST_WAIT_MS);
    good.drop();
    vi.advanceTimersByTime(1_000);
    expect(FakeWebSocket.all.length).toBe(count + 1);
  });

  it("shortens a wait by chance", () => {
    vi.mocked(Math.random).mockReturnValue(1);
    const { socket } = connected({ reconnectionTimeout: 1_000 });
    socket.drop();
    vi.advanceTimersByTime(500);
    expect(FakeWebSocket.all.length).toBe(2);
  });

  it("does not come back when told not to, nor after close", () => {
    const { socket } = connected({ reconnectionTimeout: 0 });
    socket.drop();
    vi.advanceTimersByTime(10 * LONGEST_WAIT_MS);
    expect(FakeWebSocket.all.length).toBe(1);

    const other = connected();
    let lost = 0;
    other.api.registerConnectionListener({ connected: () => {}, disconnected: () => (lost += 1) });
    other.api.close();
    other.api.close();
    other.socket.drop();
    vi.advanceTimersByTime(10 * LONGEST_WAIT_MS);
    expect(other.socket.closedWith).toBe(1000);
    expect(FakeWebSocket.all.length).toBe(2);
    expect(lost).toBe(1);
    expect(other.api.createConsumerSession("p")).toBeNull();
  });

  it("gives up a server that takes nothing any more", () => {
    const { api, socket } = connected();
    socket.bufferedAmount = MAX_UNSENT_BYTES + 1;
    expect(api.createConsumerSession("p")?.connect()).toBe(false);
    expect(socket.closedWith).toBeNull();
  });

  it("takes only whole listeners, and survives one that throws", () => {
    const { api, socket } = connected();
    const complaint = vi.spyOn(console, "error").mockImplementation(() => {});
    expect(api.registerConnectionListener({ connected: () => {} } as never)).toBe(false);
    expect(api.registerPeerListener({})).toBe(false);
    expect(api.registerPeerListener(null as never)).toBe(false);
    const details: string[] = [];
    const bad = { connected: () => {}, disconnected: () => {}, error: () => { throw new Error("bad"); } };
    expect(api.registerConnectionListener(bad)).toBe(true);
    api.registerConnectionListener({ connected: () => {}, disconnected: () => {}, error: (text) => details.push(text) });
    socket.say({ type: "error", details: "no" });
    expect(details).toEqual(["no"]);
    expect(complaint).toHaveBeenCalledOnce();
    expect(api.unregisterConnectionListener(bad)).toBe(true);
    expect(api.unregisterConnectionListener(bad)).toBe(false);
  });

  it("tells the console of an error that nobody listens for", () => {
    const { socket } = connected();
    const complaint = vi.spyOn(console, "error").mockImplementation(() => {});
    socket.say({ type: "error", details: "no" });
    expect(complaint).toHaveBeenCalledExactlyOnceWith("the signalling server refused something: no");
  });

  it.each(["", "{", "7", "null", "[]", '{"type":"newPeer"}', '{"type":"welcome"}', '{"type":"peer","sessionId":"s"}'])(
    "ignores %j",
    (text) => {
      const { socket } = connected();
      socket.say(text);
      expect(socket.taken()).toEqual([]);
    },
  );
});
