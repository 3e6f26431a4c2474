import assert from "node:assert/strict";
import { test } from "node:test";
import { launchChromium } from "../browser/chromium.mjs";
import { PageServer } from "../browser/page-server.mjs";
import { RawPeer } from "../browser/raw-peer.mjs";
import { SignallingServer } from "../browser/signalling-server.mjs";
import { Tab } from "../browser/tab.mjs";
import { keepPeerConnections } from "./pages/observe.js";

/** @import { Browser } from "puppeteer-core" */

/** What one test plays on: a server of ours, which serves the page, and a browser, both fresh. */
export class PageStage {
  /** @type {{ story(): string }[]} */
  #parties = [];
  /** @type {(() => unknown)[]} */
  #endings = [];
  /** @type {SignallingServer | undefined} */
  #server;
  /** @type {Browser | undefined} */
  #browser;

  /** @param {() => Promise<Browser>} launch */
  async open(launch) {
    this.#server = await SignallingServer.start();
    const { server } = this;
    this.atEnd(() => server.kill());
    this.#browser = await launch();
    const { browser } = this;
    this.atEnd(() => browser.close());
  }

  get server() {
    assert(this.#server);
    return this.#server;
  }

  get browser() {
    assert(this.#browser);
    return this.#browser;
  }

  /** The address of the page. */
  get url() {
    return `${this.server.url.replace("ws:", "http:")}/`;
  }

  /** @param {() => unknown} end is called when the test is over */
  atEnd(end) {
    this.#endings.push(end);
  }

  /** @param {{ story(): string }} party is asked for its story if the test fails */
  tellsStory(party) {
    this.#parties.push(party);
  }

  /**
   * Opens the page.
   *
   * @param {string} how query and fragment
   * @returns {Promise<Tab>}
   */
  unconnected(how) {
    return this.#tab(`page ${this.#parties.length + 1}`, this.url + how);
  }

  /**
   * Opens the page and waits until it is connected.
   *
   * @param {string} [how] query and fragment
   * @returns {Promise<Tab>}
   */
  async page(how = "") {
    const tab = await this.unconnected(how);
    await tab.page.evaluate(keepPeerConnections);
    await tab.page.waitForSelector('body[data-connection="connected"]');
    return tab;
  }

  /**
   * Opens a page that uses gstwebrtc-api 3.0.0 as published.
   *
   * @param {"producer" | "consumer"} kind
   * @param {unknown} meta
   * @returns {Promise<{ tab: Tab, id: string }>}
   */
  async published(kind, meta) {
    const pages = await PageServer.start();
    this.atEnd(() => pages.close());
    const query = new URLSearchParams({ signalling: this.server.url, meta: JSON.stringify(meta) });
    const tab = await this.#tab(`published ${kind}`, `${pages.url}/published/${kind}.html?${query}`);
    return { tab, id: await tab.until("connected") };
  }

  /**
   * @param {unknown} meta
   * @returns {Promise<RawPeer>} a peer that says it produces
   */
  async rawProducer(meta) {
    const { peer } = await RawPeer.consumer(this.server.url, null);
    this.tellsStory(peer);
    this.atEnd(() => peer.close());
    peer.send({ type: "setPeerStatus", roles: ["producer"], meta });
    return peer;
  }

  /**
   * @param {string} who
   * @param {string} url
   */
  async #tab(who, url) {
    const tab = await Tab.open(this.browser, { who, url });
    this.tellsStory(tab);
    return tab;
  }

  /** @returns {Promise<unknown[]>} what failed while everything was ended */
  async close() {
    const failures = [];
    for (const end of this.#endings.reverse()) {
      try {
        await end();
      } catch (error) {
        failures.push(error);
      }
    }
    return failures;
  }

  story() {
    const stories = this.#parties.map((party) => party.story());
    return [...stories, "the server's output ends with:", this.#server?.outputTail ?? "(not started)"].join("\n");
  }
}

/**
 * Declares a test that gets a fresh stage, which is taken down whether it passes or fails.
 *
 * @param {string} name
 * @param {(stage: PageStage) => Promise<void>} play
 * @param {() => Promise<Browser>} launch starts the browser
 */
export function onPageStage(name, play, launch = launchChromium) {
  test(name, async () => {
    const stage = new PageStage();
    /** @type {unknown[]} */
    const failures = [];
    try {
      await stage.open(launch);
      await play(stage);
    } catch (error) {
      failures.push(error);
    }
    // It is told before the end, while everybody can still tell it.
    const story = stage.story();
    failures.push(...(await stage.close()));
    if (failures.length > 0) {
      const reasons = failures.map((error) => (error instanceof Error ? error.stack : String(error)));
      throw new Error([...reasons, story].join("\n"));
    }
  });
}

/**
 * The same for what takes long and seldom breaks: `cargo xtask test --long` runs it, by WIGWAG_LONG=1.
 *
 * @param {Parameters<typeof onPageStage>} test
 */
export function onLongPageStage(...test) {
  if (process.env["WIGWAG_LONG"] === "1") {
    onPageStage(...test);
  }
}
