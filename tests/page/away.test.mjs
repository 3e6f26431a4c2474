// Displays that nobody touches, when the sender or the network is away for longer than connections bear. Each takes
// minutes: they are in the long circle.
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import test from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { seeAndHear } from "./acts.mjs";
import { onLongPageStage } from "./page-stage.mjs";
import { publish } from "./publishing.mjs";

/** @import { PageStage } from "./page-stage.mjs" */

/** Longer than connections and the server bear. */
const SENDER_AWAY_MS = 40_000;
const NETWORK_AWAY_MS = 100_000;

/** Within which the picture is back: attempts are at most 15 s apart, and one may just have begun. */
const BACK_MS = 45_000;

const IN_NAMESPACE = "WIGWAG_AWAY_IN_NAMESPACE";

/** @param {PageStage} stage */
async function display(stage) {
  const published = publish(stage, "test", "--name", "Bench", "--server", stage.server.url);
  await published.line(/^published as /);
  const viewer = await stage.page("#producer=Bench");
  await seeAndHear(viewer, "Bench", { sound: false });
  return { published, viewer };
}

/**
 * Waits until the picture is back.
 *
 * @param {Awaited<ReturnType<typeof display>>["viewer"]} viewer
 */
async function untilBack(viewer) {
  await viewer.page.waitForSelector('.card[data-state="playing"]', { timeout: BACK_MS });
  await seeAndHear(viewer, "Bench", { sound: false });
}

if (process.env[IN_NAMESPACE]) {
  const nft = (/** @type {string[]} */ ...command) => promisify(execFile)("nft", command);
  onLongPageStage("the picture is back when UDP passes again after 100 s", async (stage) => {
    const { viewer } = await display(stage);
    await nft("add", "table", "inet", "away");
    await nft("add", "chain", "inet", "away", "out", "{ type filter hook output priority 0; }");
    await nft("add", "rule", "inet", "away", "out", "meta", "l4proto", "udp", "drop");
    await delay(NETWORK_AWAY_MS);
    assert.equal(await viewer.page.$('.card[data-state="playing"]'), null, "nothing was away");
    await nft("delete", "table", "inet", "away");
    await untilBack(viewer);
  });
} else if (process.env["WIGWAG_LONG"] === "1") {
  test("a display behind a network that is away plays again by itself", async () => {
    const set_up = "ip link set lo up && ip link add here type veth peer name there && ip link set here up && ip addr add 10.8.0.1/24 dev here";
    const again = spawn(
      "unshare",
      ["--user", "--map-root-user", "--net", "sh", "-c", `${set_up} && exec "$0" --test "$1"`, process.execPath, fileURLToPath(import.meta.url)],
      { stdio: ["ignore", "pipe", "inherit"], env: { ...process.env, [IN_NAMESPACE]: "1", NODE_TEST_CONTEXT: undefined } },
    );
    let said = "";
    again.stdout.setEncoding("utf8").on("data", (text) => (said += text));
    const [code] = await once(again, "close");
    assert.equal(code, 0, said);
    assert.match(said, /pass 1\b/, "it ran");
  });
}

if (!process.env[IN_NAMESPACE]) {
  onLongPageStage("the picture is back when a sender that stood still goes on after 40 s", async (stage) => {
    const { published, viewer } = await display(stage);
    published.signal("SIGSTOP");
    await delay(SENDER_AWAY_MS);
    assert.equal(await viewer.page.$('.card[data-state="playing"]'), null, "nothing was away");
    published.signal("SIGCONT");
    await untilBack(viewer);
  });
}
