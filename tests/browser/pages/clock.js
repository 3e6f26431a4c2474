/** As `crates/gst/examples/clock_picture/source.rs` draws them: cells in a band of lines, and a band that flashes. */
const BAND = 24;
const CELLS = 32;
const CHECK_BITS = 4;
const STEPS_PER_MS = 10;

/** A click is louder, and comes after so much silence, in seconds. */
const CLICK_LEVEL = 0.2;
const CLICK_SILENCE = 0.4;

/**
 * @typedef {object} Seen
 * @property {number[]} delays from the source to the screen, of each picture that was shown, in ms
 * @property {number[]} intervals between pictures that were shown, in ms
 * @property {number[]} skews how much later each click sounded than its flash was shown, in ms
 */

/**
 * Watches a picture with a clock in it.
 *
 * @param {HTMLVideoElement} video
 * @param {{ warmUpMs: number, watchMs: number, sound: boolean }} how
 * @returns {Promise<Seen>}
 */
export async function watchClock(video, { warmUpMs, watchMs, sound }) {
  const canvas = document.createElement("canvas");
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));
  const begin = performance.now() + warmUpMs;
  const end = begin + watchMs;
  const clicks = sound ? await listenForClicks(/** @type {MediaStream} */ (video.srcObject)) : null;
  /** @type {number[]} */
  const flashes = [];
  /** @type {Seen} */
  const seen = { delays: [], intervals: [], skews: [] };
  let last = 0;
  let flashed = true;
  await new Promise((resolve) => {
    /** @type {VideoFrameRequestCallback} */
    const onFrame = (_, { expectedDisplayTime }) => {
      const now = performance.now();
      if (now >= end) {
        resolve(null);
        return;
      }
      video.requestVideoFrameCallback(onFrame);
      canvas.width = video.videoWidth;
      canvas.height = 2 * BAND;
      context.drawImage(video, 0, 0);
      const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
      const bright = (/** @type {number} */ x, /** @type {number} */ y) =>
        (data[4 * (Math.floor(y) * canvas.width + Math.floor(x)) + 1] ?? 0) > 127;
      const flashesNow = bright(canvas.width / 2, 1.5 * BAND);
      if (flashesNow && !flashed) {
        flashes.push(now);
      }
      flashed = flashesNow;
      if (now >= begin) {
        const delay = delayOf(cells(canvas.width, bright), now);
        if (delay !== null) {
          seen.delays.push(delay);
        }
        if (last > 0) {
          seen.intervals.push(expectedDisplayTime - last);
        }
        last = expectedDisplayTime;
      }
    };
    video.requestVideoFrameCallback(onFrame);
    window.setTimeout(resolve, warmUpMs + watchMs + 1_000);
  });
  if (clicks) {
    for (const flash of flashes.filter((time) => time >= begin)) {
      const nearest = clicks.times.reduce((best, time) => (Math.abs(time - flash) < Math.abs(best - flash) ? time : best), 0);
      if (Math.abs(nearest - flash) < 500) {
        seen.skews.push(nearest - flash);
      }
    }
    await clicks.stop();
  }
  return seen;
}

/**
 * @param {number} width
 * @param {(x: number, y: number) => boolean} bright
 * @returns {number} the cells as a number
 */
function cells(width, bright) {
  let value = 0;
  for (let cell = 0; cell < CELLS; cell += 1) {
    value = value * 2 + Number(bright(((cell + 0.5) * width) / CELLS, BAND / 2));
  }
  return value;
}

/**
 * @param {number} value
 * @param {number} now
 * @returns {number | null} how long ago that was, in ms; null if the cells cannot be read
 */
function delayOf(value, now) {
  let check = 0xf;
  for (let rest = value; rest > 0; rest = Math.floor(rest / 16)) {
    check ^= rest % 16;
  }
  if (check !== 0) {
    return null;
  }
  const range = 2 ** (CELLS - CHECK_BITS);
  const steps = (performance.timeOrigin + now) * STEPS_PER_MS;
  const ago = (steps - Math.floor(value / 16)) % range;
  return (ago > range / 2 ? ago - range : ago) / STEPS_PER_MS;
}

/**
 * Listens to what a stream plays.
 *
 * @param {MediaStream} stream
 * @returns {Promise<{ times: number[], stop(): Promise<void> }>} when clicks left the speaker, by the page's clock
 */
async function listenForClicks(stream) {
  const context = new AudioContext({ latencyHint: "interactive" });
  const code = `registerProcessor("clicks", class extends AudioWorkletProcessor {
    #last = 0;
    process([[samples]]) {
      const at = samples ? samples.findIndex((sample) => Math.abs(sample) > ${CLICK_LEVEL}) : -1;
      if (at >= 0) {
        const time = currentTime + at / sampleRate;
        if (time - this.#last > ${CLICK_SILENCE}) {
          this.port.postMessage(time);
        }
        this.#last = time;
      }
      return true;
    }
  })`;
  const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
  await context.audioWorklet.addModule(url);
  URL.revokeObjectURL(url);
  const node = new AudioWorkletNode(context, "clicks");
  /** @type {number[]} */
  const times = [];
  node.port.onmessage = ({ data }) => {
    const { contextTime = 0, performanceTime = 0 } = context.getOutputTimestamp();
    times.push(performanceTime + (Number(data) - contextTime) * 1_000);
  };
  context.createMediaStreamSource(stream).connect(node).connect(context.destination);
  // Firefox starts no AudioContext on a machine without a sound device; then there are no clicks.
  void context.resume();
  return { times, stop: () => context.close() };
}
