// What comes encoded, at viewers that list less than they decode, or less than is sent.
import assert from "node:assert/strict";
import { launchChromium } from "../browser/chromium.mjs";
import { launchFirefox } from "../browser/firefox.mjs";
import { card, figures, play, seeAndHear, untilState } from "./acts.mjs";
import { LaunchedPipeline } from "./launched-pipeline.mjs";
import { onPageStage } from "./page-stage.mjs";
import { listOnly } from "./pages/codec-list.js";

/** @import { PageStage } from "./page-stage.mjs" */
/** @import { Tab } from "../browser/tab.mjs" */

// Encoders of VP9 make another profile of other formats, which Firefox does not take.
const PICTURE = "videotestsrc is-live=true pattern=ball ! video/x-raw,format=I420,width=640,height=360,framerate=30/1";
// A faster preset needs nothing of Main or High, and makes baseline whatever is asked for.
const H264 = "x264enc tune=zerolatency speed-preset=veryfast bframes=0 key-int-max=30";

/** Under which names viewers list H.264 (`profile-level-id`, RFC 6184). */
const LISTS = { Firefox: ["42e01f", "42001f"], Safari: ["42e01f", "640c1f"] };

/**
 * @param {PageStage} stage
 * @param {string} streams what goes into the sink `s`
 */
function send(stage, streams, properties = "") {
  const sink = `webrtcsink name=s signaller::uri=${stage.server.url} stun-server="" meta=meta,name=Bench ${properties}`;
  const sender = new LaunchedPipeline(`${sink} ${streams}`);
  stage.tellsStory(sender);
  stage.atEnd(() => sender.stop());
  return sender;
}

/**
 * @param {Tab} tab
 * @param {string} name
 * @param {RegExp} pattern
 */
async function untilCardSays(tab, name, pattern) {
  const said = (/** @type {HTMLElement} */ li, /** @type {string} */ source) => new RegExp(source).test(li.innerText);
  await tab.page.waitForFunction(said, {}, await card(tab, name), pattern.source);
}

for (const profile of ["main", "high"]) {
  for (const [browser, profiles] of Object.entries(LISTS)) {
    onPageStage(`H.264 ${profile} is seen by a viewer with the list of ${browser}`, async (stage) => {
      const sender = send(stage, `${PICTURE} ! ${H264} ! video/x-h264,profile=${profile} ! s.`);
      const viewer = await stage.page();
      await viewer.page.evaluate(listOnly, profiles);
      await play(viewer, "Bench");
      await seeAndHear(viewer, "Bench", { sound: false });
      assert.match((await figures(viewer, "Bench", ["Codec"]))["Codec"] ?? "", /H264/);
      viewer.assertNoProblems();
      sender.assertRunning();
    });
  }
}

for (const [browser, launch] of /** @type {const} */ ([
  ["Chromium", launchChromium],
  ["Firefox", launchFirefox],
])) {
  onPageStage(
    `${browser} hears G.711 and sees VP9 that come encoded`,
    async (stage) => {
      const sender = send(
        stage,
        `${PICTURE} ! vp9enc deadline=1 cpu-used=8 lag-in-frames=0 keyframe-max-dist=30 ! queue ! s. ` +
          "audiotestsrc is-live=true ! audio/x-raw,rate=8000,channels=1 ! mulawenc ! queue ! s.",
      );
      const viewer = await stage.page();
      await play(viewer, "Bench");
      await seeAndHear(viewer, "Bench");
      assert.match((await figures(viewer, "Bench", ["Codec"]))["Codec"] ?? "", /^VP9, PCMU$/i);
      viewer.assertNoProblems();
      sender.assertRunning();
    },
    launch,
  );

  onPageStage(
    `${browser} without H.264 sees it transcoded`,
    async (stage) => {
      const sender = send(stage, `${PICTURE} ! ${H264} ! video/x-h264,profile=high ! queue ! s.`);
      const viewer = await stage.page();
      await viewer.page.evaluate(listOnly, []);
      await play(viewer, "Bench");
      await untilState(viewer, "Bench", "playing");
      assert.match((await figures(viewer, "Bench", ["Codec"]))["Codec"] ?? "", /^VP8$/i);
      viewer.assertNoProblems();
      sender.assertRunning();
    },
    launch,
  );

  onPageStage(
    `${browser} without H.264 plays the sound and says what it lacks`,
    async (stage) => {
      const sender = send(
        stage,
        `${PICTURE} ! ${H264} ! video/x-h264,profile=high ! queue ! s. ` +
          "audiotestsrc is-live=true ! opusenc ! queue ! s.",
        "transcode=never",
      );
      const viewer = await stage.page();
      await viewer.page.evaluate(listOnly, []);
      await play(viewer, "Bench");
      await untilState(viewer, "Bench", "playing");
      await untilCardSays(viewer, "Bench", /cannot show the picture, which comes as H\.264/);
      await untilCardSays(viewer, "Bench", /Sound only/);
      await viewer.page.waitForFunction(async () => {
        for (const connection of window.peerConnections ?? []) {
          for (const entry of (await connection.getStats()).values()) {
            if (entry.type === "inbound-rtp" && entry.totalAudioEnergy > 0) {
              return true;
            }
          }
        }
        return false;
      });
      viewer.assertNoProblems();
      sender.assertRunning();
    },
    launch,
  );

  onPageStage(
    `${browser} without H.264 says so of a picture without sound`,
    async (stage) => {
      send(stage, `${PICTURE} ! ${H264} ! video/x-h264,profile=high ! s.`, "transcode=never");
      const viewer = await stage.page();
      await viewer.page.evaluate(listOnly, []);
      await play(viewer, "Bench");
      await untilState(viewer, "Bench", "failed");
      await untilCardSays(viewer, "Bench", /cannot show the picture, which comes as H\.264/);
    },
    launch,
  );
}
