import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { launchFirefox } from "./firefox.mjs";
import { onLongStage, onStage } from "./stage.mjs";

/** @import { Stage } from "./stage.mjs" */

const SECONDS = 3;

/** As many of 30 frames a second as a browser makes that shares two processors with others. */
const FEWEST_FRAMES = 10 * SECONDS;

/**
 * Watches a page that produces, as `wigwag load` does.
 *
 * @param {Stage} stage
 * @param {string} producer
 * @param {string[]} options
 * @param {number} [seconds]
 * @returns {Promise<{ mid: string, kind: string, frames: number, key_frames: number, lost: number }[]>} its streams
 */
async function watch(stage, producer, options, seconds = SECONDS) {
  const [program] = (process.env["WIGWAG_SERVE"] ?? "").split(" ");
  assert(program);
  const { stdout } = await promisify(execFile)(program, [
    ...["load", stage.server.url, "--json", `--seconds=${seconds}`, `--producer=${producer}`],
    ...options,
  ]);
  const [viewer] = JSON.parse(stdout).viewers;
  assert.equal(viewer.failure, null, stdout);
  return viewer.streams;
}

for (const [browser, launch, codecs] of /** @type {const} */ ([
  ["Chromium", undefined, ["vp8", "vp9", "h264"]],
  // It encodes H.264 with a plug-in alone that it downloads.
  ["Firefox", launchFirefox, ["vp8", "vp9"]],
])) {
  for (const codec of codecs) {
    const onSomeStage = browser === "Firefox" && codec === "vp9" ? onLongStage : onStage;
    onSomeStage(
      `${browser} sends ${codec} and Opus of two cameras to a session that receives`,
      async (stage) => {
        const producer = await stage.producing({}, { cameras: 2 });

        const streams = await watch(stage, producer.id, [`--codec=${codec}`]);

        const kinds = streams.map((stream) => stream.kind).toSorted();
        assert.deepEqual(kinds, ["audio", "video", "video"]);
        for (const stream of streams) {
          const summary = JSON.stringify(stream);
          assert(stream.frames >= FEWEST_FRAMES, summary);
          assert(stream.key_frames >= 1, summary);
          assert.equal(stream.lost, 0, summary);
        }
        producer.tab.assertNoProblems();
      },
      launch,
    );
  }
}

for (const [browser, launch] of /** @type {const} */ ([
  ["Chromium", undefined],
  ["Firefox", launchFirefox],
])) {
  onStage(
    `${browser} adds tracks to a session that receives, stops one and resumes it`,
    async (stage) => {
      const producer = await stage.producing();
      const watched = watch(stage, producer.id, ["--codec=vp8"], 4 * SECONDS);
      const { sessionId } = await producer.tab.until("clientConsumerAdded");
      const { page } = producer.tab;

      await page.evaluate((id) => window.producer.addTracks(id), sessionId);
      await page.evaluate((id) => window.producer.setDirection(id, "inactive"), sessionId);
      await page.evaluate((id) => window.producer.setDirection(id, "sendonly"), sessionId);

      const streams = await watched;
      const kinds = streams.map((stream) => stream.kind).toSorted();
      assert.deepEqual(kinds, ["audio", "audio", "video", "video"]);
      for (const stream of streams) {
        const summary = JSON.stringify(streams);
        assert(stream.frames >= FEWEST_FRAMES, summary);
        // What is on its way when a stream stops is not received any more.
        assert(stream.lost === 0 || stream.mid === "1", summary);
      }
      producer.tab.assertNoProblems();
    },
    launch,
  );
}

onStage("Chromium sends a picture in three encodings to a session that receives", async (stage) => {
  const producer = await stage.producing();
  const watched = watch(stage, producer.id, ["--codec=vp8"], 5 * SECONDS);
  const { sessionId } = await producer.tab.until("clientConsumerAdded");
  // The smallest first, in which order rates are given.
  const encodings = [
    { rid: "l", maxBitrate: 100_000, scaleResolutionDownBy: 4 },
    { rid: "m", maxBitrate: 200_000, scaleResolutionDownBy: 2 },
    { rid: "h", maxBitrate: 400_000 },
  ];

  await producer.tab.page.evaluate(
    (id, all) => window.producer.addSimulcast(id, all),
    sessionId,
    encodings,
  );

  const streams = await watched;
  const summary = JSON.stringify(streams);
  const named = streams.filter((stream) => stream.mid.includes(":"));
  const rids = named.map((stream) => stream.mid.split(":")[1]).toSorted();
  assert.deepEqual(rids, ["h", "l", "m"], summary);
  for (const stream of named) {
    assert(stream.frames >= FEWEST_FRAMES && stream.key_frames >= 1, summary);
    assert.equal(stream.lost, 0, summary);
  }
  producer.tab.assertNoProblems();
});
