import { SessionState } from "./session-state.js";
import { WebRTCSession, type SessionLink } from "./webrtc-session.js";

/** A session in which this page sends to one consumer. */
export class ClientSession extends WebRTCSession {
  readonly #stream: MediaStream;

  /** @internal */
  constructor(peerId: string, sessionId: string, link: SessionLink, stream: MediaStream) {
    super(peerId, link);
    this.#stream = stream;
    this.started(sessionId);
  }

  /** @internal Offers what there is to send, or answers the consumer's offer with it. */
  begin(offer: string | null): void {
    this.enter(SessionState.streaming);
    const negotiation = this.negotiate();
    if (offer === null) {
      this.#addTracks();
      negotiation.offer();
    } else {
      negotiation.receiveDescription({ type: "offer", sdp: offer }, () => this.#addTracks());
    }
  }

  #addTracks(): void {
    for (const track of this.#stream.getTracks()) {
      this.rtcPeerConnection?.addTrack(track, this.#stream);
    }
  }
}
