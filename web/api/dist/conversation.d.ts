/**
 * What is said on one connection to a signalling server. No I/O: text comes in, effects go out, in the order in which
 * they are to be carried out.
 *
 * The server speaks first (`welcome`). The client then chooses version 1.1 of the protocol, which must be its first
 * message and which servers of version 1.0 ignore, and declares its status. The server's echo of that status is the
 * acknowledgement; from then on the client is registered and asks who is there.
 */
import { type PeerChange } from "./peers.js";
import { type Candidate, type ClientMessage, type PeerStatus, type SessionDescription } from "./protocol.js";
/** What the server says about sessions. */
export type SessionMessage = {
    type: "startSession";
    peerId: string;
    sessionId: string;
    offer: string | null;
} | {
    type: "sessionStarted";
    peerId: string;
    sessionId: string;
} | {
    type: "endSession";
    sessionId: string;
    error: string | null;
} | {
    type: "description";
    sessionId: string;
    description: SessionDescription;
} | {
    type: "candidate";
    sessionId: string;
    candidate: Candidate;
};
export type Effect = {
    type: "send";
    message: ClientMessage;
} | {
    type: "registered";
    clientId: string;
}
/** The server has taken the client's status as declared. */
 | {
    type: "declared";
    roles: string[];
} | ({
    type: "peer";
    role: "producer" | "consumer";
} & PeerChange) | {
    type: "session";
    message: SessionMessage;
} | {
    type: "serverError";
    details: string;
};
export declare class Conversation {
    #private;
    constructor(status: PeerStatus);
    /** Empty until the server has registered the client. */
    get clientId(): string;
    peers(role: "producer" | "consumer"): import("./peers.js").Peer[];
    /** Changes what the client is. */
    declare(status: PeerStatus): Effect[];
    /** Takes one message of the server. */
    receive(text: string): Effect[];
    /** The connection is gone, and with it everybody whom it told of. */
    lost(): Effect[];
}
