// How late and how evenly a picture is shown, from the published sink and from ours, in turns. Started by `cargo xtask bench
// latency`; writes what was seen to standard output, as JSON.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { launchChromium } from "./chromium.mjs";
import { launchFirefox } from "./firefox.mjs";
import { NarrowLink, throughLink } from "./narrow-link.mjs";
import { PageServer } from "./page-server.mjs";
import { SignallingServer } from "./signalling-server.mjs";
import { Tab } from "./tab.mjs";

/** @import { Seen } from "./pages/clock.js" */
/** @import { LinkOptions } from "./narrow-link.mjs" */

/** A session's beginning is not measured: congestion control and jitter buffer still look for their place. */
const WARM_UP_MS = 2_500;
/** As for the published sink, so that both encode the same. */
const BITRATE = 2_000_000;

/**
 * @typedef {object} Plan what `cargo xtask` wants
 * @property {("chromium" | "firefox")[]} browsers
 * @property {{ name: string, sound: boolean, latencyMs: number | null }[]} sources
 * @property {{ name: string, published: boolean, properties: string[] }[]} sinks
 * @property {number} rounds
 * @property {number} seconds
 * @property {LinkOptions | null} link
 */

/** @typedef {{ browser: string, source: string, sink: string, round: number } & Seen} Result */

/**
 * @param {string} name
 * @returns {string} what `cargo xtask` put into the environment
 */
function required(name) {
  const value = process.env[name];
  assert(value, `${name} is not set; run \`cargo xtask bench latency\``);
  return value;
}

/**
 * @param {SignallingServer} server
 * @param {string} name
 * @param {Plan["sources"][number]} source
 * @param {Plan["sinks"][number]} sink
 */
function start(server, name, { sound, latencyMs }, { published, properties }) {
  const options = published
    ? [
        ...["produce", `--uri=${server.url}`, `--name=${name}`, "--clock", "--width=640", "--height=480"],
        ...[`--bitrate=${BITRATE}`, ...(sound ? ["--sound"] : [])],
        ...(latencyMs === null ? [] : [`--latency=${latencyMs}`]),
      ]
    : [
        ...[server.url, name, `max-bitrate=${BITRATE}`, `start-bitrate=${BITRATE}`, ...properties],
        ...(sound ? ["sound"] : []),
        ...(latencyMs === null ? [] : [`latency=${latencyMs}`]),
      ];
  const program = required(published ? "WIGWAG_PEER_GST_WEBRTC" : "WIGWAG_CLOCK_PICTURE");
  const env = { ...process.env, WIGWAG_ADDRESSES: "127.0.0.1" };
  // Both end with their standard input.
  const child = spawn(program, options, { env, stdio: ["pipe", "ignore", "inherit"] });
  const last = () => child.kill("SIGKILL");
  process.once("exit", last);
  return async () => {
    process.off("exit", last);
    const exited = child.exitCode === null && child.signalCode === null ? once(child, "exit") : null;
    child.kill("SIGKILL");
    await exited;
  };
}

/**
 * @param {SignallingServer} server
 * @param {PageServer} pages
 * @param {import("puppeteer-core").Browser} browser
 * @param {Plan} plan
 * @param {Plan["sources"][number]} source
 * @param {Plan["sinks"][number]} sink
 * @returns {Promise<Seen>}
 */
async function watch(server, pages, browser, plan, source, sink) {
  const query = new URLSearchParams({ signalling: server.url });
  const tab = await Tab.open(browser, { who: "viewer", url: `${pages.url}/published/consumer.html?${query}` });
  await tab.until("connected");
  const link = plan.link && new NarrowLink(plan.link);
  if (link) {
    await throughLink(tab.page, link);
  }
  const stop = start(server, sink.name, source, sink);
  try {
    const { id } = await tab.until("producerAdded", (peer) => peer.meta?.name === sink.name);
    await tab.page.evaluate((producer) => window.consumer.play(producer, null), id);
    const watchMs = plan.seconds * 1_000;
    await tab.page.evaluate((deadline) => window.consumer.picture(1, deadline), 20_000);
    const how = { warmUpMs: WARM_UP_MS, watchMs, sound: source.sound };
    await tab.page.evaluate((given) => {
      const kept = /** @type {{ seen?: Promise<Seen> }} */ (/** @type {unknown} */ (window));
      kept.seen = window.consumer.clock(given);
    }, how);
    // Not in one call, which may take a minute and more, and puppeteer gives up on those.
    await new Promise((resolve) => setTimeout(resolve, WARM_UP_MS + watchMs));
    const seen = await tab.page.evaluate(
      () => /** @type {{ seen: Promise<Seen> }} */ (/** @type {unknown} */ (window)).seen,
    );
    assert(seen.delays.length > 10 * plan.seconds, `too few pictures: ${seen.delays.length} in ${plan.seconds} s`);
    return seen;
  } finally {
    await tab.close();
    await stop();
    link?.close();
  }
}

/** @returns {Promise<Result[]>} */
async function measure() {
  /** @type {Plan} */
  const plan = JSON.parse(required("WIGWAG_LATENCY_PLAN"));
  /** @type {Result[]} */
  const results = [];
  const server = await SignallingServer.start();
  const pages = await PageServer.start();
  try {
    for (const browserName of plan.browsers) {
      const browser = await { chromium: launchChromium, firefox: launchFirefox }[browserName]();
      try {
        for (const source of plan.sources) {
          for (let round = 0; round < plan.rounds; round += 1) {
            for (const sink of plan.sinks) {
              const seen = await watch(server, pages, browser, plan, source, sink);
              const middle = [...seen.delays].sort((a, b) => a - b)[Math.floor(seen.delays.length / 2)] ?? 0;
              console.error(`${browserName}, ${source.name}, round ${round + 1}, ${sink.name}: ${middle.toFixed(1)} ms`);
              results.push({ browser: browserName, source: source.name, sink: sink.name, round, ...seen });
            }
          }
        }
      } finally {
        await browser.close();
      }
    }
  } finally {
    await pages.close();
    await server.kill();
  }
  return results;
}

process.stdout.write(JSON.stringify(await measure()));
