// A picture of bars in known colours, as raw samples of what is called a colorimetry in GStreamer.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** @import { PageStage } from "./page-stage.mjs" */

/** Eight greys and six colours, in RGB. */
export const BARS = [
  ...[0, 36, 73, 109, 146, 182, 219, 255].map((grey) => [grey, grey, grey]),
  [191, 0, 0],
  [0, 191, 0],
  [0, 0, 191],
  [191, 191, 0],
  [191, 0, 191],
  [0, 191, 191],
];

/** ITU-R BT.601 and BT.709: the shares of red and blue in luma. */
const MATRICES = { bt601: [0.299, 0.114], bt709: [0.2126, 0.0722] };

/** @typedef {{ matrix: "bt601" | "bt709", full: boolean }} Colours */

/** @param {Colours} colours */
export function colorimetry({ matrix, full }) {
  return `${full ? 1 : 2}:${matrix === "bt601" ? "4:16:4" : "3:5:1"}`;
}

/**
 * Writes a picture of the bars, upright and side by side, in I420.
 *
 * @param {PageStage} stage the file goes with it
 * @param {number} width
 * @param {number} height
 * @param {Colours} colours
 * @returns {Promise<string>} the path of the file
 */
export async function writeBars(stage, width, height, { matrix, full }) {
  const [red = 0, blue = 0] = MATRICES[matrix];
  const samples = BARS.map((bar) => {
    const [r = 0, g = 0, b = 0] = bar.map((value) => value / 255);
    const luma = red * r + (1 - red - blue) * g + blue * b;
    const chroma = [(b - luma) / (2 * (1 - blue)), (r - luma) / (2 * (1 - red))];
    return [
      Math.round(full ? luma * 255 : 16 + luma * 219),
      ...chroma.map((value) => Math.min(255, Math.round(128 + value * (full ? 255 : 224)))),
    ];
  });
  const plane = (/** @type {number} */ which, /** @type {number} */ scale) => {
    const data = Buffer.alloc((width / scale) * (height / scale));
    for (let place = 0; place < data.length; place += 1) {
      const x = (place % (width / scale)) * scale;
      data[place] = samples[Math.floor((x * BARS.length) / width)]?.[which] ?? 0;
    }
    return data;
  };
  const folder = await mkdtemp(join(tmpdir(), "wigwag-bars-"));
  stage.atEnd(() => rm(folder, { recursive: true }));
  const path = join(folder, "bars.i420");
  await writeFile(path, Buffer.concat([plane(0, 1), plane(1, 2), plane(2, 2)]));
  return path;
}

/**
 * What the bars look like in a card. Runs in the page, and so uses nothing from outside.
 *
 * @param {HTMLElement} card
 * @param {number} count
 * @returns {number[][]} the mean of the middle of each, in RGB
 */
export function seenBars(card, count) {
  const video = /** @type {HTMLVideoElement} */ (card.querySelector("video"));
  const canvas = document.createElement("canvas");
  const { videoWidth: width, videoHeight: height } = video;
  [canvas.width, canvas.height] = [width, height];
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));
  context.drawImage(video, 0, 0);
  const bar = width / count;
  return Array.from({ length: count }, (_, place) => {
    const [side, tall] = [Math.floor(bar / 2), Math.floor(height / 2)];
    const { data } = context.getImageData(Math.floor(bar * place + bar / 4), Math.floor(height / 4), side, tall);
    return [0, 1, 2].map((channel) => {
      let sum = 0;
      for (let at = channel; at < data.length; at += 4) {
        sum += data[at] ?? 0;
      }
      return sum / (data.length / 4);
    });
  });
}
