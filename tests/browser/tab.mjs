import assert from "node:assert/strict";
import { DEADLINE_MS, Hearing } from "./hearing.mjs";

/** @import { Browser, BrowserContext, ConsoleMessage, Page } from "puppeteer-core" */

/** A test page in a window of its own, what it reports, and what went wrong in it. */
export class Tab {
  #context;
  #hearing;
  #who;

  /**
   * @param {string} who
   * @param {BrowserContext} context
   * @param {Page} page
   */
  constructor(who, context, page) {
    this.#who = who;
    this.#context = context;
    this.page = page;
    this.#hearing = new Hearing(who);
  }

  /**
   * Opens a test page and waits until it is connected to the signalling server.
   *
   * @param {Browser} browser
   * @param {{ who: string, url: string }} options
   * @returns {Promise<Tab>}
   */
  static async open(browser, { who, url }) {
    // A context of its own gives each page its own window, so that it counts as visible and is not slowed down,
    // and its own process, so that one page can be killed alone.
    const context = await browser.createBrowserContext();
    const page = await context.newPage();
    page.setDefaultTimeout(DEADLINE_MS);
    const tab = new Tab(who, context, page);
    page.on("pageerror", (error) => tab.#hearing.add("problem", `page error: ${String(error)}`));
    page.on("console", (message) => {
      if (message.type() === "error") {
        tab.#hearing.add("problem", `console error: ${textOf(message)}`);
      }
    });
    await page.exposeFunction("report", (/** @type {string} */ name, /** @type {unknown} */ detail) =>
      tab.#hearing.add(name, detail),
    );
    await page.goto(url);
    return tab;
  }

  /**
   * @param {string} name
   * @param {(detail: any) => boolean} [matches]
   * @returns {Promise<any>}
   */
  until(name, matches) {
    return this.#hearing.until(name, matches);
  }

  /** @param {string} name */
  all(name) {
    return this.#hearing.all(name);
  }

  /** @type {string[]} errors in the page's console and exceptions that nobody caught, so far. */
  get problems() {
    return this.all("problem");
  }

  /** Fails if the page had an error that the test did not provoke. */
  assertNoProblems() {
    assert.deepEqual(this.problems, [], `errors in the page of ${this.#who}`);
    assert.deepEqual(this.all("sessionError"), [], `session errors in the page of ${this.#who}`);
  }

  /** @returns {string} for a failure message */
  story() {
    return this.#hearing.story();
  }

  /** Closes the page as a user closes a tab. */
  async close() {
    await this.#context.close();
  }

  /** Ends the page's process without letting the page say goodbye. */
  async crash() {
    const crashed = new Promise((resolve) => this.page.once("error", resolve));
    const devtools = await this.page.createCDPSession();
    // The answer never comes, as the process that would give it is gone.
    devtools.send("Page.crash").catch(() => {});
    await crashed;
  }
}

/**
 * @param {ConsoleMessage} message
 * @returns {string} its text, with the message of each Error in it, which `text()` leaves out
 */
function textOf(message) {
  const parts = message.args().map((argument) => {
    const { description, value } = argument.remoteObject();
    return value === undefined ? description : String(value);
  });
  return parts.length > 0 ? parts.join(" ") : message.text();
}
