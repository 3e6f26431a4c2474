/**
 * What a viewer wants of a live stream: `"low"`, pictures as soon as they come, or `"smooth"`, held back a little so that
 * an uneven network does not show.
 */
export type Latency = "low" | "smooth";

const PLAYOUT_DELAY = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay";

/**
 * Leaves the header extension out of an own description by which a sender asks for pictures to be shown at once; it
 * then sends none, and the browser decides how long to hold them back.
 */
export function withoutPlayoutDelay(description: string): string {
  return description.replace(/^a=extmap:(\S+) (\S+)(?: .*)?\r?\n?/gm, (line, _id: string, uri: string) =>
    uri === PLAYOUT_DELAY ? "" : line,
  );
}
