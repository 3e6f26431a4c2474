import assert from "node:assert/strict";
import { card, figures, play, untilState, untilText } from "./acts.mjs";
import { onPageStage } from "./page-stage.mjs";

/** @import { PageStage } from "./page-stage.mjs" */

/**
 * Sends a source from one page and plays it on another.
 *
 * @param {PageStage} stage
 * @param {string} picture as in the form
 */
async function sendAndPlay(stage, picture) {
  const sender = await stage.page();
  const { page } = sender;
  await page.click("#share-toggle");
  await page.type("#share-name", picture);
  await page.click(`input[name="picture"][value="${picture}"]`);
  await page.click("#share-start");
  await untilText(page, "#share-status", /You are sending/);
  const viewer = await stage.page();
  await play(viewer, picture);
  await untilState(viewer, picture, "playing");
  await untilText(page, "#share-status", /1 viewer/);
  return { sender, viewer };
}

onPageStage("the page sends the screen with the microphone", async (stage) => {
  const { sender, viewer } = await sendAndPlay(stage, "screen");
  const shown = await figures(viewer, "screen", ["Codec", "Size", "Frame rate", "Bitrate"]);
  assert.match(shown["Codec"] ?? "", /, Opus$/);
  sender.assertNoProblems();
  viewer.assertNoProblems();
});

onPageStage("the page sends the microphone alone, and viewers are told that there is no picture", async (stage) => {
  const { sender, viewer } = await sendAndPlay(stage, "none");
  assert.equal((await figures(viewer, "none", ["Codec", "Bitrate"]))["Codec"], "Opus");
  const note = await (await card(viewer, "none")).$(".sound-only");
  assert(await note?.isVisible());
  sender.assertNoProblems();
  viewer.assertNoProblems();
});

onPageStage("nothing chosen, nothing is sent, and the page says why", async (stage) => {
  const { page } = await stage.page();
  await page.click("#share-toggle");
  await page.click('input[name="picture"][value="none"]');
  await page.click('input[name="microphone"]');
  await page.click("#share-start");
  await untilText(page, "#share-status", /Choose a picture, the microphone, or both/);
});
