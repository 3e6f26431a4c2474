import { DEFAULT_CONFIG, type GstWebRTCConfig } from "./config.js";
import { Connection } from "./connection.js";
import { ConsumerSession } from "./consumer-session.js";
import { Conversation, type Effect, type SessionMessage } from "./conversation.js";
import type { Peer } from "./peers.js";
import { ProducerSession } from "./producer-session.js";
import type { PeerStatus } from "./protocol.js";
import { SessionState } from "./session-state.js";
import type { SessionLink, WebRTCSession } from "./webrtc-session.js";

/** Hears how the connection to the signalling server fares. */
export interface ConnectionListener {
  connected(clientId: string): void;
  /** Also after an attempt to connect that failed. */
  disconnected(): void;
  /** The server refused something that belongs to no session. If no listener has this, the console says so. */
  error?(details: string): void;
}

/** Hears who comes and goes; this client itself is left out. */
export interface PeerListener {
  producerAdded?(producer: Peer): void;
  producerChanged?(producer: Peer): void;
  producerRemoved?(producer: Peer): void;
  consumerAdded?(consumer: Peer): void;
  consumerChanged?(consumer: Peer): void;
  consumerRemoved?(consumer: Peer): void;
}

/**
 * Connects to a signalling server that speaks GStreamer's JSON protocol, and makes sessions with its peers.
 *
 * Names and behaviour are those of npm `gstwebrtc-api` 3.0.0, except that sessions whose media flows outlive the
 * connection to the server (see `keepSessions`), that an own stream is offered again after a reconnection, that waits
 * grow, and that `close` exists. Remote control is not part of this version.
 */
export class GstWebRTCAPI {
  static readonly SessionState = SessionState;

  readonly #config: GstWebRTCConfig;
  readonly #connection: Connection;
  readonly #connectionListeners = new Set<ConnectionListener>();
  readonly #peerListeners = new Set<PeerListener>();
  readonly #link: SessionLink;
  /** By producer. */
  readonly #consumerSessions = new Map<string, ConsumerSession>();
  /** Those that the server knows, by their id. */
  readonly #sessions = new Map<string, WebRTCSession>();
  #conversation: Conversation;
  #producerSession: ProducerSession | null = null;
  #closed = false;

