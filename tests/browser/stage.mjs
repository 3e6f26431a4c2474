import assert from "node:assert/strict";
import { test } from "node:test";
import { ChangingSink } from "./changing-sink.mjs";
import { launchChromium } from "./chromium.mjs";
import { DEADLINE_MS } from "./hearing.mjs";
import { PageServer } from "./page-server.mjs";
import { RawPeer } from "./raw-peer.mjs";
import { SignallingServer } from "./signalling-server.mjs";
import { Tab } from "./tab.mjs";
import { WigwagSink } from "./wigwag-sink.mjs";

/** @import { SinkOptions } from "./wigwag-sink.mjs" */

/** As many frames as a viewer needs to call it a moving picture. */
const MOVING_PICTURE = 30;

/** What one test plays on: a signalling server, a page server and a browser, all fresh. */
export class Stage {
  /** @type {{ story(): string }[]} */
  #parties = [];
  /** @type {(() => unknown)[]} */
  #endings = [];
  /** @type {SignallingServer | undefined} */
  #server;
  /** @type {PageServer | undefined} */
  #pages;
  /** @type {import("puppeteer-core").Browser | undefined} */
  #browser;

  /** @param {() => Promise<import("puppeteer-core").Browser>} launch */
  async open(launch) {
    const server = await SignallingServer.start();
    this.#server = server;
    this.#endings.push(() => server.kill());
    const pages = await PageServer.start();
    this.#pages = pages;
    this.#endings.push(() => pages.close());
    const browser = await launch();
    this.#browser = browser;
    this.#endings.push(() => browser.close());
  }

  /**
   * Ends everything, the newest first, whatever fails on the way.
   *
   * @returns {Promise<unknown[]>} what failed
   */
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

  get server() {
    assert(this.#server);
    return this.#server;
  }

  /**
   * Opens a page that is connected and can produce.
   *
   * @param {Record<string, unknown>} [meta]
   * @returns {Promise<{ tab: Tab, id: string }>}
   */
  producer(meta = {}) {
    return this.#open("producer", meta);
  }

  /**
   * Opens a page that produces.
   *
   * @param {Record<string, unknown>} [meta]
   * @param {{ cameras?: number }} [options]
   * @returns {Promise<{ tab: Tab, id: string }>}
   */
  async producing(meta, options) {
    const producer = await this.producer(meta);
    await produce(producer.tab, options);
    return producer;
  }

  /**
   * Opens a page that is connected, listens to peers and can consume, by an API of the two.
   *
   * @returns {Promise<{ tab: Tab, id: string }>}
   */
  consumer(api = /** @type {"published" | "ours"} */ ("published")) {
    return this.#open("consumer", {}, api);
  }

  /**
   * Opens a page that consumes, by other names of this machine, and does not wait for a connection.
   *
   * @param {{ page: string, server: string }} hosts by which the page and the server are asked for
   * @returns {Promise<Tab>}
   */
  consumerAt(hosts) {
    return this.#page("consumer", {}, { hosts });
  }

  /**
   * @param {unknown} meta
   * @returns {Promise<{ peer: RawPeer, id: string }>} a passive consumer
   */
  async passiveConsumer(meta) {
    const { peer, id } = await RawPeer.consumer(this.server.url, meta);
    this.#parties.push(peer);
    this.#endings.push(() => peer.close());
    return { peer, id };
  }

  /**
   * Starts a `webrtcsink` of ours that produces.
   *
   * @param {SinkOptions} [options]
   * @returns {Promise<{ sink: WigwagSink, id: string }>}
   */
  async sink(options = {}) {
    const { sink, id } = await WigwagSink.start(this.server.url, options);
    this.#parties.push(sink);
    this.#endings.push(() => sink.stop());
    return { sink, id };
  }

  /**
   * Starts a `webrtcsink` of ours whose pads come and go.
   *
   * @param {string[]} kinds of the pads that there are at first
   */
  async changingSink(kinds) {
    const { sink, id } = await ChangingSink.start(this.server.url, kinds);
    this.#parties.push(sink);
    this.#endings.push(() => sink.stop());
    return { sink, id };
  }

  /**
   * @param {"producer" | "consumer"} kind
   * @param {Record<string, unknown>} meta
   * @param {"published" | "ours"} api
   */
  async #open(kind, meta, api = "published") {
    const tab = await this.#page(kind, meta, { api });
    return { tab, id: String(await tab.until("connected")) };
  }

