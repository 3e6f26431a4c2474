import { describe, expect, it } from "vitest";
import { MAX_MESSAGE_CHARS, parseServerMessage } from "../src/protocol.js";

describe("a message of the server", () => {
  const welcome = JSON.stringify({ type: "welcome", peerId: "me" });

  it("is read up to its limit", () => {
    expect(parseServerMessage(welcome.padEnd(MAX_MESSAGE_CHARS))).not.toBe(null);
    expect(parseServerMessage(welcome.padEnd(MAX_MESSAGE_CHARS + 1))).toBe(null);
  });
});
