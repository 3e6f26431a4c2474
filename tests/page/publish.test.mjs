import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { launchFirefox } from "../browser/firefox.mjs";
import { DEADLINE_MS } from "../browser/hearing.mjs";
import { card, figures, play, seeAndHear } from "./acts.mjs";
import { freePort } from "./free-port.mjs";
import { behindPassword } from "./haproxy.mjs";
import { onLongPageStage, onPageStage } from "./page-stage.mjs";
import { FRAME_RATE, MjpegCamera, RtspCamera, makeFile, makePictures, pageAt, publish, publishEmbedded, received } from "./publishing.mjs";

/** @import { PageStage } from "./page-stage.mjs" */
/** @import { Tab } from "../browser/tab.mjs" */

/** How long the files are, in seconds: shorter than they are watched. */
const SECONDS = 2;

const WEBM = {
  name: "clip.webm",
  seconds: SECONDS,
  video: "vp8enc deadline=1 keyframe-max-dist=30",
  audio: "opusenc",
  container: "webmmux",
};

const MP4 = {
  name: "clip.mp4",
  seconds: SECONDS,
  video: "x264enc speed-preset=ultrafast bframes=0 key-int-max=30 ! video/x-h264,profile=main",
  audio: "avenc_aac",
  container: "mp4mux",
};

/**
 * Fails unless so many more pictures come, and more sound if there is to be any.
 *
 * @param {Tab} tab
 * @param {number} frames
 * @param {{ sound: boolean }} how
 */
async function goesOn(tab, frames, { sound }) {
  const before = await received(tab);
  const deadline = Date.now() + DEADLINE_MS;
  let now = before;
  while (now.frames < before.frames + frames || (sound && now.loudness <= before.loudness)) {
    assert(Date.now() < deadline, `it stands still: ${JSON.stringify({ before, now })}`);
    await delay(100);
    now = await received(tab);
  }
}

/**
 * Publishes a file and watches it for longer than it is.
 *
 * @param {PageStage} stage
 * @param {typeof WEBM} file
 * @param {RegExp} codec
 */
async function watchFile(stage, file, codec) {
  const path = await makeFile(stage, file);
  const { published, viewer } = await publishEmbedded(stage, path, "--loop");
  await play(viewer, file.name);
  await seeAndHear(viewer, file.name);
  const { frames } = await received(viewer);
  await goesOn(viewer, Math.max(0, 2 * SECONDS * FRAME_RATE - frames), { sound: true });
  await seeAndHear(viewer, file.name);
  assert.match((await figures(viewer, file.name, ["Codec"]))["Codec"] ?? "", codec);
  viewer.assertNoProblems();
  return published;
}

/** @param {PageStage} stage */
async function watchWebm(stage) {
  const published = await watchFile(stage, WEBM, /^VP8, opus$/i);
  await published.line(/VP8 is passed through/);
  await published.line(/Opus is passed through/);
  assert.deepEqual(encoders(published), []);
}

/** @param {{ lines: string[] }} published */
function encoders({ lines }) {
  return lines.map((line) => /encoded by (\S+)/.exec(line)?.[1]).filter((name) => name !== undefined);
}

onPageStage("Chromium plays a published file of VP8 with its sound, again from its beginning", watchWebm);

onLongPageStage("Firefox plays a published file of VP8 with its sound, again from its beginning", watchWebm, launchFirefox);

onPageStage("Chromium plays a published file of H.264, and its sound that is transcoded", async (stage) => {
  const published = await watchFile(stage, MP4, /^H264, opus$/i);
  await published.line(/H\.264 is passed through/);
  await published.line(/AAC is transcoded/);
  assert.deepEqual(encoders(published), ["opusenc"]);
});

onPageStage("Chromium plays what a network camera encodes, again without a click when the camera is back", async (stage) => {
  const camera = await RtspCamera.start(stage, String(await freePort()));
  const published = publish(stage, camera.url, "--name", "Gate", "--server", stage.server.url);
  const viewer = await stage.page();
  await play(viewer, "Gate");
  await seeAndHear(viewer, "Gate", { sound: false });
  assert.match((await figures(viewer, "Gate", ["Codec"]))["Codec"] ?? "", /^H264/i);
  await published.line(/Gate: H\.264 is passed through/);

  await camera.kill();
  await published.line(/does not deliver/);
  await camera.startAgain();
  await goesOn(viewer, FRAME_RATE, { sound: false });
  await seeAndHear(viewer, "Gate", { sound: false });

  assert.deepEqual(encoders(published), []);
  assert(!published.lines.some((line) => line.includes("no viewers")), "the viewer was lost meanwhile");
  assert.equal(await published.end("SIGINT"), "0");
  viewer.assertNoProblems();
});

