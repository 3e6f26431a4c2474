import { type GstWebRTCConfig } from "./config.js";
import { ConsumerSession } from "./consumer-session.js";
import type { Peer } from "./peers.js";
import { ProducerSession } from "./producer-session.js";
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
export declare class GstWebRTCAPI {
    #private;
    static readonly SessionState: Readonly<{
        idle: 0;
        connecting: 1;
        streaming: 2;
        closed: 3;
    }>;
    /**
     * Connects at once.
     *
     * @throws SyntaxError or SecurityError, as `new WebSocket` does, if the address can never work
     */
    constructor(config?: Partial<GstWebRTCConfig>);
    /** The id that the server has given this client; empty while there is no connection. */
    get clientId(): string;
    /** Changes what other peers are told of this one. */
    setMeta(meta: object | null): void;
    /** Closes all sessions and the connection for good. */
    close(): void;
    registerConnectionListener(listener: ConnectionListener): boolean;
    unregisterConnectionListener(listener: ConnectionListener): boolean;
    unregisterAllConnectionListeners(): void;
    /** Who is there already is in `getAvailableProducers` and `getAvailableConsumers`. */
    registerPeerListener(listener: PeerListener): boolean;
    unregisterPeerListener(listener: PeerListener): boolean;
    unregisterAllPeerListeners(): void;
    getAvailableProducers(): Peer[];
    getAvailableConsumers(): Peer[];
    /** Null if there is no connection, or another stream is being produced; the same session for the same stream. */
    createProducerSession(stream: MediaStream): ProducerSession | null;
    /** As `createProducerSession`; the consumer is called as soon as the server lists this client as a producer. */
    createProducerSessionForConsumer(stream: MediaStream, consumerId: string): ProducerSession | null;
    /** Null if there is no connection; the existing session if there is one with that producer. */
    createConsumerSession(producerId: string): ConsumerSession | null;
    /** As `createConsumerSession`, but this client makes the offer. */
    createConsumerSessionWithOfferOptions(producerId: string, offerOptions: RTCOfferOptions): ConsumerSession | null;
}
