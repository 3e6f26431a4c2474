/** Whether the picture of a stream is shown, and if not, why. No DOM. */
import type { VideoCounts } from "./figures.js";

/** Without a new frame for so many samples, of one a second, a picture is not shown. */
const FRAMELESS_SAMPLES = 3;

export interface Shown {
  /** Whether there is nothing to wait for: frames come, or there is no picture at all. */
  moving: boolean;
  /** Why no frame was shown lately. */
  frameless: string | null;
}

/** How senders of ours mark pictures whose source decides when key frames come, and why some viewers show them wrong. */
const PASSED_THROUGH = /^a=x-wigwag-passed-through(?::(.*?))?\r?$/m;

export interface PassedThrough {
  /** Why not every browser shows it right; empty if every one does. */
  caveat: string;
}

/** Of the picture of an offer; null if its sender decides when key frames come. */
export function passedThrough(offer: string | undefined): PassedThrough | null {
  const found = PASSED_THROUGH.exec(offer ?? "");
  return found ? { caveat: found[1] ?? "" } : null;
}

/** Looks at one sample after the other. */
export class Picture {
  #frames = 0;
  #bytes: number[] = [];

  /** @param passedThrough whether the source of the picture decides when key frames come */
  take(video: VideoCounts | null, passedThrough = false): Shown {
    if (passedThrough && this.#frames === 0 && (video === null || (video.framesDecoded === 0 && video.bytes === 0))) {
      return { moving: false, frameless: "Waiting for the camera's next key frame." };
    }
    if (!video) {
      return { moving: true, frameless: null };
    }
    const { framesDecoded: frames, bytes } = video;
    if (frames > this.#frames) {
      this.#frames = frames;
      this.#bytes = [bytes];
      return { moving: true, frameless: null };
    }
    this.#bytes.push(bytes);
    const before = this.#frames > 0 ? FRAMELESS_SAMPLES + 1 : FRAMELESS_SAMPLES;
    if (this.#bytes.length < before) {
      return { moving: false, frameless: null };
    }
    this.#bytes = this.#bytes.slice(-before);
    const arrives = this.#frames > 0 ? bytes > (this.#bytes[0] ?? 0) : bytes > 0;
    return { moving: false, frameless: reason(arrives, this.#frames > 0, video) };
  }
}

function reason(arrives: boolean, shownBefore: boolean, { codec: name }: VideoCounts): string {
  const codec = name ?? "its codec";
  if (!arrives) {
    return "No picture arrives from the sender at the moment, only its sound: check its camera.";
  }
  return shownBefore
    ? `The picture stands still: what arrives of it (${codec}) cannot be decoded; play it again, or try another browser.`
    : `The picture arrives, but nothing of it can be shown yet: it waits for the sender's next key frame, or this browser cannot decode it (${codec}), and another one may.`;
}
