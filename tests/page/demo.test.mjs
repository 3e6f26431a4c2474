import assert from "node:assert/strict";
import { launchFirefox } from "../browser/firefox.mjs";
import { play, seeAndHear } from "./acts.mjs";
import { LongRunning } from "./long-running.mjs";
import { onLongPageStage, onPageStage } from "./page-stage.mjs";
import { pageAt } from "./publishing.mjs";

/** @import { PageStage } from "./page-stage.mjs" */

/**
 * One command, one page, one click.
 *
 * @param {PageStage} stage
 */
async function demo(stage) {
  const program = process.env["WIGWAG_XTASK"];
  assert(program, "WIGWAG_XTASK does not name the program of `cargo xtask`; run `cargo xtask test`");
  const wigwag = process.env["WIGWAG_SERVE"]?.replace(/ serve$/, "");
  assert(wigwag, "WIGWAG_SERVE does not name our server; run `cargo xtask test`");
  // The one that all tests run; `cargo xtask test --long` lets the demo build its own.
  const command = [program, "demo", "--no-open", "--program", wigwag];
  const running = new LongRunning(stage, "cargo xtask demo", command, { WIGWAG_ADDRESSES: "127.0.0.1" });
  const url = await running.line(/Open (http:\S+) in a browser/);
  const viewer = await pageAt(stage, url);
  await play(viewer, "test");
  await seeAndHear(viewer, "test");
  viewer.assertNoProblems();

  assert.equal(await running.end("SIGINT"), "0");
  await running.line(/The demo is over/);
  await assert.rejects(fetch(url), "its server has ended, too");
}

onPageStage("the demo is one command and one click in Chromium", demo);

onLongPageStage("the demo is one command and one click in Firefox", demo, launchFirefox);