  /**
   * @param {"producer" | "consumer"} kind
   * @param {Record<string, unknown>} meta
   * @param {{ api?: "published" | "ours", hosts?: { page: string, server: string } }} options
   */
  async #page(kind, meta, { api = "published", hosts = { page: "127.0.0.1", server: "127.0.0.1" } }) {
    assert(this.#browser && this.#pages);
    const [pages, signalling] = [new URL(`${this.#pages.url}/${api}/${kind}.html`), new URL(this.server.url)];
    [pages.hostname, signalling.hostname] = [hosts.page, hosts.server];
    pages.search = String(new URLSearchParams({ signalling: signalling.href, meta: JSON.stringify(meta) }));
    const tab = await Tab.open(this.#browser, { who: `${kind} page ${this.#parties.length + 1}`, url: pages.href });
    this.#parties.push(tab);
    return tab;
  }

  /** @returns {string} everything that may explain a failure */
  story() {
    const stories = this.#parties.map((party) => party.story());
    return [...stories, "the server's output ends with:", this.#server?.outputTail ?? "(not started)"].join("\n");
  }
}

/**
 * Declares a test that gets a fresh stage, which is taken down whether it passes or fails.
 *
 * @param {string} name
 * @param {(stage: Stage) => Promise<void>} play
 * @param {() => Promise<import("puppeteer-core").Browser>} launch starts the browser
 */
export function onStage(name, play, launch = launchChromium) {
  test(name, async () => {
    const stage = new Stage();
    /** @type {unknown[]} */
    const failures = [];
    try {
      await stage.open(launch);
      await play(stage);
    } catch (error) {
      failures.push(error);
    }
    failures.push(...(await stage.close()));
    if (failures.length > 0) {
      const reasons = failures.map((error) => (error instanceof Error ? error.stack : String(error)));
      throw new Error([...reasons, stage.story()].join("\n"));
    }
  });
}

/**
 * The same for what takes long and seldom breaks: `cargo xtask test --long` runs it, by WIGWAG_LONG=1.
 *
 * @param {Parameters<typeof onStage>} test
 */
export function onLongStage(...test) {
  if (process.env["WIGWAG_LONG"] === "1") {
    onStage(...test);
  }
}

/**
 * Starts to produce and waits until the server has registered the producer.
 *
 * @param {Tab} tab
 * @param {object} [options]
 * @param {number} [options.cameras] how many streams of video
 */
export async function produce(tab, { cameras = 1 } = {}) {
  await tab.page.evaluate((count) => window.producer.start(undefined, count), cameras);
  await tab.until("producing");
}

/**
 * Plays a producer and fails unless a moving picture is seen.
 *
 * @param {Tab} tab
 * @param {string} producerId
 * @param {object} [how]
 * @param {number} [how.frames] how many must be decoded and shown; at least 10, for two pictures to compare
 * @param {string[]} [how.tracks] which tracks there must be
 * @param {RTCOfferOptions | null} [how.offerOptions] what the page is to offer; null if the producer offers
 */
export async function playAndSee(
  tab,
  producerId,
  { frames = MOVING_PICTURE, tracks = ["audio", "video"], offerOptions = null } = {},
) {
  await tab.page.evaluate((id, offer) => window.consumer.play(id, offer), producerId, offerOptions);
  const seen = await tab.page.evaluate(
    (count, deadline) => window.consumer.picture(count, deadline),
    frames,
    DEADLINE_MS,
  );
  const summary = JSON.stringify(seen);
  assert(seen.shown >= frames, `too few frames were decoded and shown: ${summary}`);
  assert(seen.different >= 2, `the picture does not move: ${summary}`);
  assert(seen.width > 0 && seen.height > 0, `the picture has no size: ${summary}`);
  assert.deepEqual(seen.tracks, tracks, "the tracks that the consumer got");
}
