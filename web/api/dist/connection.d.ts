import type { ClientMessage } from "./protocol.js";
/** The longest wait between two attempts to connect, unless the first is to be longer. */
export declare const LONGEST_WAIT_MS = 10000;
/** A server that takes less than this much of what is sent to it counts as lost. */
export declare const MAX_UNSENT_BYTES: number;
export interface ConnectionHandlers {
    opened(): void;
    received(text: string): void;
    /** Also after an attempt that failed. */
    lost(): void;
}
/** A WebSocket that comes back. */
export declare class Connection {
    #private;
    /**
     * Connects at once.
     *
     * @param firstWaitMs the longest first wait before it connects again; 0 or less if it is not to
     * @throws SyntaxError or SecurityError, as `new WebSocket` does, if the address can never work
     */
    constructor(url: string, firstWaitMs: number, handlers: ConnectionHandlers);
    send(message: ClientMessage): boolean;
    /** Closes for good. `lost` is not called for that. */
    close(): void;
}
