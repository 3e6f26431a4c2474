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

/** The two descriptions of a connection. */
export type Descriptions = Pick<RTCPeerConnection, "localDescription" | "remoteDescription">;

/** Looks at one sample after the other. */
export class Picture {
  #frames = 0;
  #bytes: number[] = [];

  take(video: VideoCounts | null, descriptions: Descriptions): Shown {
    const refused = video ? [] : refusedVideo(descriptions);
    if (!video && refused.length === 0) {
      return { moving: true, frameless: null };
    }
    const frames = video?.framesDecoded ?? 0;
    const bytes = video?.bytes ?? 0;
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
    return { moving: false, frameless: reason(arrives, this.#frames > 0, video, refused) };
  }
}

function reason(arrives: boolean, shownBefore: boolean, video: VideoCounts | null, refused: string[]): string {
  if (refused.length > 0) {
    return `Sound only: this browser plays no ${refused.join(" or ")}, as which the sender offers the picture.`;
  }
  const codec = video?.codec ?? "its codec";
  if (!arrives) {
    return "No picture arrives from the sender at the moment, only its sound.";
  }
  return shownBefore
    ? `The picture stands still: what arrives of it (${codec}) cannot be decoded.`
    : `The picture arrives, but nothing of it can be shown yet: it waits for the sender's next key frame, or this browser cannot decode it (${codec}).`;
}

/** The codecs of sections with video that are refused, by what both sides say; none unless all are. */
function refusedVideo({ localDescription, remoteDescription }: Descriptions): string[] {
  const ours = sections(localDescription?.sdp ?? "");
  const theirs = sections(remoteDescription?.sdp ?? "");
  const video = theirs.flatMap((section, place) => (section.startsWith("video ") ? [{ section, answer: ours[place] }] : []));
  const isRefused = ({ section, answer }: (typeof video)[number]) => /^video 0 /.test(answer ?? "") && !/^video 0 /.test(section);
  if (video.length === 0 || !video.every(isRefused)) {
    return [];
  }
  const names = video.flatMap(({ section }) => [...section.matchAll(/^a=rtpmap:\d+ ([^/\r\n]+)/gm)].map(([, name]) => name ?? ""));
  return [...new Set(names)].filter((name) => !/^(rtx|red|ulpfec|flexfec-03)$/i.test(name));
}

/** The media sections, each without its "m=". */
function sections(sdp: string): string[] {
  return sdp.split(/^m=/m).slice(1);
}
