// What is written on the page, who can read it, and that it stays text.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { card, play, seeAndHear, share, untilText } from "./acts.mjs";
import { onPageStage } from "./page-stage.mjs";

/** @import { Page } from "puppeteer-core" */

const AXE = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const SCRIPT = `<script>document.title = "owned"</script><img src="x" onerror="document.title = 'owned'">`;

/**
 * Fails if axe finds anything that keeps someone from using the page.
 *
 * @param {Page} page
 * @param {string} where for messages
 */
async function assertAccessible(page, where) {
  await page.evaluate(AXE);
  const violations = await page.evaluate(async () => {
    const found = await /** @type {any} */ (window).axe.run(document);
    return found.violations.map((/** @type {any} */ violation) => ({
      id: violation.id,
      impact: violation.impact,
      nodes: violation.nodes.map((/** @type {any} */ node) => `${node.html}: ${node.failureSummary}`),
    }));
  });
  assert.deepEqual(violations, [], where);
}

onPageStage("what peers say of themselves is shown as text", async (stage) => {
  const long = "x".repeat(100_000);
  await stage.rawProducer({ name: SCRIPT, "<b>key</b>": SCRIPT });
  await stage.rawProducer({ name: long });
  await stage.rawProducer({ name: "left \u202eright\u2066\u200f \u0000\n end" });
  await stage.rawProducer({ name: 7, "display-name": ["no", "text"] });
  await stage.rawProducer("not an object");
  const { page } = await stage.page();
  await page.waitForFunction(() => document.querySelectorAll(".card").length === 5);

  const names = await page.$$eval(".card h3", (titles) => titles.map((title) => title.textContent));
  assert(names.includes(`${SCRIPT.slice(0, 79)}…`), names.join("\n"));
  assert(names.includes(`${"x".repeat(79)}…`));
  assert(names.includes("left right end"));
  assert.equal(names.filter((name) => /^Unnamed [0-9a-f]{8}$/.test(name)).length, 2);

  await page.$$eval("summary", (all) => all.forEach((summary) => summary.click()));
  const details = await page.$$eval(".card details pre", (all) => all.map((pre) => pre.textContent));
  assert(details.some((text) => text.includes("<b>key</b>")));
  assert(details.every((text) => text.length <= 2_100));
  assert.equal(await page.title(), "Wigwag");
  assert.equal(await page.$$eval(".card script, .card img, .card b", (all) => all.length), 0);
  const [width, room] = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
  assert(Number(width) <= Number(room), `the page grew to ${width} of ${room} pixels`);
  await assertAccessible(page, "hostile names");
});

onPageStage("axe finds nothing wrong with the page, light or dark", async (stage) => {
  const { page } = await stage.page();
  const sender = await stage.page();
  const viewer = await stage.page();
  await page.waitForSelector("#empty", { visible: true });
  for (const value of ["light", "dark"]) {
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value }]);
    await assertAccessible(page, `empty, ${value}`);
    await page.click("#share-toggle");
    await assertAccessible(page, `sharing, ${value}`);
    await page.click("#share-toggle");
  }
  await share(sender, "Front door");
  await play(viewer, "Front door");
  await seeAndHear(viewer, "Front door");
  for (const value of ["light", "dark"]) {
    for (const { page: shown } of [sender, viewer]) {
      await shown.emulateMediaFeatures([{ name: "prefers-color-scheme", value }]);
      await assertAccessible(shown, `sending or playing, ${value}`);
    }
  }
});

onPageStage("a newcomer is told what to type", async (stage) => {
  const { page } = await stage.page();
  const command = `gst-launch-1.0 videotestsrc ! webrtcsink signaller::uri=${stage.server.url}`;
  await untilText(page, "#empty", /Nobody is sending yet/);
  assert.equal(await page.$eval("#command", (code) => code.textContent), command);
  await page.click("#copy-command");
  await untilText(page, "#notice", /Command copied/);
  await page.click("#copy-id");
  await untilText(page, "#notice", /Id copied/);
});

onPageStage("the keyboard is enough", async (stage) => {
  const sender = await stage.page();
  await sender.page.focus("#share-toggle");
  await sender.page.keyboard.press("Enter");
  await sender.page.keyboard.type("Front door");
  await sender.page.keyboard.press("Enter");
  await untilText(sender.page, "#share-status", /You are sending/);

  const viewer = await stage.page();
  await card(viewer, "Front door");
  const labels = [];
  for (let presses = 0; presses < 12 && labels.at(-1) !== "Play: Front door"; presses += 1) {
    await viewer.page.keyboard.press("Tab");
    labels.push(await viewer.page.evaluate(() => document.activeElement?.getAttribute("aria-label")));
  }
  await viewer.page.keyboard.press("Enter");
  await seeAndHear(viewer, "Front door");
  const focused = () => viewer.page.evaluate(() => document.activeElement?.getAttribute("aria-label"));
  assert.equal(await focused(), "Stop: Front door");
  await viewer.page.keyboard.press("Enter");
  await viewer.page.waitForSelector('.card[data-state="ready"]');
  assert.equal(await focused(), "Play: Front door");
});

onPageStage("an address that cannot work is said to be so", async (stage) => {
  const tab = await stage.unconnected("?signalling=nonsense%3A");
  await untilText(tab.page, "#connection", /Cannot connect to nonsense:/);
});