onPageStage("Chromium shows the whole picture of a camera that repeats parameter sets before each slice", async (stage) => {
  const camera = await RtspCamera.start(stage, String(await freePort()), "sliced");
  const published = publish(stage, camera.url, "--name", "Gate", "--server", stage.server.url);
  const viewer = await stage.page();
  await play(viewer, "Gate");
  await seeAndHear(viewer, "Gate", { sound: false });
  // What never came of a picture is green.
  const green = await viewer.page.evaluate(greenness, await card(viewer, "Gate"));
  assert(green < 20, `the lower half is green: ${green}`);
  await published.line(/Gate: H\.264 is passed through/);
  assert.deepEqual(encoders(published), []);
  viewer.assertNoProblems();
});

/**
 * How much greener than grey the lower half of a picture is. Runs in the page, and so uses nothing from outside.
 *
 * @param {HTMLElement} card
 */
function greenness(card) {
  const video = /** @type {HTMLVideoElement} */ (card.querySelector("video"));
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.drawImage(video, 0, 0);
  const { data } = context.getImageData(0, canvas.height / 2, canvas.width, canvas.height / 2);
  let sum = 0;
  for (let at = 0; at < data.length; at += 4) {
    sum += (data[at + 1] ?? 0) - ((data[at] ?? 0) + (data[at + 2] ?? 0)) / 2;
  }
  return sum / (data.length / 4);
}

onPageStage("a page that is one viewer too many says so, and plays when another has left", async (stage) => {
  const { published, viewer } = await publishEmbedded(stage, "test", "--max-viewers", "1");
  await play(viewer, "test");
  await seeAndHear(viewer, "test");
  const second = await pageAt(stage, viewer.page.url());
  await play(second, "test");
  const refused = await card(second, "test");
  await second.page.waitForFunction((li) => /as many viewers as it takes/.test(li.innerText), {}, refused);
  await seeAndHear(viewer, "test");
  await viewer.close();
  await published.line(/test: no viewers/);
  await play(second, "test");
  await seeAndHear(second, "test");
});

onPageStage("Chromium plays motion JPEG over HTTP, which has no times", async (stage) => {
  const pictures = await makePictures(stage, FRAME_RATE);
  const camera = await MjpegCamera.start(stage, pictures, 10);
  publish(stage, camera.url, "--name", "Printer", "--server", stage.server.url);
  const viewer = await stage.page();
  await play(viewer, "Printer");
  await seeAndHear(viewer, "Printer", { sound: false });
  viewer.assertNoProblems();
});

onPageStage("publish reaches a server whose proxy asks for a password or a token", async (stage) => {
  const secrets = { user: "camera", password: "s3cr@t", token: "t0ken" };
  const proxy = await behindPassword(stage, secrets);
  const folder = await mkdtemp(join(tmpdir(), "wigwag-page-"));
  stage.atEnd(() => rm(folder, { recursive: true }));
  const file = join(folder, "headers");
  await writeFile(file, `Authorization: Bearer ${secrets.token}\n`, { mode: 0o600 });
  const ways = {
    address: ["--server", `ws://camera:s3cr%40t@${proxy}`],
    header: ["--server", `ws://${proxy}`, "--header", `Authorization: Bearer ${secrets.token}`],
    file: ["--server", `ws://${proxy}`, "--header", `@${file}`],
  };
  const viewer = await stage.page();
  for (const [name, args] of Object.entries(ways)) {
    const published = publish(stage, "test", "--name", name, ...args);
    await published.line(/^published as /);
    await card(viewer, name);
    assert.doesNotMatch(published.lines.join("\n"), /s3cr|t0ken/);
    await published.end("SIGTERM");
  }
  publish(stage, "test", "--name", "played", ...ways.address);
  await play(viewer, "played");
  await seeAndHear(viewer, "played");
  const refused = publish(stage, "test", "--server", `ws://camera:wr0ng@${proxy}`);
  assert.doesNotMatch(await refused.line(/401/), /wr0ng/);
});
