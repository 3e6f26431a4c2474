import assert from "node:assert/strict";
import { DEADLINE_MS } from "./hearing.mjs";

/** @import { Tab } from "./tab.mjs" */

const SECONDS = 5;
const FRAMES_PER_SECOND = 25;
const LUMA_DEVIATION = 5;

/** Time for a busy machine to get to its pace, beside that to see it. */
const MEASURING_DEADLINE_MS = DEADLINE_MS + SECONDS * 1_000;

/**
 * Plays a `webrtcsink` of ours and fails unless a viewer would be content: it moves without jerks, has contrast, and
 * is heard, in the expected codecs.
 *
 * @param {Tab} tab
 * @param {string} producerId
 * @param {object} how
 * @param {string[]} how.codecs what must be received, as media types in order
 * @param {RTCOfferOptions | null} [how.offerOptions] what the page is to offer; null if the sink offers
 * @param {string | null} [how.onlyVideoCodec] the one codec that the page takes; null for any
 */
export async function playAndBeContent(
  tab,
  producerId,
  { codecs, offerOptions = null, onlyVideoCodec = null },
) {
  await tab.page.evaluate(
    (id, offer, codec) => window.consumer.play(id, offer, codec),
    producerId,
    offerOptions,
    onlyVideoCodec,
  );
  await beContent(tab, { codecs });
}

/**
 * Fails unless a viewer would be content with what a page plays.
 *
 * @param {Tab} tab
 * @param {object} how
 * @param {string[]} how.codecs
 */
export async function beContent(tab, { codecs }) {
  await tab.page.evaluate((deadline) => window.consumer.picture(1, deadline), DEADLINE_MS);
  const goal = {
    framesPerSecond: FRAMES_PER_SECOND,
    seconds: SECONDS,
    sound: codecs.some((codec) => codec.startsWith("audio/")),
    deadlineMs: MEASURING_DEADLINE_MS,
  };
  const seen = await tab.page.evaluate((wanted) => window.consumer.measured(wanted), goal);
  const summary = JSON.stringify(seen);
  assert(seen.framesPerSecond > FRAMES_PER_SECOND, `too few frames a second: ${summary}`);
  assert(seen.moves, `the picture does not move: ${summary}`);
  assert(seen.lumaDeviation > LUMA_DEVIATION, `the picture has no contrast: ${summary}`);
  assert(seen.soundLevel > 0.01 || !goal.sound, `nothing is heard: ${summary}`);
  assert.deepEqual([seen.width, seen.height], [640, 480], "the size of the picture");
  assert.deepEqual(seen.codecs, codecs, "the codecs that were negotiated");
}
