/** The JSON protocol of `gst-webrtc-signalling-server`, versions 1.0 and 1.1, as far as a browser speaks it. */
/** Longer messages from the server are ignored. */
export declare const MAX_MESSAGE_CHARS: number;
export type Role = "producer" | "listener" | "consumer";
export interface PeerStatus {
    roles: Role[];
    meta: Record<string, unknown> | null;
}
export interface SessionDescription {
    type: "offer" | "answer";
    sdp: string;
}
export interface Candidate {
    /** An empty string ends the candidates. */
    candidate: string;
    sdpMLineIndex: number;
}
export type PeerMessage = {
    sessionId: string;
} & ({
    sdp: SessionDescription;
} | {
    ice: Candidate;
});
export type ClientMessage = {
    type: "setProtocolVersion";
    version: "v1_1";
} | ({
    type: "setPeerStatus";
    peerId: string;
} & PeerStatus) | {
    type: "startSession";
    peerId: string;
    offer?: string;
} | {
    type: "endSession";
    sessionId: string;
} | {
    type: "endSessionV1_1";
    sessionId: string;
    error: string;
} | ({
    type: "peer";
} & PeerMessage) | {
    type: "list";
} | {
    type: "listConsumers";
};
export interface ListEntry {
    id: string;
    meta: Record<string, unknown>;
}
export type ServerMessage = {
    type: "welcome";
    peerId: string;
} | {
    type: "peerStatusChanged";
    peerId: string;
    roles: string[];
    meta: Record<string, unknown>;
} | {
    type: "list";
    role: "producer" | "consumer";
    peers: ListEntry[];
} | {
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
} | {
    type: "error";
    details: string;
};
/** What a message says, with the two spellings of a kind made one; null if it is none that a browser is to act on. */
export declare function parseServerMessage(text: string): ServerMessage | null;
