import { describe, expect, it } from "vitest";
import { caveatText, refusalText } from "../src/words.js";

describe("caveatText", () => {
  it("says what a sender warns of", () => {
    expect(caveatText("")).toBe("");
    expect(caveatText("it has 10 bits")).toBe("Not every browser shows this picture right, for it has 10 bits.");
    expect(caveatText("x".repeat(1_000)).length).toBeLessThan(300);
  });
});

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
