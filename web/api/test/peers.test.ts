import { describe, expect, it } from "vitest";
import { MAX_PEERS } from "../src/peers.js";
import { useFakeBrowser } from "./fakes.js";
import { connected } from "./stage.js";

useFakeBrowser();

const METHODS = [
  "producerAdded",
  "producerChanged",
  "producerRemoved",
  "consumerAdded",
  "consumerChanged",
  "consumerRemoved",
] as const;

function listening() {
  const stage = connected();
  const heard: unknown[] = [];
  const listener = Object.fromEntries(
    METHODS.map((name) => [name, (peer: { id: string; meta: unknown }) => heard.push([name, peer.id, peer.meta])]),
  );
  stage.api.registerPeerListener(listener);
  return { ...stage, heard };
}

describe("peers", () => {
  it("come, change and go, by a list or by their status", () => {
    const { api, socket, heard } = listening();
    socket.say({ type: "list", producers: [{ id: "a", meta: null }, { id: "me", meta: null }, { nonsense: 1 }] });
    socket.say({ type: "listConsumers", consumers: [{ id: "c", meta: { name: "c" } }] });
    socket.say({ type: "peerStatusChanged", peerId: "b", roles: ["producer", "listener"], meta: { name: "b" } });
    socket.say({ type: "peerStatusChanged", peerId: "b", roles: ["producer"], meta: { name: "b" } });
    socket.say({ type: "peerStatusChanged", peerId: "b", roles: ["producer"], meta: { name: "B" } });
    expect(api.getAvailableProducers().map(({ id }) => id)).toEqual(["a", "b"]);
    expect(api.getAvailableConsumers()).toEqual([{ id: "c", meta: { name: "c" } }]);
    socket.say({ type: "peerStatusChanged", peerId: "b", roles: ["consumer"], meta: null });
    socket.say({ type: "list", producers: [] });
    expect(heard).toEqual([
      ["producerAdded", "a", {}],
      ["consumerAdded", "c", { name: "c" }],
      ["producerAdded", "b", { name: "b" }],
      ["producerChanged", "b", { name: "B" }],
      ["producerRemoved", "b", { name: "B" }],
      ["consumerAdded", "b", {}],
      ["producerRemoved", "a", {}],
    ]);
  });

  it("are all gone with the connection", () => {
    const { api, socket, heard } = listening();
    socket.say({ type: "list", producers: [{ id: "a", meta: null }] });
    socket.drop();
    expect(heard.at(-1)).toEqual(["producerRemoved", "a", {}]);
    expect(api.getAvailableProducers()).toEqual([]);
  });

  it("are not kept without end", () => {
    const { api, socket } = listening();
    const producers = Array.from({ length: MAX_PEERS + 1 }, (_, index) => ({ id: `p${index}`, meta: null }));
    socket.say({ type: "list", producers });
    expect(api.getAvailableProducers().length).toBe(MAX_PEERS);
  });

  it("cannot be changed by who is told of them", () => {
    const { api, socket } = listening();
    socket.say({ type: "list", producers: [{ id: "a", meta: { name: "a" } }] });
    const [peer] = api.getAvailableProducers();
    expect(Object.isFrozen(peer) && Object.isFrozen(peer?.meta)).toBe(true);
  });
});
