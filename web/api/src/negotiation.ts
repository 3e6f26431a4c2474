/**
 * Offers, answers and candidates of one peer connection, done one after the other in the order in which they came.
 *
 * Candidates that come before the description that they belong to wait for it. The first failure ends the work, except
 * that of a single candidate: another may do.
 */
import type { Candidate, SessionDescription } from "./protocol.js";

/** More candidates than this before a description are dropped. */
export const MAX_EARLY_CANDIDATES = 256;
/** A peer that sends more descriptions than this before the first of them is dealt with is cut off. */
export const MAX_WAITING_DESCRIPTIONS = 16;

export interface NegotiationHandlers {
  description(description: SessionDescription): void;
  candidate(candidate: Candidate): void;
  failed(error: unknown): void;
}

export class Negotiation {
  readonly #connection: RTCPeerConnection;
  readonly #handlers: NegotiationHandlers;
  readonly #earlyCandidates: Candidate[] = [];
  #described = false;
  #waiting = 0;
  #over = false;
  #work: Promise<void> = Promise.resolve();

  /** Called with an offer and its answer, before that is applied. */
  answering: (offer: string, answer: string) => void = () => {};
  /** Changes an own offer before it is applied and sent. */
  mungeOffer: (offer: string) => string = (offer) => offer;

  /** Changes an answer before it is applied and sent. */
  munge: (offer: string, answer: string) => string = (_, answer) => answer;

  constructor(connection: RTCPeerConnection, handlers: NegotiationHandlers) {
    this.#connection = connection;
    this.#handlers = handlers;
    connection.addEventListener("icecandidate", ({ candidate }) => {
      if (candidate && !this.#over) {
        handlers.candidate({ candidate: candidate.candidate, sdpMLineIndex: candidate.sdpMLineIndex ?? 0 });
      }
    });
  }

  offer(options?: RTCOfferOptions): void {
    this.#next(async () => {
      const { type, sdp = "" } = await this.#connection.createOffer(options);
      await this.#connection.setLocalDescription({ type, sdp: this.mungeOffer(sdp) });
      this.#tell("offer");
    });
  }

  /** @param prepare is called between an offer and its answer, to add what is to be sent */
  receiveDescription(description: SessionDescription, prepare: () => void = () => {}): void {
    if (this.#waiting >= MAX_WAITING_DESCRIPTIONS) {
      this.#fail(new Error("too many session descriptions at once"));
      return;
    }
    this.#waiting += 1;
    this.#next(async () => {
      this.#waiting -= 1;
      await this.#connection.setRemoteDescription(description);
      this.#described = true;
      this.#earlyCandidates.splice(0).forEach(this.#add);
      if (description.type === "offer") {
        prepare();
        const { type, sdp = "" } = await this.#connection.createAnswer();
        this.answering(description.sdp, sdp);
        await this.#connection.setLocalDescription({ type, sdp: this.munge(description.sdp, sdp) });
        this.#tell("answer");
      }
    });
  }

  receiveCandidate(candidate: Candidate): void {
    if (this.#described) {
      this.#add(candidate);
    } else if (this.#earlyCandidates.length < MAX_EARLY_CANDIDATES) {
      this.#earlyCandidates.push(candidate);
    }
  }

  /** Nothing is told any more. */
  stop(): void {
    this.#over = true;
  }

  readonly #add = (candidate: Candidate) => {
    if (!this.#over) {
      this.#connection.addIceCandidate(candidate).catch(() => {});
    }
  };

  #tell(type: "offer" | "answer"): void {
    if (!this.#over) {
      this.#handlers.description({ type, sdp: this.#connection.localDescription?.sdp ?? "" });
    }
  }

  #next(step: () => Promise<void>): void {
    this.#work = this.#work.then(() => (this.#over ? undefined : step())).catch((error) => this.#fail(error));
  }

  #fail(error: unknown): void {
    if (!this.#over) {
      this.#over = true;
      this.#handlers.failed(error);
    }
  }
}
