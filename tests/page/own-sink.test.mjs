import assert from "node:assert/strict";
import { launchChromium } from "../browser/chromium.mjs";
import { launchFirefox } from "../browser/firefox.mjs";
import { Tab } from "../browser/tab.mjs";
import { figures, play, seeAndHear, untilGone, untilState } from "./acts.mjs";
import { freePort, LaunchedPipeline } from "./launched-pipeline.mjs";
import { onLongPageStage, onPageStage } from "./page-stage.mjs";

/** @import { PageStage } from "./page-stage.mjs" */

/**
 * @param {PageStage} stage
 * @param {string} pipeline
 */
function launched(stage, pipeline) {
  const peer = new LaunchedPipeline(pipeline);
  stage.tellsStory(peer);
  stage.atEnd(() => peer.stop());
  return peer;
}

/**
 * What the README begins with: one line, and the stream plays at the address that it prints.
 *
 * @param {PageStage} stage
 */
async function playAtPrintedAddress(stage) {
  // The default ports may be taken; the default STUN server is a public one, which a test must not contact.
  const ours = `web-server-host-addr=http://127.0.0.1:0 signalling-server-port=${await freePort()} stun-server=""`;
  const sender = launched(
    stage,
    `videotestsrc is-live=true ! webrtcsink run-signalling-server=true run-web-server=true ${ours}`,
  );
  const address = await sender.printed(/^Watch at (\S+)$/m);

  const viewer = await Tab.open(stage.browser, { who: "viewer", url: address });
  stage.tellsStory(viewer);
  const title = await viewer.page.waitForSelector(".card h3");
  const name = (await title?.evaluate((element) => element.textContent)) ?? "";
  assert.match(name, /^Unnamed /);
  await play(viewer, name);
  await seeAndHear(viewer, name, { sound: false });

  const shown = await figures(viewer, name, ["Codec", "Size"]);
  assert.match(shown["Codec"] ?? "", /VP8/);
  assert.equal(shown["Size"], "320 × 240");
  viewer.assertNoProblems();
  sender.assertRunning();
  // Neither a viewer nor an open page keeps it from ending.
  assert.equal(await sender.interrupt(), 0);
}

/**
 * @param {PageStage} stage
 */
async function playPictureAndSound(stage) {
  const sink = () =>
    launched(
      stage,
      `webrtcsink name=s signaller::uri=${stage.server.url} stun-server="" meta=meta,name=Bench ` +
        "videotestsrc is-live=true pattern=ball ! video/x-raw,width=640,height=480,framerate=30/1 ! queue ! s. " +
        "audiotestsrc is-live=true ! audio/x-raw,rate=48000 ! queue ! s.",
    );
  const sender = sink();
  const viewer = await stage.page();
  await play(viewer, "Bench");
  await seeAndHear(viewer, "Bench");
  const shown = await figures(viewer, "Bench", ["Codec", "Size"]);
  assert.match(shown["Codec"] ?? "", /^VP8, opus$/i);
  assert.equal(shown["Size"], "640 × 480");
  sender.assertRunning();

  // It leaves without a word, and returns.
  await sender.stop();
  await untilState(viewer, "Bench", "waiting");
  const again = sink();
  await seeAndHear(viewer, "Bench");
  await viewer.page.click(".actions button");
  await untilState(viewer, "Bench", "ready");
  await again.interrupt();
  await untilGone(viewer, "Bench");
  viewer.assertNoProblems();
}

const PLAYOUT_DELAY = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay";

/**
 * A live stream is shown as soon as it comes, or held back a little if the page's address says so.
 *
 * @param {PageStage} stage
 */
async function playWithLatency(stage) {
  const sender = launched(
    stage,
    `videotestsrc is-live=true pattern=ball ! video/x-raw,width=640,height=480,framerate=30/1 ! ` +
      `webrtcsink signaller::uri=${stage.server.url} stun-server="" meta=meta,name=Bench`,
  );
  for (const [query, asksFor] of /** @type {const} */ ([
    ["", true],
    ["?latency=smooth", false],
  ])) {
    const viewer = await stage.page(query);
    await play(viewer, "Bench");
    await seeAndHear(viewer, "Bench", { sound: false });
    const described = await viewer.page.evaluate(() => {
      const connection = window.peerConnections?.[0];
      return [connection?.remoteDescription?.sdp ?? "", connection?.localDescription?.sdp ?? ""];
    });
    assert.deepEqual(
      described.map((sdp) => sdp.includes(PLAYOUT_DELAY)),
      [true, asksFor],
      `offer and answer of the page with "${query}"`,
    );
    viewer.assertNoProblems();
    await viewer.close();
  }
  sender.assertRunning();
}

for (const [browser, launch] of /** @type {const} */ ([
  ["Chromium", launchChromium],
  ["Firefox", launchFirefox],
])) {
  const onSomeStage = browser === "Firefox" ? onLongPageStage : onPageStage;
  onSomeStage(`${browser} plays the stream of webrtcsink at the address that it prints`, playAtPrintedAddress, launch);

  onPageStage(`${browser} plays picture and sound of webrtcsink, again when it returns`, playPictureAndSound, launch);

  onSomeStage(`${browser} plays a live stream at low latency, or smoothly if it is asked to`, playWithLatency, launch);
}
