import { describe, expect, it } from "vitest";
import { caveatText, playError, refusalText } from "../src/words.js";

describe("caveatText", () => {
  it("says what a sender warns of", () => {
    expect(caveatText("")).toBe("");
    expect(caveatText("it has 10 bits")).toBe("Not every browser shows this picture right, for it has 10 bits.");
    expect(caveatText("x".repeat(1_000)).length).toBeLessThan(300);
  });
});

describe("playError", () => {
  it("is one sentence that says what to do, whatever the reason", () => {
    for (const reason of [
      "peer not found",
      "no media connection came about in time",
      "the media connection failed",
      "there is no connection to the signalling server",
      "there are as many viewers as may be; try again later",
      "no common codec: the viewer takes none of H264",
      "too many others connect at the same time; try again",
      "this peer has 4 sessions with the sender, as many as it may",
      "12 sessions of this address or network at once; end some, or try again later",
      "too many sessions are started by this peer, or from its address; try again later",
      "the server is full (100000 sessions); try again later",
      "a stream is sent in VP8 and H264, which is as many codecs as may be at once, and the viewer takes none of them",
      "camera unplugged",
    ]) {
      expect(playError(reason)).toMatch(/^[A-Z][^.:]*: [^.:]+\.$/);
    }
    expect(playError("camera unplugged")).toContain("(camera unplugged)");
    expect(playError("the server is full (7 sessions); try again later")).toContain("The server has");
    expect(playError("x".repeat(10_000)).length).toBeLessThan(500);
  });
});

describe("refusalText", () => {
  it("is empty where all is taken", () => {
    expect(refusalText([])).toBe("");
  });

  it("names the codecs as people write them", () => {
    expect(refusalText([{ kind: "video", codecs: ["H264"] }])).toBe(
      "This browser cannot show the picture, which comes as H.264: try another one, or let the sender transcode.",
    );
    expect(refusalText([{ kind: "audio", codecs: ["PCMU"] }, { kind: "video", codecs: ["H265", "AV1"] }])).toBe(
      "This browser cannot play the sound, which comes as G.711: try another one, or let the sender send Opus. " +
        "This browser cannot show the picture, which comes as H.265, AV1: try another one, or let the sender transcode.",
    );
  });

  it("clips what a sender may say", () => {
    expect(refusalText([{ kind: "video", codecs: ["x".repeat(500)] }]).length).toBeLessThan(200);
  });
});
