import assert from "node:assert/strict";
import { launchFirefox } from "../browser/firefox.mjs";
import { figures, play, seeAndHear, share, untilGone, untilState } from "./acts.mjs";
import { onLongPageStage, onPageStage } from "./page-stage.mjs";
import { PublishedElements } from "./published-elements.mjs";

/** @import { PageStage } from "./page-stage.mjs" */

/**
 * @param {PageStage} stage
 * @param {string[]} args
 */
function elements(stage, ...args) {
  const peer = new PublishedElements(args);
  stage.tellsStory(peer);
  stage.atEnd(() => peer.stop());
  return peer;
}

/** @param {PageStage} stage */
async function playPublishedSink(stage) {
  const sink = elements(stage, "produce", "--uri", stage.server.url, "--name", "Bench");
  const viewer = await stage.page();
  await play(viewer, "Bench");
  await seeAndHear(viewer, "Bench", { sound: false });
  assert.match((await figures(viewer, "Bench", ["Codec", "Size"]))["Codec"] ?? "", /VP8/);

  await sink.stop();
  await untilState(viewer, "Bench", "waiting");
  const again = elements(stage, "produce", "--uri", stage.server.url, "--name", "Bench");
  await seeAndHear(viewer, "Bench", { sound: false });
  await viewer.page.click(".actions button");
  await untilState(viewer, "Bench", "ready");
  await again.stop();
  await untilGone(viewer, "Bench");
  viewer.assertNoProblems();
}

onPageStage("Chromium plays the published webrtcsink, again when it returns", playPublishedSink);

onLongPageStage("Firefox plays the published webrtcsink, again when it returns", playPublishedSink, launchFirefox);

onPageStage("the published webrtcsrc receives what the page sends", async (stage) => {
  const sender = await stage.page();
  // The program with webrtcsrc takes one stream only.
  await share(sender, "Front door", { microphone: false });
  const id = await sender.page.$eval("#own-id", (code) => code.textContent);
  const source = elements(stage, "consume", "--uri", stage.server.url, "--producer", id, "--frames", "60");
  assert.equal(await source.ended(), 0);
  sender.assertNoProblems();
});
