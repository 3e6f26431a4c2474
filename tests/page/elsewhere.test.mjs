// Links and senders that lead elsewhere than a person expects.
import assert from "node:assert/strict";
import { card, play, seeAndHear, share, untilText } from "./acts.mjs";
import { onPageStage } from "./page-stage.mjs";

/** @import { PageStage } from "./page-stage.mjs" */

/**
 * The stage's server by a name that is none of the page's host; the browser knows it.
 *
 * @param {PageStage} stage
 */
function elsewhere(stage) {
  const { port } = new URL(stage.server.url);
  return { host: `elsewhere.test:${port}`, query: `?signalling=${encodeURIComponent(`ws://elsewhere.test:${port}/`)}` };
}

onPageStage("a link that names another host is asked about before the page connects, and before it sends", async (stage) => {
  const { host, query } = elsewhere(stage);
  const tab = await stage.unconnected(query);
  const { page } = tab;
  await page.waitForSelector("#elsewhere", { visible: true });
  assert.equal(await page.$eval("#elsewhere-host", (element) => element.textContent), host);
  assert.equal(await page.$eval("body", (body) => body.dataset["connection"]), "unasked");
  assert(await page.$eval("#share-toggle", (button) => button.hasAttribute("disabled")));
  await page.click("#elsewhere-connect");
  await untilText(page, "#connection", new RegExp(`Connected to ${host}`));
  assert.equal(await page.$("#elsewhere:not([hidden])"), null);

  /** @type {string[]} */
  const questions = [];
  let answer = false;
  page.on("dialog", (dialog) => {
    questions.push(dialog.message());
    void (answer ? dialog.accept() : dialog.dismiss());
  });
  await page.click("#share-toggle");
  await page.waitForSelector("#share-name", { visible: true });
  await page.click("#share-start");
  assert.match(questions[0] ?? "", new RegExp(host));
  assert.equal(await page.$eval("#share-live", (element) => element.hasAttribute("hidden")), true);
  answer = true;
  await page.click("#share-start");
  await untilText(page, "#share-status", /You are sending/);
  assert.equal(questions.length, 2);
  tab.assertNoProblems();
});

onPageStage("a link that names the own host at any port is followed", async (stage) => {
  const { port } = new URL(stage.server.url);
  const own = await stage.page(`?signalling=${encodeURIComponent(`ws://127.0.0.1:${port}`)}`);
  await untilText(own.page, "#connection", /^Connected$/);
  own.assertNoProblems();
  // A page on another port of the same host, as webrtcsink has one.
  const sibling = await stage.page("?signalling=%3A" + port);
  await untilText(sibling.page, "#connection", /^Connected$/);
});

onPageStage("a sender that takes the name of one that is watched is played, and said to have changed", async (stage) => {
  const first = await stage.page();
  await share(first, "Front door");
  const viewer = await stage.page();
  await card(viewer, "Front door");
  await play(viewer, "Front door");
  await seeAndHear(viewer, "Front door");
  assert.equal(await viewer.page.$(".changed:not([hidden])"), null);
  await first.close();
  const second = await stage.page();
  await share(second, "Front door");
  await viewer.page.waitForSelector(".changed", { visible: true });
  await untilText(viewer.page, ".changed", /Sender changed at \d.*another one uses its name/);
  await seeAndHear(viewer, "Front door");
  await viewer.page.screenshot({ path: process.env["WIGWAG_PICTURE"] ?? "/dev/null", type: "png" });
  await viewer.page.click(".changed button");
  await viewer.page.waitForSelector(".changed", { hidden: true });
});
