// Colours and range: what a viewer sees is what the source has.
import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { DEADLINE_MS } from "../browser/hearing.mjs";
import { launchFirefox } from "../browser/firefox.mjs";
import { card, play, untilState } from "./acts.mjs";
import { BARS, colorimetry, seenBars, writeBars } from "./bars.mjs";
import { LaunchedPipeline } from "./launched-pipeline.mjs";
import { onPageStage } from "./page-stage.mjs";

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
 * @param {PageStage} stage
 * @param {string} codec as in caps
 * @param {Record<string, string>} [environment] of the pipeline
 */
async function seeBars(stage, codec, environment) {
  const viewer = await stage.page();
  for (const [width, height, colours] of SOURCES) {
    const path = await writeBars(stage, width, height, colours);
    const name = `${codec}-${width}-${colours.matrix}-${colours.full ? "full" : "limited"}`;
    const pipeline = new LaunchedPipeline(
      `multifilesrc location=${path} loop=true blocksize=${(width * height * 3) / 2} ` +
        `! rawvideoparse format=i420 width=${width} height=${height} framerate=10/1 colorimetry=${colorimetry(colours)} ` +
        `! identity sync=true ! queue ! webrtcsink video-caps=video/x-${codec} stun-server="" ` +
        `min-bitrate=2000000 start-bitrate=4000000 signaller::uri=${stage.server.url} meta=meta,name=${name}`,
      environment,
    );
    stage.tellsStory(pipeline);
    stage.atEnd(() => pipeline.stop());
    await play(viewer, name);
    await untilState(viewer, name, "playing");
    const end = performance.now() + DEADLINE_MS;
    for (;;) {
      const seen = await viewer.page.evaluate(seenBars, await card(viewer, name), BARS.length);
      const off = BARS.flatMap((bar, place) =>
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
}

/** OpenH264 instead of x264. */
const OPENH264 = { GST_PLUGIN_FEATURE_RANK: "x264enc:NONE,openh264enc:MAX" };

onPageStage("Chromium shows VP8 in the colours of the source", (stage) => seeBars(stage, "vp8"));
onPageStage("Chromium shows VP9 in the colours of the source", (stage) => seeBars(stage, "vp9"));
onPageStage("Chromium shows H.264 of x264 in the colours of the source", (stage) => seeBars(stage, "h264"));
onPageStage("Chromium shows H.264 of OpenH264 in the colours of the source", (stage) => seeBars(stage, "h264", OPENH264));
onPageStage("Chromium shows AV1 in the colours of the source", (stage) => seeBars(stage, "av1"));
onPageStage("Firefox shows VP8 in the colours of the source", (stage) => seeBars(stage, "vp8"), launchFirefox);
onPageStage("Firefox shows VP9 in the colours of the source", (stage) => seeBars(stage, "vp9"), launchFirefox);
onPageStage("Firefox shows AV1 in the colours of the source", (stage) => seeBars(stage, "av1"), launchFirefox);
