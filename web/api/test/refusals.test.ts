import { describe, expect, it } from "vitest";
import { refusals } from "../src/refusals.js";

const AUDIO = "m=audio 9 UDP/TLS/RTP/SAVPF 96\r\na=rtpmap:96 opus/48000/2\r\n";
const VIDEO =
  "m=video 9 UDP/TLS/RTP/SAVPF 97 98 99\r\na=rtpmap:97 H264/90000\r\na=rtpmap:98 rtx/90000\r\na=rtpmap:99 H264/90000\r\n";
const HEAD = "v=0\r\na=group:BUNDLE audio1 video0\r\n";

describe("refusals", () => {
  it("are the sections whose port is 0 in the answer, by codec", () => {
    // As Chromium refuses, and as Firefox does, which names a format that nobody offered.
    for (const refused of ["m=video 0 UDP/TLS/RTP/SAVPF 0\r\n", "m=video 0 UDP/TLS/RTP/SAVPF 120\r\na=rtpmap:120 VP8/90000\r\n"]) {
      expect(refusals(HEAD + AUDIO + VIDEO, HEAD + AUDIO + refused)).toEqual([{ kind: "video", codecs: ["H264"] }]);
    }
  });

  it("are none where all is taken", () => {
    expect(refusals(HEAD + AUDIO + VIDEO, HEAD + AUDIO + VIDEO)).toEqual([]);
  });

  it("are none for what is no media, and of texts that make no sense", () => {
    const data = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n";
    expect(refusals(HEAD + data, HEAD + data.replace(" 9 ", " 0 "))).toEqual([]);
    expect(refusals("their offer", "my answer")).toEqual([]);
  });
});
