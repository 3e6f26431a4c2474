import { linkTo } from "./address.js";
import { copiesOnClick } from "./copy.js";
import { element, icon, type Icon } from "./element.js";
import { figureTexts } from "./figures.js";
import { metaText } from "./peer-name.js";
import type { Stream, StreamState } from "./stream.js";
import { caveatText, refusalText, senderChangedText } from "./words.js";

/** One stream as a person sees it. */
export class StreamCard {
  readonly root = element("li", { class: "card" });
  readonly #stream: Stream;
  readonly #video = element("video", { playsinline: true });
  /** Further pictures of the same producer, by their tracks. */
  readonly #more = new Map<MediaStreamTrack, HTMLVideoElement>();
  readonly #pictures = element("div", { class: "pictures" }, this.#video);
  /** The first picture and all sound, whether they may be played or not. */
  #media: MediaStream | null = null;
  /** How often it was begun to play; of several beginnings, the last decides. */
  #starts = 0;
  /** Whether the browser plays nothing before somebody presses a button; until then nothing is given to it to decode. */
  #isBlocked = false;
  readonly #play = element("button", { type: "button", class: "play" }, icon("play"));
  readonly #name = element("bdi");
  readonly #status = element("p", { class: "state", role: "status" });
  readonly #soundOnly = element("p", { class: "sound-only", hidden: true }, "Sound only");
  readonly #changedText = element("span");
  readonly #changed = element("p", { class: "changed", role: "status", hidden: true }, this.#changedText);
  readonly #figures = element("dl", { class: "figures", hidden: true });
  readonly #details = element("pre", { tabindex: "0", "aria-label": "What the sender tells of itself" });
  readonly #id = element("code");
  readonly #stop = actionButton("stop", "Stop");
  readonly #sound = actionButton("sound", "Turn sound off");
  readonly #fullScreen = actionButton("fullScreen", "Full screen");
  readonly #link = actionButton("link", "Copy link");

  constructor(stream: Stream, onStop: () => void) {
    this.#stream = stream;
    const picture = element("div", { class: "picture" }, this.#pictures, this.#soundOnly, this.#play);
    const actions = element("div", { class: "actions" }, this.#stop, this.#sound, this.#fullScreen, this.#link);
    this.root.append(
      picture,
      element("div", { class: "caption" }, element("div", {}, element("h3", {}, this.#name), this.#status), actions),
      this.#changed,
      this.#figures,
      element("details", {}, element("summary", {}, "Details"), element("p", {}, "Sender ", this.#id), this.#details),
    );
    const noticed = element("button", { type: "button", class: "quiet" }, "Dismiss");
    noticed.addEventListener("click", () => stream.senderChangeNoticed());
    this.#changed.append(noticed);
    this.#play.addEventListener("click", () => {
      if (this.#isBlocked) {
        this.#video.muted = false;
        this.#setBlocked(false);
        void this.#start();
      } else {
        stream.play();
      }
      this.#stop.focus();
    });
    this.#stop.addEventListener("click", () => {
      const hadFocus = document.activeElement === this.#stop;
      onStop();
      if (hadFocus) {
        this.#play.focus();
      }
    });
    this.#sound.addEventListener("click", () => (this.#video.muted = !this.#video.muted));
    this.#video.addEventListener("volumechange", () => this.#showSound());
    this.#fullScreen.addEventListener("click", () => void picture.requestFullscreen().catch(() => {}));
    copiesOnClick(this.#link, "Link", () => linkTo(stream.name, window.location.href));
    stream.listen({
      stateChanged: () => this.#showState(),
      peerChanged: () => this.#showPeer(),
      mediaChanged: (streams) => this.#showMedia(streams),
      figuresChanged: (figures) => this.#showFigures(figureTexts(figures)),
    });
    this.#showPeer();
    this.#showState();
  }

  #showPeer(): void {
    const { name, peer } = this.#stream;
    this.#name.textContent = name;
    this.#video.setAttribute("aria-label", name);
    this.#id.textContent = peer.id;
    this.#details.textContent = metaText(peer);
    const { senderChanged } = this.#stream;
    this.#changed.hidden = senderChanged === null;
    this.#changedText.textContent = senderChanged === null ? "" : senderChangedText(senderChanged);
    for (const [button, label] of [
      [this.#play, "Play"],
      [this.#stop, "Stop"],
      [this.#fullScreen, "Full screen"],
      [this.#link, "Copy link"],
    ] as const) {
      button.setAttribute("aria-label", `${label}: ${name}`);
    }
    this.#showSound();
  }

  #showState(): void {
    const { state, isPresent } = this.#stream;
    const notes = [refusalText(this.#stream.refusals), caveatText(this.#stream.caveat)];
    const text = this.#isBlocked
      ? "Press play: this browser plays nothing by itself."
      : stateText(state, isPresent, notes.filter((note) => note !== "").join(" "));
    if (this.#status.textContent !== text) {
      this.#status.textContent = text;
    }
    this.root.dataset["state"] = this.#isBlocked ? "blocked" : state.name;
    const canPlay = state.name === "ready" || state.name === "failed";
    this.#play.hidden = !canPlay && !this.#isBlocked;
    this.#stop.hidden = canPlay;
    this.#showSoundOnly();
    const showsMedia = ["playing", "stalled", "frameless"].includes(state.name);
    this.#sound.hidden = !showsMedia;
    this.#fullScreen.hidden = !showsMedia;
    if (!showsMedia) {
      this.#figures.hidden = true;
    }
  }

  #showMedia(streams: readonly MediaStream[]): void {
    this.#media = mainOf(streams, this.#media);
    if (!this.#media) {
      this.#setBlocked(false);
    }
    this.#showMore(pictures(streams).slice(1));
    this.#attach();
    this.#showSoundOnly();
    if (this.#media && !this.#isBlocked) {
      void this.#start();
    }
  }

  /** One picture for each of these tracks. */
  #showMore(tracks: MediaStreamTrack[]): void {
    for (const [track, video] of this.#more) {
      if (!tracks.includes(track)) {
        video.srcObject = null;
        video.remove();
        this.#more.delete(track);
      }
    }
    for (const track of tracks) {
      if (!this.#more.has(track)) {
        const video = element("video", { playsinline: true });
        video.muted = true;
        this.#more.set(track, video);
        this.#pictures.append(video);
      }
    }
    this.#pictures.dataset["count"] = String(Math.min(1 + tracks.length, 4));
    [...this.#more.values()].forEach((video, place) => {
      video.setAttribute("aria-label", `${this.#stream.name}, picture ${place + 2}`);
    });
  }

  #showSoundOnly(): void {
    const media = this.#media;
    const refused = this.#stream.refusals.some(({ kind }) => kind === "video");
    const hasPicture = media !== null && media.getVideoTracks().length > 0 && !refused;
    this.#soundOnly.hidden = media === null || hasPicture;
  }

  /** Gives the video elements what they are to play. */
  #attach(): void {
    const main = this.#isBlocked ? null : this.#media;
    if (this.#video.srcObject !== main) {
      this.#video.srcObject = main;
    }
    for (const [track, video] of this.#more) {
      if (this.#isBlocked) {
        video.srcObject = null;
      } else {
        video.srcObject ??= new MediaStream([track]);
      }
    }
  }

  /** Plays; without sound if the browser wants a click for that, not at all if it wants one for anything. */
  async #start(): Promise<void> {
    const start = (this.#starts += 1);
    // Without a click on the page, browsers play only what makes no sound.
    for (const muted of this.#video.muted ? [true] : [false, true]) {
      this.#video.muted = muted;
      const all = [this.#video, ...this.#more.values()];
      const allowed = await Promise.all(all.map(playing));
      if (start !== this.#starts || !allowed.includes(false)) {
        return;
      }
    }
    this.#setBlocked(true);
  }

  #setBlocked(blocked: boolean): void {
    if (this.#isBlocked !== blocked) {
      this.#isBlocked = blocked;
      this.#attach();
      this.#showState();
    }
  }

  #showSound(): void {
    const { muted } = this.#video;
    const label = muted ? "Turn sound on" : "Turn sound off";
    this.#sound.replaceChildren(icon(muted ? "silence" : "sound"));
    this.#sound.title = label;
    this.#sound.setAttribute("aria-label", `${label}: ${this.#stream.name}`);
    this.root.classList.toggle("muted", muted);
  }

  #showFigures(texts: [string, string][]): void {
    this.#figures.hidden = texts.length === 0;
    this.#figures.replaceChildren(
      ...texts.map(([term, text]) => element("div", {}, element("dt", {}, term), element("dd", {}, text))),
    );
  }
}

