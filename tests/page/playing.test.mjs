import assert from "node:assert/strict";
import { playAndSee } from "../browser/stage.mjs";
import { launchFirefox } from "../browser/firefox.mjs";
import { card, figures, play, seeAndHear, share, untilGone, untilState } from "./acts.mjs";
import { onLongPageStage, onPageStage } from "./page-stage.mjs";
import { startReferenceServer } from "./reference-server.mjs";

/** @import { PageStage } from "./page-stage.mjs" */

const TERMS = ["Codec", "Size", "Frame rate", "Bitrate", "Round trip", "Lost"];

/**
 * One page sends, another plays it and stops.
 *
 * @param {PageStage} stage
 * @param {string} how query of both pages
 */
async function pageToPage(stage, how = "") {
  const sender = await stage.page(how);
  await share(sender, "Front door");
  const viewer = await stage.page(how);
  await play(viewer, "Front door");
  await seeAndHear(viewer, "Front door");

  const shown = await figures(viewer, "Front door", TERMS);
  assert.match(shown["Codec"] ?? "", /^(VP8|VP9|AV1|H264), opus$/i);
  assert.match(shown["Size"] ?? "", /^\d+ × \d+$/);
  assert.match(shown["Frame rate"] ?? "", /^\d+ fps$/);
  assert.match(shown["Bitrate"] ?? "", /^[\d.]+ [kM]bit\/s$/);
  assert.match(shown["Round trip"] ?? "", /^(under 1|\d+) ms$/);

  await (await card(viewer, "Front door")).$eval(".actions button", (button) => button.click());
  await untilState(viewer, "Front door", "ready");
  await sender.page.waitForFunction(() => /nobody/.test(document.querySelector("#share-status")?.textContent ?? ""));
  await sender.page.click("#share-stop");
  await untilGone(viewer, "Front door");
  viewer.assertNoProblems();
  sender.assertNoProblems();
}

onPageStage("Chromium plays what Chromium sends, and shows its figures", (stage) => pageToPage(stage));

onLongPageStage("Firefox plays what Firefox sends, and shows its figures", (stage) => pageToPage(stage), launchFirefox);

onPageStage("two pages meet at the published signalling server", async (stage) => {
  const reference = await startReferenceServer();
  stage.atEnd(() => reference.stop());
  await pageToPage(stage, `?${new URLSearchParams({ signalling: reference.url })}`);
});

onPageStage("the published API plays what the page sends", async (stage) => {
  const sender = await stage.page();
  await share(sender, "Front door");
  const consumer = await stage.published("consumer", {});
  const producer = await consumer.tab.until("producerAdded");
  assert.deepEqual(producer.meta, { name: "Front door" });
  await playAndSee(consumer.tab, producer.id);
  consumer.tab.assertNoProblems();
  sender.assertNoProblems();
});

onPageStage("the published API, making the offer, plays what the page sends", async (stage) => {
  const sender = await stage.page();
  await share(sender, "Front door");
  const consumer = await stage.published("consumer", {});
  const { id } = await consumer.tab.until("producerAdded");
  await playAndSee(consumer.tab, id, { offerOptions: { offerToReceiveVideo: true, offerToReceiveAudio: true } });
  consumer.tab.assertNoProblems();
  sender.assertNoProblems();
});

onPageStage("the page plays what the published API sends", async (stage) => {
  const producer = await stage.published("producer", { name: "Elsewhere" });
  const viewer = await stage.page();
  await producer.tab.page.evaluate(() => window.producer.start());
  await play(viewer, "Elsewhere");
  await seeAndHear(viewer, "Elsewhere");
  viewer.assertNoProblems();
  producer.tab.assertNoProblems();
});
