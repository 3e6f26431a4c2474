import { SessionState } from "./session-state.js";
/** More own candidates than this before the session has an id are dropped. */
export declare const MAX_HELD_CANDIDATES = 256;
/** A session that is not connected after this time fails. */
export declare const CONNECT_DEADLINE_MS = 30000;
/**
 * A WebRTC session with one peer. It is used once: closed, it stays closed.
 *
 * Events: `stateChanged`, `rtcPeerConnectionChanged`, `error` (an `ErrorEvent`, after which the session closes),
 * `closed`.
 */
export declare abstract class WebRTCSession extends EventTarget {
    #private;
    /** Who is at the other end. */
    get peerId(): string;
    /** Empty until the signalling server has given one. */
    get sessionId(): string;
    get state(): SessionState;
    /** Null before media is negotiated and after the session is closed. */
    get rtcPeerConnection(): RTCPeerConnection | null;
    /** Ends the session. The other peer is told, with the reason if it speaks version 1.1 of the protocol. */
    close(reason?: string): void;
}
