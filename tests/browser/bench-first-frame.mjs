// How long a page waits for its first picture, from the published sink and from ours. Started by
// `cargo xtask bench first-frame`; writes the joins to standard output, as JSON, in milliseconds.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { launchChromium } from "./chromium.mjs";
import { DEADLINE_MS } from "./hearing.mjs";
import { PageServer } from "./page-server.mjs";
import { SignallingServer } from "./signalling-server.mjs";
import { Tab } from "./tab.mjs";

const JOINS = 10;
const [WIDTH, HEIGHT] = [640, 480];

/** From the end of one session to the next join, so that its end is not measured. */
const REST_MS = 700;

/** How long after the last viewer our sink's encoder has certainly stopped; it lingers for five seconds. */
const IDLE_MS = 6_500;

/** @typedef {{ time: number, received: number, width: number, height: number }} FirstFrame times in ms from the call */

/** @type {(() => unknown)[]} */
const endings = [];

/**
 * @param {string} program
 * @param {string[]} args
 * @param {Record<string, string>} env
 * @returns the process; its standard input stays open, as the published sink's program ends with it
 */
function run(program, args, env = {}) {
  const child = spawn(program, args, { env: { ...process.env, ...env }, stdio: ["pipe", "ignore", "pipe"] });
  const last = () => child.kill("SIGKILL");
  process.once("exit", last);
  endings.push(async () => {
    process.off("exit", last);
    if (child.exitCode === null && child.signalCode === null) {
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
    }
  });
  return child;
}

/**
 * @param {string} name
 * @returns {string} what `cargo xtask` put into the environment
 */
function required(name) {
  const value = process.env[name];
  assert(value, `${name} is not set; run \`cargo xtask bench first-frame\``);
  return value;
}

/** @param {SignallingServer} server */
function startReference(server) {
  const picture = [`--width=${WIDTH}`, `--height=${HEIGHT}`];
  const args = ["produce", `--uri=${server.url}`, "--name=reference", ...picture];
  run(required("WIGWAG_PEER_GST_WEBRTC"), args).stderr.resume();
}

/**
 * @param {SignallingServer} server
 * @returns {() => number} how many encoders it has started so far
 */
function startOurs(server) {
  const source = ["videotestsrc", "is-live=true", "!", `video/x-raw,width=${WIDTH},height=${HEIGHT},framerate=30/1`];
  const sink = ["webrtcsink", 'stun-server=""', "video-caps=video/x-vp8", "meta=meta,name=wigwag"];
  const child = run("gst-launch-1.0", ["-q", ...source, "!", ...sink, `signaller::uri=${server.url}`], {
    GST_PLUGIN_PATH: required("WIGWAG_PLUGIN"),
    GST_DEBUG: "webrtcsink:4",
    GST_DEBUG_NO_COLOR: "1",
    WIGWAG_ADDRESSES: "127.0.0.1",
  });
  let log = "";
  child.stderr.setEncoding("utf8").on("data", (text) => (log += text));
  return () => log.split(" starts: ").length - 1;
}

/**
 * Joins a producer and leaves again.
 *
 * @param {Tab} tab
 * @param {string} producerId
 * @returns {Promise<number>} milliseconds from the call of `connect()` to the first frame
 */
async function join(tab, producerId) {
  const first = await tab.page.evaluate(
    (id, deadline) => {
      const video = /** @type {HTMLVideoElement} */ (window.document.querySelector("video"));
      return new Promise((resolve, reject) => {
        window.setTimeout(() => reject(new Error("no frame was presented in time")), deadline);
        video.requestVideoFrameCallback((_, { receiveTime = 0, width, height }) =>
          resolve({ time: window.performance.now() - start, received: receiveTime - start, width, height }),
        );
        const start = window.performance.now();
        window.consumer.play(id, null);
      });
    },
    producerId,
    DEADLINE_MS,
  );
  const { time, received, width, height } = /** @type {FirstFrame} */ (first);
  const shown = JSON.stringify(first);
  assert(received > 0 && received < time, `a frame that arrived after the call: ${shown}`);
  assert.deepEqual([width, height], [WIDTH, HEIGHT], `a frame of the sink's: ${shown}`);
  await tab.page.evaluate(() => {
    window.consumer.stop();
    // What this session showed last is not the first frame of the next.
    const video = /** @type {HTMLVideoElement} */ (window.document.querySelector("video"));
    video.srcObject = null;
  });
  await delay(REST_MS);
  return time;
}

async function measure() {
  const server = await SignallingServer.start();
  endings.push(() => server.kill());
  const pages = await PageServer.start();
  endings.push(() => pages.close());
  const browser = await launchChromium();
  endings.push(() => browser.close());
  const query = new URLSearchParams({ signalling: server.url });
  const tab = await Tab.open(browser, { who: "viewer", url: `${pages.url}/published/consumer.html?${query}` });
  await tab.until("connected");

  startReference(server);
  const reference = await tab.until("producerAdded", (peer) => peer.meta?.name === "reference");
  const encodersStarted = startOurs(server);
  const ours = await tab.until("producerAdded", (peer) => peer.meta?.name === "wigwag");

  // A page's first session starts what the browser needs for sessions; that is not the sinks' affair.
  await join(tab, reference.id);
  await join(tab, ours.id);
  let idleSince = performance.now();

  /** @type {{ reference: number[], running: number[], idle: number[] }} */
  const joins = { reference: [], running: [], idle: [] };
  while (joins.reference.length < JOINS) {
    joins.reference.push(await join(tab, reference.id));
    await delay(Math.max(0, idleSince + IDLE_MS - performance.now()));
    const before = encodersStarted();
    joins.idle.push(await join(tab, ours.id));
    assert.equal(encodersStarted(), before + 1, "the encoder was not running, so that the join started it");
    joins.running.push(await join(tab, ours.id));
    idleSince = performance.now();
    assert.equal(encodersStarted(), before + 1, "the encoder was still running");
  }
  tab.assertNoProblems();
  return joins;
}

try {
  process.stdout.write(JSON.stringify(await measure()));
} finally {
  for (const end of endings.reverse()) {
    await end();
  }
}
