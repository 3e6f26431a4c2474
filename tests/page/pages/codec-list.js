/**
 * Has a page answer as a browser does that lists these profiles of H.264 alone. Runs in the page, and so uses nothing
 * from outside.
 *
 * @param {string[]} profiles
 */
export function listOnly(profiles) {
  const prototype = RTCPeerConnection.prototype;
  /** @type {() => Promise<RTCSessionDescriptionInit>} */
  const createAnswer = prototype.createAnswer;
  /** @this {RTCPeerConnection} */
  function createShorterAnswer() {
    const known = RTCRtpReceiver.getCapabilities("video")?.codecs ?? [];
    const kept = known.filter(
      ({ mimeType, sdpFmtpLine = "" }) =>
        mimeType !== "video/H264" || profiles.some((profile) => sdpFmtpLine.includes(profile)),
    );
    for (const transceiver of this.getTransceivers()) {
      if (transceiver.receiver.track.kind === "video") {
        transceiver.setCodecPreferences(kept);
      }
    }
    return createAnswer.call(this);
  }
  Object.defineProperty(prototype, "createAnswer", { value: createShorterAnswer });
}
