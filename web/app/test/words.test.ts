import { describe, expect, it } from "vitest";
import { refusalText } from "../src/words.js";

describe("refusalText", () => {
  it("is empty where all is taken", () => {
    expect(refusalText([])).toBe("");
  });

  it("names the codecs as people write them", () => {
    expect(refusalText([{ kind: "video", codecs: ["H264"] }])).toBe(
      "This browser cannot show the picture, which comes as H.264.",
    );
    expect(refusalText([{ kind: "audio", codecs: ["PCMU"] }, { kind: "video", codecs: ["H265", "AV1"] }])).toBe(
      "This browser cannot play the sound, which comes as G.711. This browser cannot show the picture, which comes as H.265, AV1.",
    );
  });

  it("clips what a sender may say", () => {
    expect(refusalText([{ kind: "video", codecs: ["x".repeat(500)] }]).length).toBeLessThan(200);
  });
});
