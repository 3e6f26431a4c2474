import { describe, expect, it } from "vitest";
import { withoutPlayoutDelay } from "../src/latency.js";
import { FakePeerConnection, settle, useFakeBrowser } from "./fakes.js";
import { connected } from "./stage.js";

const EXTENSION = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay";
const REST = ["v=0", "m=video 9 UDP/TLS/RTP/SAVPF 96", "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid", "a=recvonly", ""];
const WITHOUT = REST.join("\r\n");

useFakeBrowser();

describe("a description without the playout delay", () => {
  it.each([`a=extmap:5 ${EXTENSION}`, `a=extmap:14/recvonly ${EXTENSION}`])("keeps all but %s", (line) => {
    const [version = "", media = "", ...rest] = REST;
    expect(withoutPlayoutDelay([version, media, line, ...rest].join("\r\n"))).toBe(WITHOUT);
  });

  it("is the same if there was none", () => {
    expect(withoutPlayoutDelay(WITHOUT)).toBe(WITHOUT);
  });
});

describe("a consumer session", () => {
  it.each([
    ["low", `my answer\r\na=extmap:5 ${EXTENSION}\r\n`],
    ["smooth", "my answer\r\n"],
  ] as const)("of %s latency answers so", async (latency, answered) => {
    const { api, socket } = connected({ latency });
    api.createConsumerSession("p")?.connect();
    socket.say({ type: "sessionStarted", peerId: "p", sessionId: "s" });
    FakePeerConnection.answer = `my answer\r\na=extmap:5 ${EXTENSION}\r\n`;
    socket.say({ type: "peer", sessionId: "s", sdp: { type: "offer", sdp: "their offer" } });
    await settle();
    expect(socket.taken().at(-1)).toEqual({ type: "peer", sessionId: "s", sdp: { type: "answer", sdp: answered } });
  });

  it("of smooth latency leaves it out of its own offer as well", async () => {
    const { api, socket } = connected({ latency: "smooth" });
    FakePeerConnection.offer = `my offer\r\na=extmap:5 ${EXTENSION}\r\n`;
    api.createConsumerSessionWithOfferOptions("p", { offerToReceiveVideo: true })?.connect();
    await settle();
    expect(socket.taken()).toEqual([{ type: "startSession", peerId: "p", offer: "my offer\r\n" }]);
  });
});
