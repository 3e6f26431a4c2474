import assert from "node:assert/strict";
import { launchFirefox } from "./firefox.mjs";
import { DEADLINE_MS } from "./hearing.mjs";
import { onStage } from "./stage.mjs";

/** @import { Tab } from "./tab.mjs" */

/** As many pictures or packets of sound as show that a track goes on. */
const MORE = 30;

const OFFER_OPTIONS = { offerToReceiveVideo: true, offerToReceiveAudio: true };

/**
 * Waits until so many tracks of these kinds come, and fails unless each goes on.
 *
 * @param {Tab} tab
 * @param {string[]} kinds in order
 */
async function assertTracks(tab, kinds) {
  const tracks = await tab.page.evaluate(
    (wanted, more, deadline) => window.consumer.tracks(wanted, more, deadline),
    kinds,
    MORE,
    DEADLINE_MS,
  );
  assert.deepEqual(tracks, kinds);
}

for (const [browser, launch] of /** @type {const} */ ([
  ["Chromium", undefined],
  ["Firefox", launchFirefox],
])) {
  // The published API answers no further offer if the first was its own.
  for (const [who, api, offerOptions] of /** @type {const} */ ([
    ["the sink", "published", null],
    ["the page", "ours", OFFER_OPTIONS],
  ])) {
    onStage(
      `${browser} gets the pads that come and loses those that go, ${who} offered first`,
      async (stage) => {
        const { tab } = await stage.consumer(api);
        const { sink, id } = await stage.changingSink(["video"]);
        await tab.until("producerAdded", (peer) => peer.id === id);
        await tab.page.evaluate((peer, offer) => window.consumer.play(peer, offer), id, offerOptions);
        await assertTracks(tab, ["video"]);

        sink.add("video");
        await assertTracks(tab, ["video", "video"]);
        sink.add("audio");
        await assertTracks(tab, ["audio", "video", "video"]);
        sink.remove("video_0");
        await assertTracks(tab, ["audio", "video"]);
        sink.add("video");
        await assertTracks(tab, ["audio", "video", "video"]);

        tab.assertNoProblems();
        sink.assertRunning();
      },
      launch,
    );
  }
}

onStage("a page that answers no further offer goes on with what it has", async (stage) => {
  const { tab } = await stage.consumer();
  const { sink, id } = await stage.changingSink(["video"]);
  await tab.until("producerAdded", (peer) => peer.id === id);
  await tab.page.evaluate((peer, offer) => window.consumer.play(peer, offer), id, OFFER_OPTIONS);
  await assertTracks(tab, ["video"]);

  sink.add("video");
  await assertTracks(tab, ["video"]);

  tab.assertNoProblems();
  sink.assertRunning();
});