/** Whether an element plays; false if the browser wants a click first. */
async function playing(video: HTMLVideoElement): Promise<boolean> {
  try {
    await video.play();
    return true;
  } catch (error) {
    // Anything else is no refusal: another stream took the place of this one.
    return !(error instanceof DOMException && error.name === "NotAllowedError");
  }
}

function pictures(streams: readonly MediaStream[]): MediaStreamTrack[] {
  return [...new Set(streams.flatMap((stream) => stream.getVideoTracks()))];
}

/** The first picture and all sound; what is played already if it has the same tracks. */
function mainOf(streams: readonly MediaStream[], before: MediaStream | null): MediaStream | null {
  const [first, ...others] = streams;
  if (!first || others.length === 0) {
    return first ?? null;
  }
  const sound = new Set(streams.flatMap((stream) => stream.getAudioTracks()));
  const tracks = [...pictures(streams).slice(0, 1), ...sound];
  const isSame =
    before !== null &&
    before.getTracks().length === tracks.length &&
    tracks.every((track) => before.getTracks().includes(track));
  return isSame ? before : new MediaStream(tracks);
}

function actionButton(name: Icon, title: string): HTMLButtonElement {
  return element("button", { type: "button", class: "action", title }, icon(name));
}

/** @param notes what this browser does not take or show right, in words; empty if there is nothing */
function stateText(state: StreamState, isPresent: boolean, notes: string): string {
  switch (state.name) {
    case "ready":
      return "Ready to play";
    case "connecting":
      return notes || "Connecting…";
    case "playing":
      return [isPresent ? "Playing" : "Playing; the server no longer lists the sender", notes]
        .filter((text) => text !== "")
        .join(". ");
    case "stalled":
      return "Nothing arrives from the sender at the moment: check its network";
    case "retrying":
      return `${state.message} Trying again…`;
    case "waiting":
      return "The sender has left. It is played when it comes back.";
    case "frameless":
      return [state.message, notes].filter((text) => text !== "").join(" ");
    case "failed":
      return state.message;
  }
}
