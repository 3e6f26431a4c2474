import assert from "node:assert/strict";
import { launchFirefox } from "./firefox.mjs";
import { onLongStage, onStage } from "./stage.mjs";
import { playAndBeContent } from "./viewing.mjs";

const OFFER_OPTIONS = { offerToReceiveVideo: true, offerToReceiveAudio: true };

/** What GStreamer calls it, what browsers call it, and who offers at each landing. */
const CODECS = /** @type {const} */ ([
  ["video/x-vp8", "video/VP8", "the sink"],
  ["video/x-vp9", "video/VP9", "the page"],
  ["video/x-h264", "video/H264", "the page"],
  ["video/x-av1", "video/AV1", "the sink"],
]);

for (const [caps, mimeType, offersOften] of CODECS) {
  for (const [who, offerOptions] of /** @type {const} */ ([
    ["the sink", null],
    ["the page", OFFER_OPTIONS],
  ])) {
    const onSomeStage = who === offersOften ? onStage : onLongStage;
    onSomeStage(`Chromium plays ${mimeType} and Opus of webrtcsink, ${who} offers`, async (stage) => {
      const { tab } = await stage.consumer();
      const { sink, id } = await stage.sink({ videoCodecs: [caps] });
      await tab.until("producerAdded", (peer) => peer.id === id);

      await playAndBeContent(tab, id, { codecs: ["audio/opus", mimeType], offerOptions });

      tab.assertNoProblems();
      sink.assertRunning();
    });
  }
}

onStage(
  "Firefox plays video/VP8 and Opus of webrtcsink",
  async (stage) => {
    const { tab } = await stage.consumer();
    const { sink, id } = await stage.sink();
    await tab.until("producerAdded", (peer) => peer.id === id);

    await playAndBeContent(tab, id, { codecs: ["audio/opus", "video/VP8"] });

    tab.assertNoProblems();
    sink.assertRunning();
  },
  launchFirefox,
);

onStage("two pages that play the same codec share one encoder", async (stage) => {
  const tabs = [(await stage.consumer()).tab, (await stage.consumer()).tab];
  const { sink, id } = await stage.sink();

  await Promise.all(tabs.map((tab) => playAndBeContent(tab, id, { codecs: ["audio/opus", "video/VP8"] })));

  for (const tab of tabs) {
    tab.assertNoProblems();
  }
  assert.deepEqual(sink.encodersStarted.toSorted(), ["opusenc", "vp8enc"]);
});

onStage("a page that takes only VP8 and one that takes only H.264 have an encoder each", async (stage) => {
  const [first, second] = [(await stage.consumer()).tab, (await stage.consumer()).tab];
  const { sink, id } = await stage.sink({ videoCodecs: ["video/x-vp8", "video/x-h264"] });
  const taking = (/** @type {string} */ codec) => ({ codecs: ["audio/opus", codec], onlyVideoCodec: codec });

  await Promise.all([
    playAndBeContent(first, id, taking("video/VP8")),
    playAndBeContent(second, id, taking("video/H264")),
  ]);

  for (const tab of [first, second]) {
    tab.assertNoProblems();
  }
  assert.deepEqual(sink.encodersStarted.toSorted(), ["opusenc", "vp8enc", "x264enc"]);
});

onStage("a page and webrtcsink both come back to a server that was killed", async (stage) => {
  const { tab } = await stage.consumer();
  const { sink, id } = await stage.sink();
  await tab.until("producerAdded", (peer) => peer.id === id);
  await playAndBeContent(tab, id, { codecs: ["audio/opus", "video/VP8"] });

  await stage.server.kill();
  await tab.until("disconnected");
  await tab.until("producerRemoved", (peer) => peer.id === id);
  sink.assertRunning();

  await stage.server.start();
  await tab.until("connected");
  const again = await tab.until("producerAdded", (peer) => peer.id !== id);
  await playAndBeContent(tab, again.id, { codecs: ["audio/opus", "video/VP8"] });
  sink.assertRunning();
});
