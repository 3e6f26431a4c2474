/** The states of a session; they only ever increase. */
export declare const SessionState: Readonly<{
    idle: 0;
    connecting: 1;
    streaming: 2;
    closed: 3;
}>;
/** One of the values of `SessionState`. */
export type SessionState = (typeof SessionState)[keyof typeof SessionState];
