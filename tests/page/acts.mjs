// What a person does on the page, and sees.
import assert from "node:assert/strict";
import { DEADLINE_MS } from "../browser/hearing.mjs";
import { observe } from "./pages/observe.js";

/** @import { ElementHandle } from "puppeteer-core" */
/** @import { Tab } from "../browser/tab.mjs" */

/** As many frames as a viewer needs to call it a moving picture. */
const MOVING_PICTURE = 30;

/**
 * Sends the fake camera, and the fake microphone unless told not to.
 *
 * @param {Tab} tab
 * @param {string} name
 * @param {{ microphone?: boolean }} [what]
 */
export async function share({ page }, name, { microphone = true } = {}) {
  await page.click("#share-toggle");
  await page.waitForSelector("#share-name", { visible: true });
  await page.type("#share-name", name);
  if (!microphone) {
    await page.click('input[name="microphone"]');
  }
  await page.click("#share-start");
  await page.waitForSelector("#share-stop", { visible: true });
  await untilText(page, "#share-status", /You are sending/);
}

/**
 * @param {Tab} tab
 * @param {string} name
 * @returns {Promise<ElementHandle<HTMLElement>>} the card of the stream of that name
 */
export async function card({ page }, name) {
  const found = await page.waitForFunction(
    (wanted) =>
      [.../** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll(".card"))].find(
        (element) => element.querySelector("h3")?.textContent === wanted,
      ),
    {},
    name,
  );
  const element = found.asElement();
  assert(element, `there is no stream called ${name}`);
  return /** @type {ElementHandle<HTMLElement>} */ (element);
}

/**
 * Plays a stream by a click.
 *
 * @param {Tab} tab
 * @param {string} name
 */
export async function play(tab, name) {
  const button = await (await card(tab, name)).$(".play");
  assert(button);
  await button.click();
}

/**
 * @param {Tab} tab
 * @param {string} name
 * @param {string} state as in the card's `data-state`
 */
export async function untilState(tab, name, state) {
  const element = await card(tab, name);
  await tab.page.waitForFunction((li, wanted) => li.dataset["state"] === wanted, {}, element, state);
}

/**
 * Fails unless a stream that plays shows a moving picture, with sound if there is to be any.
 *
 * @param {Tab} tab
 * @param {string} name
 * @param {{ sound?: boolean }} [how]
 */
export async function seeAndHear(tab, name, { sound = true } = {}) {
  await untilState(tab, name, "playing");
  const seen = await tab.page.evaluate(observe, await card(tab, name), MOVING_PICTURE, sound, DEADLINE_MS);
  const summary = JSON.stringify(seen);
  assert(seen.shown >= MOVING_PICTURE, `too few frames were shown: ${summary}`);
  assert(seen.different >= 2, `the picture does not move: ${summary}`);
  assert(seen.width > 0 && seen.height > 0, `the picture has no size: ${summary}`);
  assert(!sound || seen.loudness > 0, `nothing is heard: ${summary}`);
}

/**
 * @param {Tab} tab
 * @param {string} name
 * @returns {Promise<Record<string, string>>} the figures of a stream, once there is every one of `terms`
 * @param {string[]} terms
 */
export async function figures(tab, name, terms) {
  const element = await card(tab, name);
  const found = await tab.page.waitForFunction(
    (li, wanted) => {
      const all = Object.fromEntries(
        [...li.querySelectorAll(".figures div")].map((div) => [
          div.querySelector("dt")?.textContent,
          div.querySelector("dd")?.textContent ?? "",
        ]),
      );
      return wanted.every((term) => term in all) && all;
    },
    {},
    element,
    terms,
  );
  return /** @type {Record<string, string>} */ (await found.jsonValue());
}

/**
 * @param {Tab} tab
 * @param {string} name
 */
export async function untilGone({ page }, name) {
  await page.waitForFunction(
    (wanted) => ![...document.querySelectorAll(".card h3")].some((title) => title.textContent === wanted),
    {},
    name,
  );
}

/**
 * @param {import("puppeteer-core").Page} page
 * @param {string} selector
 * @param {RegExp} pattern
 */
export async function untilText(page, selector, pattern) {
  await page.waitForFunction(
    (where, source) => new RegExp(source).test(document.querySelector(where)?.textContent ?? ""),
    {},
    selector,
    pattern.source,
  );
}
