import assert from "node:assert/strict";
import { card, play, seeAndHear, share, untilGone, untilState, untilText } from "./acts.mjs";
import { onPageStage } from "./page-stage.mjs";

/** @import { Tab } from "../browser/tab.mjs" */

/** @param {Tab} tab */
function cardCount({ page }) {
  return page.$$eval(".card", (cards) => cards.length);
}

/**
 * @param {Tab} tab of which a lost connection to the server was expected
 */
function assertNoOtherProblems(tab) {
  const others = tab.problems.filter((problem) => !/WebSocket|ERR_CONNECTION_REFUSED/.test(problem));
  assert.deepEqual(others, []);
}

onPageStage("media goes on while the server is down, and the list returns with it", async (stage) => {
  const sender = await stage.page();
  await share(sender, "Front door");
  const viewer = await stage.page();
  await play(viewer, "Front door");
  await seeAndHear(viewer, "Front door");
  const ownId = await viewer.page.$eval("#own-id", (code) => code.textContent);
  const srcObject = await viewer.page.evaluateHandle(() => document.querySelector(".card video"));
  const before = await viewer.page.evaluateHandle((video) => /** @type {any} */ (video).srcObject, srcObject);

  await stage.server.kill();
  for (const { page } of [sender, viewer]) {
    await page.waitForSelector('body[data-connection="lost"]');
  }
  await untilText(viewer.page, ".state", /no longer lists/);
  await seeAndHear(viewer, "Front door");
  assert(await viewer.page.$eval("#share-toggle", (button) => /** @type {HTMLButtonElement} */ (button).disabled));

  await stage.server.start();
  for (const { page } of [sender, viewer]) {
    await page.waitForSelector('body[data-connection="connected"]');
  }
  await untilText(viewer.page, ".state", /^Playing$/);
  assert.equal(await cardCount(viewer), 1, "the producer that returned is the one that is played");
  assert.notEqual(await viewer.page.$eval("#own-id", (code) => code.textContent), ownId);
  await seeAndHear(viewer, "Front door");
  const same = await viewer.page.evaluate(
    (video, media) => /** @type {any} */ (video).srcObject === media,
    srcObject,
    before,
  );
  assert(same, "it is the same stream all along");

  const late = await stage.page();
  await play(late, "Front door");
  await seeAndHear(late, "Front door");
  for (const tab of [sender, viewer, late]) {
    assertNoOtherProblems(tab);
  }
});

onPageStage("a stream that is watched is played again when its producer returns", async (stage) => {
  const sender = await stage.page();
  await share(sender, "Front door");
  const viewer = await stage.page();
  await play(viewer, "Front door");
  await seeAndHear(viewer, "Front door");

  await sender.close();
  await untilState(viewer, "Front door", "waiting");
  const again = await stage.page();
  await share(again, "Front door");
  await seeAndHear(viewer, "Front door");
  assert.equal(await cardCount(viewer), 1);

  await again.crash();
  await untilState(viewer, "Front door", "waiting");
  await (await card(viewer, "Front door")).$eval(".actions button", (button) => button.click());
  await untilGone(viewer, "Front door");
  await viewer.page.waitForSelector("#empty", { visible: true });
  viewer.assertNoProblems();
});

onPageStage("a link plays its producer, also one that comes later", async (stage) => {
  const viewer = await stage.page("#producer=Front%20door");
  await untilText(viewer.page, "#awaited", /Waiting for Front door/);
  const sender = await stage.page();
  await share(sender, "Front door");
  await seeAndHear(viewer, "Front door");
  assert.equal(await viewer.page.$eval("#awaited", (text) => text.checkVisibility()), false);

  const senderId = await sender.page.$eval("#own-id", (code) => code.textContent);
  const byId = await stage.page(`#producer=${senderId}`);
  // It plays before the test can listen.
  await seeAndHear(byId, "Front door", { sound: false });
  viewer.assertNoProblems();
  sender.assertNoProblems();
});

onPageStage("a stream whose sender never answers fails in words, and can be stopped", async (stage) => {
  const silent = await stage.rawProducer({ name: "Silent" });
  const viewer = await stage.page();
  await play(viewer, "Silent");
  await untilState(viewer, "Silent", "connecting");
  const { sessionId } = await silent.until("startSession");
  silent.send({ type: "endSessionV1_1", sessionId, error: null });
  await untilState(viewer, "Silent", "failed");
  await untilText(viewer.page, ".state", /The sender ended the stream/);
  await play(viewer, "Silent");
  const next = await silent.until("startSession");
  await (await card(viewer, "Silent")).$eval(".actions button", (button) => button.click());
  assert.equal((await silent.until("endSession")).sessionId, next.sessionId);
  await untilState(viewer, "Silent", "ready");
  viewer.assertNoProblems();
});
