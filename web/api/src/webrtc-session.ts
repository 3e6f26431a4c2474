import type { SessionMessage } from "./conversation.js";
import type { Latency } from "./latency.js";
import { Negotiation } from "./negotiation.js";
import type { Candidate, ClientMessage, SessionDescription } from "./protocol.js";
import { SessionState } from "./session-state.js";

/** More own candidates than this before the session has an id are dropped. */
export const MAX_HELD_CANDIDATES = 256;
/** A session that is not connected after this time fails. */
export const CONNECT_DEADLINE_MS = 30_000;

/** @internal What a session needs of the API that made it. */
export interface SessionLink {
  readonly webrtcConfig: RTCConfiguration;
  readonly latency: Latency;
  send(message: ClientMessage): boolean;
  closed(session: WebRTCSession): void;
}

/**
 * A WebRTC session with one peer. It is used once: closed, it stays closed.
 *
 * Events: `stateChanged`, `rtcPeerConnectionChanged`, `error` (an `ErrorEvent`, after which the session closes),
 * `closed`.
 */
export abstract class WebRTCSession extends EventTarget {
  readonly #peerId: string;
  readonly #link: SessionLink;
  #sessionId = "";
  #state: SessionState = SessionState.idle;
  #connection: RTCPeerConnection | null = null;
  #negotiation: Negotiation | null = null;
  #deadline: ReturnType<typeof setTimeout> | undefined;
  #heldCandidates: Candidate[] = [];
  #signalled = true;

  /** @internal */
  constructor(peerId: string, link: SessionLink) {
    super();
    this.#peerId = peerId;
    this.#link = link;
  }

  /** Who is at the other end. */
  get peerId(): string {
    return this.#peerId;
  }

  /** Empty until the signalling server has given one. */
  get sessionId(): string {
    return this.#sessionId;
  }

  get state(): SessionState {
    return this.#state;
  }

  /** Null before media is negotiated and after the session is closed. */
  get rtcPeerConnection(): RTCPeerConnection | null {
    return this.#connection;
  }

  /** Ends the session. The other peer is told, with the reason if it speaks version 1.1 of the protocol. */
  close(reason?: string): void {
    if (this.#state === SessionState.closed) {
      return;
    }
    const wasIdle = this.#state === SessionState.idle;
    this.#state = SessionState.closed;
    clearTimeout(this.#deadline);
    if (!wasIdle && this.#sessionId !== "") {
      if (reason !== undefined) {
        // A server of version 1.0 drops this one; for one of 1.1 the next finds nothing left to end.
        this.#send({ type: "endSessionV1_1", sessionId: this.#sessionId, error: reason });
      }
      this.#send({ type: "endSession", sessionId: this.#sessionId });
    }
    this.dispatchEvent(new Event("stateChanged"));
    this.#negotiation?.stop();
    if (this.#connection) {
      this.#connection.close();
      this.#connection = null;
      this.dispatchEvent(new Event("rtcPeerConnectionChanged"));
    }
    this.#link.closed(this);
    this.dispatchEvent(new Event("closed"));
  }

  /** @internal Whether the server has yet to give the session its id. */
  get isWaitingForId(): boolean {
    return this.#state !== SessionState.idle && this.#sessionId === "" && this.#signalled;
  }

  /** @internal */
  started(sessionId: string): void {
    this.#sessionId = sessionId;
    this.#heldCandidates.splice(0).forEach((ice) => this.#send({ type: "peer", sessionId, ice }));
  }

  /** @internal */
  receive(message: SessionMessage): void {
    switch (message.type) {
      case "description":
        this.negotiate().receiveDescription(message.description, () => this.beforeAnswer());
        break;
      case "candidate":
        this.negotiate().receiveCandidate(message.candidate);
        break;
      case "endSession":
        // The server has forgotten the session.
        this.#signalled = false;
        if (message.error !== null) {
          this.fail(message.error);
        } else {
          this.close();
        }
        break;
    }
  }

  /** @internal The connection to the server is gone; the session goes on without it if it may and media can flow. */
  signallingLost(keep: boolean): void {
    this.#signalled = false;
    const media = this.#connection?.connectionState;
    if (!keep || (media !== "connected" && media !== "disconnected")) {
      this.close();
    }
  }

  /** @internal */
  fail(message: string, error?: unknown): void {
    if (this.#state === SessionState.closed) {
      return;
    }
    this.dispatchEvent(new ErrorEvent("error", { message, error: error ?? new Error(message) }));
    this.close(error === undefined ? message : `${message}: ${textOf(error)}`);
  }

  /** @internal Called between a remote offer and its answer. */
  protected beforeAnswer(): void {}

  /** @internal Called with each new peer connection, before anything else is done with it. */
  protected prepare(_connection: RTCPeerConnection, _negotiation: Negotiation): void {}

  /** @internal Called with an own description that is ready to be sent. */
  protected described(sdp: SessionDescription): void {
    this.#send({ type: "peer", sessionId: this.#sessionId, sdp });
  }

  /** @internal */
  protected send(message: ClientMessage): boolean {
    return this.#send(message);
  }

  /** @internal */
  protected enter(state: SessionState): void {
    if (state > this.#state) {
      this.#state = state;
      this.#startDeadline();
      this.dispatchEvent(new Event("stateChanged"));
    }
  }

  /** @internal The peer connection's negotiation; made when first needed. */
  protected negotiate(): Negotiation {
    if (this.#negotiation) {
      return this.#negotiation;
    }
    const connection = new RTCPeerConnection(this.#link.webrtcConfig);
    const negotiation = new Negotiation(connection, {
      description: (description) => this.described(description),
      candidate: (ice) => this.#sendCandidate(ice),
      failed: (error) => this.fail("the session could not be negotiated", error),
    });
    this.#connection = connection;
    this.#negotiation = negotiation;
    connection.addEventListener("connectionstatechange", () => {
      if (connection.connectionState === "connected") {
        clearTimeout(this.#deadline);
      } else if (connection.connectionState === "failed") {
        this.fail("the media connection failed");
      }
    });
    this.prepare(connection, negotiation);
    this.dispatchEvent(new Event("rtcPeerConnectionChanged"));
    return negotiation;
  }

  #startDeadline(): void {
    this.#deadline ??= setTimeout(() => {
      if (this.#connection?.connectionState !== "connected") {
        this.fail("no media connection came about in time");
      }
    }, CONNECT_DEADLINE_MS);
  }

  #sendCandidate(ice: Candidate): void {
    if (this.#sessionId !== "") {
      this.#send({ type: "peer", sessionId: this.#sessionId, ice });
    } else if (this.#heldCandidates.length < MAX_HELD_CANDIDATES) {
      this.#heldCandidates.push(ice);
    }
  }

  #send(message: ClientMessage): boolean {
    return this.#signalled && this.#link.send(message);
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
