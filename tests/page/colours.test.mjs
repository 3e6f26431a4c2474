// Colours and range: what a viewer sees is what the source has.
import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { DEADLINE_MS } from "../browser/hearing.mjs";
import { launchFirefox } from "../browser/firefox.mjs";
import { card, play, untilState } from "./acts.mjs";
import { BARS, colorimetry, seenBars, writeBars } from "./bars.mjs";
import { LaunchedPipeline } from "./launched-pipeline.mjs";
import { onLongPageStage, onPageStage } from "./page-stage.mjs";

/** @import { Tab } from "../browser/tab.mjs" */
/** @import { PageStage } from "./page-stage.mjs" */
/** @import { Colours } from "./bars.mjs" */

/** So far a channel may be off, of 255: what encoding makes of a flat colour. */
const TOLERANCE = 3;

/** @type {[width: number, height: number, colours: Colours][]} */
const SOURCES = [
  [640, 360, { matrix: "bt601", full: false }],
  [640, 360, { matrix: "bt601", full: true }],
  [1280, 720, { matrix: "bt709", full: false }],
];

/**
 * Sends a source as a codec until a viewer sees bars in these colours.
 *
 * @param {PageStage} stage
 * @param {Tab} viewer
 * @param {{ source: string, name: string, codec: string, bars: number[][], environment?: Record<string, string> }} what
 */
async function untilSeen(stage, viewer, { source, name, codec, bars, environment }) {
  const pipeline = new LaunchedPipeline(
    `${source} ! queue ! webrtcsink video-caps=video/x-${codec} stun-server="" ` +
      `min-bitrate=2000000 start-bitrate=4000000 signaller::uri=${stage.server.url} meta=meta,name=${name}`,
    environment,
  );
  stage.tellsStory(pipeline);
  stage.atEnd(() => pipeline.stop());
  await play(viewer, name);
  await untilState(viewer, name, "playing");
  const end = performance.now() + DEADLINE_MS;
  for (;;) {
    const seen = await viewer.page.evaluate(seenBars, await card(viewer, name), bars.length);
    const off = bars.flatMap((bar, place) =>
      bar.map((value, channel) => Math.abs(value - (seen[place]?.[channel] ?? NaN))),
    );
    if (Math.max(...off) <= TOLERANCE) {
      break;
    }
    const rounded = JSON.stringify(seen.map((bar) => bar.map(Math.round)));
    assert(performance.now() < end, `${name} is up to ${Math.max(...off).toFixed(1)} off: ${rounded}`);
    await delay(200);
  }
  await pipeline.stop();
}

/**
 * @param {PageStage} stage
 * @param {string} codec as in caps
 * @param {Record<string, string>} [environment] of the pipeline
 */
async function seeBars(stage, codec, environment) {
  const viewer = await stage.page();
  for (const [width, height, colours] of SOURCES) {
    const path = await writeBars(stage, width, height, colours);
    const name = `${codec}-${width}-${colours.matrix}-${colours.full ? "full" : "limited"}`;
    const source =
      `multifilesrc location=${path} loop=true blocksize=${(width * height * 3) / 2} ` +
      `! rawvideoparse format=i420 width=${width} height=${height} framerate=10/1 colorimetry=${colorimetry(colours)} ` +
      `! identity sync=true`;
    await untilSeen(stage, viewer, { source, name, codec, bars: BARS, ...(environment && { environment }) });
  }
}

/** Raw pictures that encoders would take as they are, into profiles that viewers do not show. */
const UNUSUAL = [
  "format=YUY2,width=320,height=240",
  "format=Y444,width=321,height=241",
  "format=I420_10LE,width=320,height=240",
];

/**
 * @param {PageStage} stage
 * @param {string[]} codecs as in caps
 */
async function seeUnusual(stage, codecs) {
  const viewer = await stage.page();
  for (const codec of codecs) {
    for (const [place, caps] of UNUSUAL.entries()) {
      const source = `videotestsrc is-live=true pattern=red ! video/x-raw,${caps},framerate=15/1`;
      await untilSeen(stage, viewer, { source, name: `${codec}-${place}`, codec, bars: [[255, 0, 0]] });
    }
  }
}

/** OpenH264 instead of x264. */
const OPENH264 = { GST_PLUGIN_FEATURE_RANK: "x264enc:NONE,openh264enc:MAX" };

onPageStage("Chromium shows VP8 in the colours of the source", (stage) => seeBars(stage, "vp8"));
onPageStage("Chromium shows VP9 in the colours of the source", (stage) => seeBars(stage, "vp9"));
onPageStage("Chromium shows H.264 of x264 in the colours of the source", (stage) => seeBars(stage, "h264"));
onPageStage("Chromium shows H.264 of OpenH264 in the colours of the source", (stage) => seeBars(stage, "h264", OPENH264));
onPageStage("Chromium shows AV1 in the colours of the source", (stage) => seeBars(stage, "av1"));
onPageStage("Firefox shows VP8 in the colours of the source", (stage) => seeBars(stage, "vp8"), launchFirefox);
onLongPageStage("Firefox shows VP9 in the colours of the source", (stage) => seeBars(stage, "vp9"), launchFirefox);
onLongPageStage("Firefox shows AV1 in the colours of the source", (stage) => seeBars(stage, "av1"), launchFirefox);

onPageStage("Chromium shows H.264 that says nothing of its colours as its caps do", async (stage) => {
  const viewer = await stage.page();
  const [width, height] = [1280, 720];
  const path = await writeBars(stage, width, height, { matrix: "bt601", full: false });
  const source =
    `multifilesrc location=${path} loop=true blocksize=${(width * height * 3) / 2} ` +
    `! rawvideoparse format=i420 width=${width} height=${height} framerate=10/1 colorimetry=bt601 ` +
    `! identity sync=true ! openh264enc bitrate=4000000 rate-control=bitrate gop-size=10`;
  await untilSeen(stage, viewer, { source, name: "passed", codec: "h264", bars: BARS });
});

onPageStage("Chromium shows webcams of 4:2:2, 4:4:4, 10 bits and odd sizes", (stage) =>
  seeUnusual(stage, ["vp8", "vp9", "h264", "av1"]),
);
onLongPageStage(
  "Firefox shows webcams of 4:2:2, 4:4:4, 10 bits and odd sizes",
  (stage) => seeUnusual(stage, ["vp8", "vp9", "av1"]),
  launchFirefox,
);
