/**
 * Watches and hears a stream in its card until it has shown some frames and made some sound, or the time is over.
 * Runs in the page, and so uses nothing from outside.
 *
 * @param {HTMLElement} card
 * @param {number} frames
 * @param {boolean} sound whether to wait for sound, too
 * @param {number} deadlineMs
 * @returns {Promise<{ shown: number, different: number, width: number, height: number, loudness: number }>}
 *   how many frames were shown and how many of the grabbed pictures differ; the energy of the sound (W3C webrtc-stats)
 */
export async function observe(card, frames, sound, deadlineMs) {
  const video = /** @type {HTMLVideoElement} */ (card.querySelector("video"));
  const canvas = document.createElement("canvas");
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));
  /** @type {Set<string>} */
  const pictures = new Set();
  let shown = 0;
  const onFrame = () => {
    shown += 1;
    if (shown % 5 === 0) {
      canvas.width = video.videoWidth;
      canvas.height = video.videoHeight;
      context.drawImage(video, 0, 0);
      pictures.add(canvas.toDataURL());
    }
    video.requestVideoFrameCallback(onFrame);
  };
  video.requestVideoFrameCallback(onFrame);

  // Firefox starts no AudioContext on a machine without a sound device, but its statistics know what was heard.
  let loudness = 0;
  const hear = async () => {
    for (const connection of window.peerConnections ?? []) {
      for (const entry of (await connection.getStats()).values()) {
        if (entry.type === "inbound-rtp" && entry.kind === "audio") {
          loudness = Math.max(loudness, entry.totalAudioEnergy ?? 0);
        }
      }
    }
  };
  const end = performance.now() + deadlineMs;
  while (performance.now() < end && (shown < frames || (sound && loudness === 0))) {
    await new Promise((resolve) => window.setTimeout(resolve, 50));
    await hear();
  }
  return { shown, different: pictures.size, width: video.videoWidth, height: video.videoHeight, loudness };
}

/** Keeps the peer connections that the page makes from now on where `observe` finds them. Runs in the page. */
export function keepPeerConnections() {
  /** @type {RTCPeerConnection[]} */
  const kept = [];
  window.peerConnections = kept;
  window.RTCPeerConnection = class extends RTCPeerConnection {
    /** @param {RTCConfiguration} [configuration] */
    constructor(configuration) {
      super(configuration);
      kept.push(this);
    }
  };
}
