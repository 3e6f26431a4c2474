/** How often the statistics are read. */
const SAMPLE_EVERY_MS = 250;

/** Pictures are compared at this size. */
const GRABBED_WIDTH = 160;
const GRABBED_HEIGHT = 120;

/**
 * @typedef {object} Goal
 * @property {number} framesPerSecond more than so many frames a second are to be decoded …
 * @property {number} seconds … for so long without a break
 * @property {boolean} sound whether a sound is to be heard meanwhile
 * @property {number} deadlineMs after which to give up
 */

/**
 * @typedef {object} Measured
 * @property {number} framesPerSecond the rate over the last stretch of the asked-for time
 * @property {number} bestFramesPerSecond the rate over the best such stretch
 * @property {number} width of the picture
 * @property {number} height of the picture
 * @property {boolean} moves whether a picture grabbed later differs
 * @property {number} lumaDeviation how bright and dark differ within a picture, on a scale of 256
 * @property {number} soundLevel root mean square of the sound over that time; 1 is the loudest
 * @property {string[]} codecs the media types of all that is received
 * @property {Record<string, number>} video what was counted of video since the session began, to see where frames were lost
 */

/**
 * @typedef {object} Sample
 * @property {number} time
 * @property {number} frames
 * @property {number} energy
 * @property {number} duration
 * @property {string[]} codecs
 * @property {Record<string, number>} video
 */

/** Of https://www.w3.org/TR/webrtc-stats/#dom-rtcinboundrtpstreamstats; a browser may lack some. */
const COUNTED = [
  "framesReceived",
  "framesDecoded",
  "framesDropped",
  "keyFramesDecoded",
  "freezeCount",
  "packetsLost",
  "nackCount",
  "pliCount",
];

/**
 * Measures a session until it reaches the goal or the time is over.
 *
 * @param {RTCPeerConnection} connection
 * @param {HTMLVideoElement} video
 * @param {Goal} goal
 * @returns {Promise<Measured>}
 */
export async function measure(connection, video, goal) {
  const giveUp = performance.now() + goal.deadlineMs;
  /** @type {Sample[]} */
  let samples = [];
  /** @type {ImageData | null} */
  let first = null;
  let [framesPerSecond, bestFramesPerSecond, soundLevel, lumaDeviation] = [0, 0, 0, 0];
  let moves = false;
  for (;;) {
    const sample = await read(connection);
    if (sample.frames > 0 && video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA) {
      samples.push(sample);
      const picture = grab(video);
      first ??= picture;
      moves ||= picture.data.some((byte, at) => byte !== first?.data[at]);
      lumaDeviation = deviation(picture);
    }
    // The newest sample that is old enough is where the last stretch of the asked-for length begins.
    const begin = samples.findLast(({ time }) => sample.time - time >= goal.seconds * 1_000);
    if (begin) {
      samples = samples.slice(samples.indexOf(begin));
      framesPerSecond = ((sample.frames - begin.frames) * 1_000) / (sample.time - begin.time);
      bestFramesPerSecond = Math.max(bestFramesPerSecond, framesPerSecond);
      // https://www.w3.org/TR/webrtc-stats/#dom-rtcinboundrtpstreamstats-totalaudioenergy
      const duration = sample.duration - begin.duration;
      soundLevel = duration > 0 ? Math.sqrt((sample.energy - begin.energy) / duration) : 0;
    }
    const reached = framesPerSecond > goal.framesPerSecond && moves && (soundLevel > 0.01 || !goal.sound);
    if (reached || performance.now() > giveUp) {
      const { videoWidth: width, videoHeight: height } = video;
      const { codecs, video: counted } = sample;
      return {
        framesPerSecond,
        bestFramesPerSecond,
        width,
        height,
        moves,
        lumaDeviation,
        soundLevel,
        codecs,
        video: counted,
      };
    }
    await new Promise((resolve) => window.setTimeout(resolve, SAMPLE_EVERY_MS));
  }
}

/**
 * @param {RTCPeerConnection} connection
 * @returns {Promise<Sample>}
 */
async function read(connection) {
  const stats = await connection.getStats();
  /** @type {Sample} */
  const sample = { time: performance.now(), frames: 0, energy: 0, duration: 0, codecs: [], video: {} };
  for (const entry of stats.values()) {
    if (entry.type === "inbound-rtp") {
      sample.time = entry.timestamp;
      sample.frames += entry.framesDecoded ?? 0;
      sample.energy += entry.totalAudioEnergy ?? 0;
      sample.duration += entry.totalSamplesDuration ?? 0;
      for (const name of COUNTED) {
        if (entry.kind === "video" && name in entry) {
          sample.video[name] = (sample.video[name] ?? 0) + entry[name];
        }
      }
      // Chromium counts probes of the path's rate as a stream without a codec.
      if (entry.codecId) {
        sample.codecs.push(stats.get(entry.codecId).mimeType);
      }
    }
  }
  sample.codecs.sort();
  return sample;
}

/**
 * @param {HTMLVideoElement} video
 * @returns {ImageData} what it shows
 */
function grab(video) {
  const canvas = document.createElement("canvas");
  canvas.width = GRABBED_WIDTH;
  canvas.height = GRABBED_HEIGHT;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));
  context.drawImage(video, 0, 0, canvas.width, canvas.height);
  return context.getImageData(0, 0, canvas.width, canvas.height);
}

/**
 * @param {ImageData} picture
 * @returns {number} the standard deviation of its luma
 */
function deviation({ data }) {
  const lumas = [];
  for (let at = 0; at + 3 < data.length; at += 4) {
    // ITU-R BT.601, section 2.5.1.
    lumas.push(0.299 * (data[at] ?? 0) + 0.587 * (data[at + 1] ?? 0) + 0.114 * (data[at + 2] ?? 0));
  }
  const mean = lumas.reduce((sum, luma) => sum + luma, 0) / lumas.length;
  const squares = lumas.reduce((sum, luma) => sum + (luma - mean) ** 2, 0);
  return Math.sqrt(squares / lumas.length);
}
