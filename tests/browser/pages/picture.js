/** Grab a picture each time this many frames were shown. */
const GRAB_EVERY = 5;

/**
 * Watches a video element until it has shown some frames or the time is over.
 *
 * @param {HTMLVideoElement} video
 * @param {number} frames
 * @param {number} deadlineMs
 * @returns {Promise<{ shown: number, different: number, width: number, height: number }>}
 *   how many frames were shown, and how many of the grabbed pictures differ from each other
 */
export function watch(video, frames, deadlineMs) {
  const canvas = document.createElement("canvas");
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));
  /** @type {Set<string>} */
  const pictures = new Set();
  let shown = 0;
  return new Promise((resolve) => {
    const finish = () => {
      window.clearTimeout(timer);
      video.cancelVideoFrameCallback(callback);
      resolve({ shown, different: pictures.size, width: video.videoWidth, height: video.videoHeight });
    };
    const onFrame = () => {
      shown += 1;
      if (shown % GRAB_EVERY === 0) {
        canvas.width = video.videoWidth;
        canvas.height = video.videoHeight;
        context.drawImage(video, 0, 0);
        pictures.add(canvas.toDataURL());
      }
      callback = video.requestVideoFrameCallback(onFrame);
      if (shown >= frames) {
        finish();
      }
    };
    const timer = window.setTimeout(finish, deadlineMs);
    let callback = video.requestVideoFrameCallback(onFrame);
  });
}
