import { ClientSession } from "./client-session.js";
import type { SessionLink, WebRTCSession } from "./webrtc-session.js";
import { SessionState } from "./session-state.js";

/** More consumers than this are turned away: for each, the browser encodes anew. */
export const MAX_CLIENT_SESSIONS = 100;

/** @internal What a producer session needs of the API that made it. */
export interface ProducerLink extends SessionLink {
  /** Tells the server what this peer is now; false if there is no connection. */
  declare(): boolean;
  opened(session: WebRTCSession): void;
  producerClosed(): void;
}

/**
 * Sends a stream to every consumer that asks for it.
 *
 * Events: `stateChanged`, `error` (an `ErrorEvent`), `closed`, and `clientConsumerAdded` and `clientConsumerRemoved`
 * (`CustomEvent`s whose detail is the `ClientSession`).
 */
export class ProducerSession extends EventTarget {
  readonly #stream: MediaStream;
  readonly #link: ProducerLink;
  readonly #clients = new Set<ClientSession>();
  #consumerToCall: string | null;
  #state: SessionState = SessionState.idle;

  /** @internal */
  constructor(stream: MediaStream, link: ProducerLink, consumerId: string | null) {
    super();
    this.#stream = stream;
    this.#link = link;
    this.#consumerToCall = consumerId;
  }

  get stream(): MediaStream {
    return this.#stream;
  }

  get state(): SessionState {
    return this.#state;
  }

  /** Registers this peer as a producer. False if it is closed or there is no connection to the signalling server. */
  start(): boolean {
    if (this.#state !== SessionState.idle) {
      return this.#state !== SessionState.closed;
    }
    this.#enter(SessionState.connecting);
    if (!this.#link.declare()) {
      this.#error("there is no connection to the signalling server");
      this.close();
      return false;
    }
    return true;
  }

  /** Ends the sessions with all consumers, and stops the tracks of the stream. */
  close(): void {
    if (this.#state === SessionState.closed) {
      return;
    }
    const wasWanted = this.isWanted;
    this.#enter(SessionState.closed);
    for (const track of this.#stream.getTracks()) {
      track.stop();
    }
    for (const client of [...this.#clients]) {
      client.close();
    }
    this.#link.producerClosed();
    if (wasWanted) {
      this.#link.declare();
    }
    this.dispatchEvent(new Event("closed"));
  }

  /** @internal Whether the server is to list this peer as a producer. */
  get isWanted(): boolean {
    return this.#state === SessionState.connecting || this.#state === SessionState.streaming;
  }

  /** @internal The server lists this peer as a producer. */
  registered(): void {
    if (!this.isWanted) {
      return;
    }
    this.#enter(SessionState.streaming);
    const peerId = this.#consumerToCall;
    this.#consumerToCall = null;
    if (peerId !== null && !this.#link.send({ type: "startSession", peerId })) {
      this.#error("the consumer could not be called: there is no connection to the signalling server");
    }
  }

  /** @internal The connection to the server is gone. When it is back, this peer is declared a producer again. */
  signallingLost(keep: boolean): void {
    if (!keep) {
      this.close();
      return;
    }
    for (const client of [...this.#clients]) {
      client.signallingLost(keep);
    }
  }

  /** @internal A consumer wants the stream, or was called. */
  startSession(peerId: string, sessionId: string, offer: string | null): void {
    const client = new ClientSession(peerId, sessionId, this.#link, this.#stream);
    client.addEventListener("error", (event) => {
      const { message, error } = event as ErrorEvent;
      this.#error(`with consumer ${peerId}: ${message}`, error);
    });
    client.addEventListener("closed", () => {
      if (this.#clients.delete(client)) {
        this.dispatchEvent(new CustomEvent("clientConsumerRemoved", { detail: client }));
      }
    });
    if (this.#clients.size >= MAX_CLIENT_SESSIONS) {
      this.#link.send({ type: "endSessionV1_1", sessionId, error: "the producer takes no more consumers" });
      this.#link.send({ type: "endSession", sessionId });
      return;
    }
    this.#clients.add(client);
    this.#link.opened(client);
    this.dispatchEvent(new CustomEvent("clientConsumerAdded", { detail: client }));
    client.begin(offer);
  }

  #enter(state: SessionState): void {
    if (state > this.#state) {
      this.#state = state;
      this.dispatchEvent(new Event("stateChanged"));
    }
  }

  #error(message: string, error: unknown = new Error(message)): void {
    this.dispatchEvent(new ErrorEvent("error", { message, error }));
  }
}
