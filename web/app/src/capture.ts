import { captureError, INSECURE_PAGE } from "./words.js";

export type Picture = "camera" | "screen" | "none";

/** What is to be sent cannot be had; the message says why, in words. */
export class CaptureError extends Error {}

/** Asks the browser for what is to be sent. */
export async function capture(picture: Picture, microphone: boolean): Promise<MediaStream> {
  // Insecure pages have none, whatever its type says.
  const devices = navigator.mediaDevices as MediaDevices | undefined;
  if (!devices) {
    throw new CaptureError(INSECURE_PAGE);
  }
  if (picture === "none" && !microphone) {
    throw new CaptureError("Choose a picture, the microphone, or both.");
  }
  if (picture !== "screen") {
    const video = picture === "camera" && { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } };
    const what = [picture === "camera" && "the camera", microphone && "the microphone"].filter(Boolean).join(" and ");
    return attempt(what, () => devices.getUserMedia({ video, audio: microphone }));
  }
  const screen = await attempt("the screen", () => devices.getDisplayMedia({ video: true, audio: !microphone }));
  for (const track of screen.getVideoTracks()) {
    track.contentHint = "detail";
  }
  if (microphone) {
    try {
      const voice = await attempt("the microphone", () => devices.getUserMedia({ audio: true }));
      voice.getTracks().forEach((track) => screen.addTrack(track));
    } catch (error) {
      screen.getTracks().forEach((track) => track.stop());
      throw error;
    }
  }
  return screen;
}

async function attempt(what: string, ask: () => Promise<MediaStream>): Promise<MediaStream> {
  try {
    return await ask();
  } catch (error) {
    throw new CaptureError(captureError(error, what));
  }
}
