import { SessionState } from "./session-state.js";
/** More consumers than this are turned away: for each, the browser encodes anew. */
export declare const MAX_CLIENT_SESSIONS = 100;
/**
 * Sends a stream to every consumer that asks for it.
 *
 * Events: `stateChanged`, `error` (an `ErrorEvent`), `closed`, and `clientConsumerAdded` and `clientConsumerRemoved`
 * (`CustomEvent`s whose detail is the `ClientSession`).
 */
export declare class ProducerSession extends EventTarget {
    #private;
    get stream(): MediaStream;
    get state(): SessionState;
    /** Registers this peer as a producer. False if it is closed or there is no connection to the signalling server. */
    start(): boolean;
    /** Ends the sessions with all consumers, and stops the tracks of the stream. */
    close(): void;
}
