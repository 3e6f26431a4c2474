/**
 * Waits between attempts to connect: they double, and chance shortens each by up to a half, so that the clients of a
 * server that restarts do not all come back at once.
 */
export declare class BackOff {
    #private;
    constructor(firstMs: number, longestMs: number);
    /** To be told how long a connection lasted: after a good one, waits are short again. */
    connectionEnded(lastedMs: number): void;
    /** The next wait in milliseconds; `chance` is from 0 to 1. */
    wait(chance: number): number;
}
