import { expect, it } from "vitest";
import { answerStereo } from "../src/stereo.js";

const OFFER = [
  "a=rtpmap:96 OPUS/48000/2",
  "a=fmtp:96 sprop-stereo=1;sprop-maxcapturerate=48000",
  "a=rtpmap:97 OPUS/48000/2",
  "a=fmtp:97 sprop-stereo=0",
  "a=rtpmap:98 other/48000/2",
  "a=fmtp:98 sprop-stereo=1",
  "",
].join("\r\n");

it("asks for stereo where Opus is offered in stereo, and only there", () => {
  const answer = ["a=fmtp:96 minptime=10", "a=fmtp:97 minptime=10", "a=fmtp:98 x=1", ""].join("\r\n");
  const stereo = ["a=fmtp:96 stereo=1;minptime=10", "a=fmtp:97 minptime=10", "a=fmtp:98 x=1", ""].join("\r\n");
  expect(answerStereo(OFFER, answer)).toBe(stereo);
});

it("leaves an answer alone that says what it wants", () => {
  expect(answerStereo(OFFER, "a=fmtp:96 minptime=10;stereo=0\r\n")).toBe("a=fmtp:96 minptime=10;stereo=0\r\n");
});
