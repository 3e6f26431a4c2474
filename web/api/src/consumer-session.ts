import { withoutPlayoutDelay, type Latency } from "./latency.js";
import type { Negotiation } from "./negotiation.js";
import type { SessionDescription } from "./protocol.js";
import { refusals, type Refusal } from "./refusals.js";
import { SessionState } from "./session-state.js";
import { answerStereo } from "./stereo.js";
import { WebRTCSession, type SessionLink } from "./webrtc-session.js";

/**
 * A session that plays what a producer sends.
 *
 * Beside the events of every session: `streamsChanged`, and `mediaRefused` when this browser takes none of the codecs of
 * something that the producer offers. `remoteControllerChanged` is not sent yet.
 */
export class ConsumerSession extends WebRTCSession {
  readonly #offerOptions: RTCOfferOptions | null;
  readonly #latency: Latency;
  #streams: MediaStream[] = [];
  #stereo = false;
  #refusals: Refusal[] = [];

  /** @internal */
  constructor(producerId: string, link: SessionLink, offerOptions: RTCOfferOptions | null) {
    super(producerId, link);
    this.#offerOptions = offerOptions;
    this.#latency = link.latency;
  }

  /** The streams that the producer sends now. */
  get streams(): MediaStream[] {
    return [...this.#streams];
  }

  /** What the producer offers and this browser does not take. */
  get refusals(): Refusal[] {
    return [...this.#refusals];
  }

  /** Always null: remote control of the producer is not part of this version. */
  readonly remoteController: null = null;

  /** Whether answers ask for stereo where the producer offers it, which Chromium does not of itself. Default: false. */
  set mungeStereoHack(enable: boolean) {
    this.#stereo = enable;
  }

  /** Asks the producer to send. False if the session is closed or there is no connection to the signalling server. */
  connect(): boolean {
    if (this.state !== SessionState.idle) {
      return this.state !== SessionState.closed;
    }
    if (this.#offerOptions) {
      this.enter(SessionState.connecting);
      this.#offer(this.#offerOptions);
      return true;
    }
    return this.#start({});
  }

  /** @internal */
  protected override prepare(connection: RTCPeerConnection, negotiation: Negotiation): void {
    const smooth = this.#latency === "smooth";
    const delayed = (description: string) => (smooth ? withoutPlayoutDelay(description) : description);
    negotiation.mungeOffer = delayed;
    negotiation.munge = (offer, answer) => delayed(this.#stereo ? answerStereo(offer, answer) : answer);
    negotiation.answering = (offer, answer) => {
      this.#refusals = refusals(offer, answer);
      if (this.#refusals.length > 0) {
        this.dispatchEvent(new Event("mediaRefused"));
      }
    };
    connection.addEventListener("track", ({ track, streams }) => this.#add(track, streams));
  }

  /** @internal */
  protected override described(description: SessionDescription): void {
    if (description.type === "offer" && this.sessionId === "") {
      this.#start({ offer: description.sdp });
    } else {
      super.described(description);
    }
  }

  #start(offer: { offer?: string }): boolean {
    if (!this.send({ type: "startSession", peerId: this.peerId, ...offer })) {
      this.fail("there is no connection to the signalling server");
      return false;
    }
    this.enter(SessionState.connecting);
    return true;
  }

  #offer({ offerToReceiveAudio, offerToReceiveVideo, ...options }: RTCOfferOptions): void {
    const negotiation = this.negotiate();
    // Not every browser still takes these two as options.
    for (const [kind, wanted] of [["video", offerToReceiveVideo], ["audio", offerToReceiveAudio]] as const) {
      if (wanted) {
        this.rtcPeerConnection?.addTransceiver(kind, { direction: "recvonly" });
      }
    }
    negotiation.offer(options);
  }

  #add(track: MediaStreamTrack, streams: readonly MediaStream[]): void {
    if (this.state === SessionState.closed) {
      return;
    }
    // Without a stream of its own, a track joins the others that have none.
    for (const stream of streams.length > 0 ? streams : [this.#looseStream(track)]) {
      if (!this.#streams.includes(stream)) {
        this.#streams.push(stream);
        stream.addEventListener("removetrack", () => this.#removeIfEmpty(stream));
      }
    }
    this.enter(SessionState.streaming);
    this.dispatchEvent(new Event("streamsChanged"));
  }

  #loose: MediaStream | null = null;

  #looseStream(track: MediaStreamTrack): MediaStream {
    this.#loose ??= new MediaStream();
    this.#loose.addTrack(track);
    return this.#loose;
  }

  #removeIfEmpty(stream: MediaStream): void {
    if (stream.getTracks().length === 0) {
      this.#streams = this.#streams.filter((other) => other !== stream);
    }
    this.dispatchEvent(new Event("streamsChanged"));
  }
}