  /**
   * Connects at once.
   *
   * @throws SyntaxError or SecurityError, as `new WebSocket` does, if the address can never work
   */
  constructor(config: Partial<GstWebRTCConfig> = {}) {
    this.#config = { ...DEFAULT_CONFIG, ...config };
    this.#link = {
      webrtcConfig: this.#config.webrtcConfig,
      latency: this.#config.latency,
      send: (message) => this.#connection.send(message),
      closed: (session) => this.#forget(session),
    };
    this.#conversation = new Conversation(this.#status());
    this.#connection = new Connection(this.#config.signalingServerUrl, this.#config.reconnectionTimeout, {
      opened: () => (this.#conversation = new Conversation(this.#status())),
      received: (text) => this.#carryOut(this.#conversation.receive(text)),
      lost: () => this.#lost(),
    });
  }

  /** The id that the server has given this client; empty while there is no connection. */
  get clientId(): string {
    return this.#conversation.clientId;
  }

  /** Changes what other peers are told of this one. */
  setMeta(meta: object | null): void {
    this.#config.meta = meta;
    this.#carryOut(this.#conversation.declare(this.#status()));
  }

  /** Closes all sessions and the connection for good. */
  close(): void {
    if (this.#closed) {
      return;
    }
    this.#producerSession?.close();
    for (const session of [...this.#consumerSessions.values()]) {
      session.close();
    }
    this.#closed = true;
    this.#connection.close();
    this.#lost();
  }

  registerConnectionListener(listener: ConnectionListener): boolean {
    const valid = isFunction(listener?.connected) && isFunction(listener.disconnected);
    if (valid) {
      this.#connectionListeners.add(listener);
    }
    return valid;
  }

  unregisterConnectionListener(listener: ConnectionListener): boolean {
    return this.#connectionListeners.delete(listener);
  }

  unregisterAllConnectionListeners(): void {
    this.#connectionListeners.clear();
  }

  /** Who is there already is in `getAvailableProducers` and `getAvailableConsumers`. */
  registerPeerListener(listener: PeerListener): boolean {
    const { producerAdded, producerChanged, producerRemoved, consumerAdded, consumerChanged, consumerRemoved } =
      listener ?? {};
    const valid = [
      producerAdded,
      producerChanged,
      producerRemoved,
      consumerAdded,
      consumerChanged,
      consumerRemoved,
    ].some(isFunction);
    if (valid) {
      this.#peerListeners.add(listener);
    }
    return valid;
  }

  unregisterPeerListener(listener: PeerListener): boolean {
    return this.#peerListeners.delete(listener);
  }

  unregisterAllPeerListeners(): void {
    this.#peerListeners.clear();
  }

  getAvailableProducers(): Peer[] {
    return this.#conversation.peers("producer");
  }

  getAvailableConsumers(): Peer[] {
    return this.#conversation.peers("consumer");
  }

  /** Null if there is no connection, or another stream is being produced; the same session for the same stream. */
  createProducerSession(stream: MediaStream): ProducerSession | null {
    return this.#produce(stream, null);
  }

  /** As `createProducerSession`; the consumer is called as soon as the server lists this client as a producer. */
  createProducerSessionForConsumer(stream: MediaStream, consumerId: string): ProducerSession | null {
    return typeof consumerId === "string" && consumerId !== "" ? this.#produce(stream, consumerId) : null;
  }

  /** Null if there is no connection; the existing session if there is one with that producer. */
  createConsumerSession(producerId: string): ConsumerSession | null {
    return this.#consume(producerId, null);
  }

  /** As `createConsumerSession`, but this client makes the offer. */
  createConsumerSessionWithOfferOptions(producerId: string, offerOptions: RTCOfferOptions): ConsumerSession | null {
    return this.#consume(producerId, offerOptions);
  }

  #consume(producerId: string, offerOptions: RTCOfferOptions | null): ConsumerSession | null {
    if (typeof producerId !== "string" || producerId === "") {
      return null;
    }
    const existing = this.#consumerSessions.get(producerId);
    if (existing || this.clientId === "") {
      return existing ?? null;
    }
    const session = new ConsumerSession(producerId, this.#link, offerOptions);
    this.#consumerSessions.set(producerId, session);
    return session;
  }

  #produce(stream: MediaStream, consumerId: string | null): ProducerSession | null {
    if (!(stream instanceof MediaStream)) {
      return null;
    }
    if (this.#producerSession) {
      return this.#producerSession.stream === stream ? this.#producerSession : null;
    }
    if (this.clientId === "") {
      return null;
    }
    this.#producerSession = new ProducerSession(
      stream,
      {
        ...this.#link,
        declare: () => this.#carryOut(this.#conversation.declare(this.#status())),
        opened: (client) => void this.#sessions.set(client.sessionId, client),
        producerClosed: () => void (this.#producerSession = null),
      },
      consumerId,
    );
    return this.#producerSession;
  }

  #status(): PeerStatus {
    const { meta } = this.#config;
    return {
      roles: this.#producerSession?.isWanted ? ["listener", "producer"] : ["listener"],
      meta: typeof meta === "object" ? (meta as Record<string, unknown> | null) : null,
    };
  }

  /** False if something had to be sent and could not be. */
  #carryOut(effects: Effect[]): boolean {
    let sent = true;
    for (const effect of effects) {
      switch (effect.type) {
        case "send":
          sent = this.#connection.send(effect.message) && sent;
          break;
        case "registered":
          notify(this.#connectionListeners, (listener) => listener.connected(effect.clientId));
          break;
        case "declared":
          if (effect.roles.includes("producer")) {
            this.#producerSession?.registered();
          }
          break;
        case "peer":
          notify(this.#peerListeners, (listener) => listener[PEER_METHODS[effect.role][effect.change]]?.(effect.peer));
          break;
        case "session":
          this.#onSessionMessage(effect.message);
          break;
        case "serverError":
          this.#onServerError(effect.details);
          break;
      }
    }
    return sent;
  }

  #onSessionMessage(message: SessionMessage): void {
    if (message.type === "startSession") {
      if (this.#producerSession?.isWanted) {
        this.#producerSession.startSession(message.peerId, message.sessionId, message.offer);
      } else {
        this.#connection.send({ type: "endSession", sessionId: message.sessionId });
      }
      return;
    }
    if (message.type === "sessionStarted") {
      const session = this.#consumerSessions.get(message.peerId);
      if (session?.isWaitingForId) {
        this.#sessions.set(message.sessionId, session);
        session.started(message.sessionId);
      } else {
        // Whoever asked for it has closed it meanwhile.
        this.#connection.send({ type: "endSession", sessionId: message.sessionId });
      }
      return;
    }
    this.#sessions.get(message.sessionId)?.receive(message);
  }

  #onServerError(details: string): void {
    // The server does not say what an error is about, but names the peer that a session was asked of.
    for (const session of this.#consumerSessions.values()) {
      if (session.isWaitingForId && details.includes(session.peerId)) {
        session.fail(details);
        return;
      }
    }
    if (![...this.#connectionListeners].some(({ error }) => isFunction(error))) {
      console.error(`the signalling server refused something: ${details}`);
    }
    notify(this.#connectionListeners, (listener) => listener.error?.(details));
  }

  #lost(): void {
    const effects = this.#conversation.lost();
    this.#sessions.clear();
    for (const session of [...this.#consumerSessions.values()]) {
      session.signallingLost(this.#config.keepSessions);
    }
    this.#producerSession?.signallingLost(this.#config.keepSessions);
    this.#carryOut(effects);
    notify(this.#connectionListeners, (listener) => listener.disconnected());
  }

  #forget(session: WebRTCSession): void {
    this.#sessions.delete(session.sessionId);
    if (this.#consumerSessions.get(session.peerId) === session) {
      this.#consumerSessions.delete(session.peerId);
    }
  }
}

const PEER_METHODS = {
  producer: { added: "producerAdded", changed: "producerChanged", removed: "producerRemoved" },
  consumer: { added: "consumerAdded", changed: "consumerChanged", removed: "consumerRemoved" },
} as const;

/** A listener that throws does not keep the others from hearing. */
function notify<L>(listeners: Set<L>, tell: (listener: L) => void): void {
  for (const listener of [...listeners]) {
    try {
      tell(listener);
    } catch (error) {
      console.error(error);
    }
  }
}

function isFunction(value: unknown): boolean {
  return typeof value === "function";
}
