/**
 * One stream in the list: the producer that is there, or was, and how it is being watched. No DOM.
 *
 * A stream that someone watches outlives its producer: it plays on for as long as media comes, and when a producer of
 * the same name appears, that one takes the place of the old and is played.
 */
import type { ConsumerSession, GstWebRTCAPI, Peer, Refusal } from "wigwag";
import { Meter, type Figures } from "./figures.js";
import { peerName } from "./peer-name.js";
import { passedThrough, Picture } from "./picture.js";
import { playError, refusalText } from "./words.js";

const SAMPLE_MS = 1_000;
/** Without media for so many samples, a stream counts as stalled … */
const STALLED_SAMPLES = 3;
/** … and after so many, its producer is asked again if it has come back. */
const LOST_SAMPLES = 6;
/** How senders of ours begin to say that the browser takes nothing of what they offer. */
const NO_COMMON_CODEC = "no common codec";
/** How long to wait before each further attempt to play a stream; the last one again and again. */
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 15_000;

export type StreamState =
  | { name: "ready" }
  | { name: "connecting" }
  | { name: "playing" }
  | { name: "stalled" }
  /** Media arrives, but no frame is shown; the message says why. */
  | { name: "frameless"; message: string }
  /** It broke and is about to be tried again. */
  | { name: "retrying"; message: string }
  /** The producer is gone. */
  | { name: "waiting" }
  | { name: "failed"; message: string };

export interface StreamListener {
  stateChanged(): void;
  /** It says something new of itself, another one has taken its place, or that was noticed. */
  peerChanged(): void;
  /** What is to be played now; empty if there is nothing. */
  mediaChanged(streams: readonly MediaStream[]): void;
  figuresChanged(figures: Figures): void;
}

export class Stream {
  readonly #api: GstWebRTCAPI;
  #listener: StreamListener | null = null;
  #peer: Peer;
  #present = true;
  #wanted = false;
  #persistent = false;
  #everPlayed = false;
  #state: StreamState = { name: "ready" };
  #session: ConsumerSession | null = null;
  #sampling: number | undefined;
  #retrying: number | undefined;
  #retries = 0;
  #refusals: readonly Refusal[] = [];
  #caveat = "";
  #senderChanged: Date | null = null;

  constructor(api: GstWebRTCAPI, peer: Peer) {
    this.#api = api;
    this.#peer = peer;
  }

  listen(listener: StreamListener): void {
    this.#listener = listener;
  }

  /** The last that was known of the producer. */
  get peer(): Peer {
    return this.#peer;
  }

