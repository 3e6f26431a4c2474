import { expect, it } from "vitest";
import { figureTexts, Meter } from "../src/figures.js";

function report(seconds: number, more: { id: string; [field: string]: unknown }[] = []) {
  const entries: { id: string; [field: string]: unknown }[] = [
    {
      id: "v",
      type: "inbound-rtp",
      kind: "video",
      codecId: "vc",
      bytesReceived: 250_000 * seconds,
      packetsReceived: 90 * seconds,
      packetsLost: 10 * seconds,
      framesDecoded: 30 * seconds,
      frameWidth: 1280,
      frameHeight: 720,
    },
    { id: "a", type: "inbound-rtp", kind: "audio", codecId: "ac", bytesReceived: 0, packetsReceived: 0, packetsLost: 0 },
    { id: "vc", type: "codec", mimeType: "video/VP8" },
    { id: "ac", type: "codec", mimeType: "audio/opus" },
    { id: "p1", type: "candidate-pair", currentRoundTripTime: 9 },
    { id: "p2", type: "candidate-pair", nominated: true, currentRoundTripTime: 0.0042 },
    ...more,
  ];
  return entries.map((entry) => [entry.id, entry] as const);
}

it("rates are those between two samples", () => {
  const meter = new Meter();
  const first = figureTexts(meter.take(report(1), 1_000));
  expect(first.map(([term]) => term)).toEqual(["Codec", "Size", "Round trip"]);
  expect(figureTexts(meter.take(report(3), 3_000))).toEqual([
    ["Codec", "VP8, Opus"],
    ["Size", "1280 × 720"],
    ["Frame rate", "30 fps"],
    ["Bitrate", "2.0 Mbit/s"],
    ["Round trip", "4 ms"],
    ["Lost", "10.0 %"],
  ]);
});

it("the pair that the transport names is the one that counts", () => {
  const transport = { id: "t", type: "transport", selectedCandidatePairId: "p1" };
  expect(new Meter().take(report(1, [transport]), 0).roundTripMs).toBe(9_000);
});

it("nothing is known of nothing", () => {
  expect(figureTexts(new Meter().take([], 0))).toEqual([]);
});

it("losses are the recent ones", () => {
  const meter = new Meter();
  meter.take(report(1), 0);
  let last = meter.take(report(2), 1_000);
  for (let second = 2; second < 14; second += 1) {
    last = meter.take(
      [["v", { id: "v", type: "inbound-rtp", kind: "video", packetsReceived: 90 * second, packetsLost: 20 }]],
      second * 1_000,
    );
  }
  expect(last.lost).toBe(0);
});

it("what is sent again is nothing new", () => {
  const video = (bytesReceived: number, retransmittedBytesReceived: number) =>
    [["v", { id: "v", type: "inbound-rtp", kind: "video", bytesReceived, retransmittedBytesReceived }]] as const;
  const meter = new Meter();
  const before = meter.take(video(5_000, 1_000), 0);
  const after = meter.take(video(9_000, 5_000), 1_000);
  expect([before.bytes, after.bytes, after.video?.bytes]).toEqual([4_000, 4_000, 4_000]);
  expect(after.bitsPerSecond).toBe(0);
});