  get name(): string {
    return peerName(this.#peer);
  }

  /** Whether the server lists the producer. */
  get isPresent(): boolean {
    return this.#present;
  }

  /** Whether someone watches it or wants to. */
  get isWanted(): boolean {
    return this.#wanted;
  }

  /** Whether nothing more is tried, although somebody wanted to watch. */
  get isGivenUp(): boolean {
    return this.#state.name === "failed";
  }

  /** When another peer took the name while somebody watched, until that was noticed. */
  get senderChanged(): Date | null {
    return this.#senderChanged;
  }

  senderChangeNoticed(): void {
    this.#senderChanged = null;
    this.#listener?.peerChanged();
  }

  get state(): StreamState {
    return this.#state;
  }

  /** What of it this browser does not take. */
  get refusals(): readonly Refusal[] {
    return this.#refusals;
  }

  /** Why this browser may show the picture wrong, as the sender says; empty if it need not. */
  get caveat(): string {
    return this.#caveat;
  }

  /** @param persistent whether it is tried for ever even if it never played, as on a display that nobody touches */
  play(persistent = false): void {
    this.#wanted = true;
    this.#persistent ||= persistent;
    this.#retries = 0;
    this.#connect();
  }

  stop(): void {
    this.#wanted = false;
    this.#persistent = false;
    this.#everPlayed = false;
    this.#leave();
    this.#enter(this.#present ? { name: "ready" } : { name: "waiting" });
  }

  /** The producer says something new of itself, or came back under another id. */
  producerIs(peer: Peer): void {
    if (peer.id !== this.#peer.id) {
      this.#senderChanged = new Date();
    }
    this.#peer = peer;
    this.#present = true;
    this.#listener?.peerChanged();
    if (this.#wanted && !this.#session) {
      this.play(this.#persistent);
    } else {
      this.#listener?.stateChanged();
    }
  }

  producerIsGone(): void {
    this.#present = false;
    window.clearTimeout(this.#retrying);
    if (this.#session) {
      this.#listener?.stateChanged();
    } else {
      this.#enter({ name: "waiting" });
    }
  }

  #connect(): void {
    this.#leave();
    if (!this.#present) {
      this.#enter({ name: "waiting" });
      return;
    }
    const session = this.#api.createConsumerSession(this.#peer.id);
    if (!session) {
      this.#failed(playError("there is no connection to the signalling server"), this.#persistent || this.#retries > 0);
      return;
    }
    this.#session = session;
    session.mungeStereoHack = true;
    let problem: string | null = null;
    this.#refusals = [];
    this.#caveat = "";
    session.addEventListener("error", (event) => (problem = (event as ErrorEvent).message));
    session.addEventListener("streamsChanged", () => {
      if (this.#session === session) {
        this.#listener?.mediaChanged(session.streams);
      }
    });
    session.addEventListener("mediaRefused", () => {
      if (this.#session === session) {
        this.#refusals = session.refusals;
        this.#listener?.stateChanged();
      }
    });
    session.addEventListener("closed", () => {
      if (this.#session === session) {
        this.#closed(problem);
      }
    });
    this.#enter({ name: "connecting" });
    session.connect();
    this.#sample(session);
  }

  #closed(problem: string | null): void {
    this.#leave();
    const isRefused = problem?.startsWith(NO_COMMON_CODEC) ?? false;
    const refused = isRefused ? refusalText(this.#refusals) : "";
    const message = problem === null ? "The sender ended the stream: start it there again." : refused || playError(problem);
    // Of what this browser does not take, another attempt brings no more.
    this.#failed(message, !isRefused && (this.#persistent || this.#everPlayed || this.#retries > 0));
  }

  #failed(message: string, tryAgain: boolean): void {
    if (!this.#present) {
      this.#enter({ name: "waiting" });
    } else if (tryAgain) {
      const wait = Math.min(FIRST_WAIT_MS * 2 ** this.#retries, LONGEST_WAIT_MS);
      this.#retries += 1;
      this.#enter({ name: "retrying", message });
      this.#retrying = window.setTimeout(() => this.#connect(), wait);
    } else {
      this.#enter({ name: "failed", message });
    }
  }

  #leave(): void {
    window.clearInterval(this.#sampling);
    window.clearTimeout(this.#retrying);
    const session = this.#session;
    this.#session = null;
    session?.close();
    this.#listener?.mediaChanged([]);
  }

  #sample(session: ConsumerSession): void {
    const meter = new Meter();
    const picture = new Picture();
    let bytes = 0;
    let silent = 0;
    const take = async () => {
      const connection = session.rtcPeerConnection;
      const report = await connection?.getStats();
      if (!connection || !report || this.#session !== session) {
        return;
      }
      const figures = meter.take(report as Iterable<[string, unknown]>, performance.now());
      silent = figures.bytes > bytes ? 0 : silent + 1;
      bytes = figures.bytes;
      const passed = passedThrough(connection.remoteDescription?.sdp);
      this.#caveat = passed?.caveat ?? "";
      const refused = this.#refusals.some(({ kind }) => kind === "video");
      const waits = connection.connectionState === "connected" && passed !== null && !refused;
      const shown = picture.take(figures.video, waits);
      if (silent === 0) {
        this.#retries = 0;
      }
      const awaited = waits && shown.frameless !== null && bytes === 0;
      if (silent >= STALLED_SAMPLES && !awaited) {
        if (this.#state.name === "playing" || this.#state.name === "frameless") {
          this.#enter({ name: "stalled" });
        }
      } else if (shown.frameless !== null) {
        this.#enter({ name: "frameless", message: shown.frameless });
      } else if (silent === 0 && shown.moving) {
        this.#enter({ name: "playing" });
      }
      this.#listener?.figuresChanged(figures);
      if (silent >= LOST_SAMPLES && this.#present && session.peerId !== this.#peer.id) {
        this.#connect();
      }
    };
    // Statistics of a connection that was just closed cannot be had, nor are they needed.
    this.#sampling = window.setInterval(() => void take().catch(() => {}), SAMPLE_MS);
  }

  #enter(state: StreamState): void {
    const said = (state: StreamState) => ("message" in state ? state.message : null);
    if (state.name !== this.#state.name || state.name === "failed" || said(state) !== said(this.#state)) {
      this.#state = state;
      this.#everPlayed ||= ["playing", "stalled", "frameless"].includes(state.name);
      this.#listener?.stateChanged();
    }
  }
}
