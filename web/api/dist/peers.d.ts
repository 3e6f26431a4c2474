import type { ListEntry } from "./protocol.js";
/** More peers of a role than this are not shown; a server does not let a page grow without end. */
export declare const MAX_PEERS = 10000;
/** A peer that the server has announced. Everything in `meta` comes from that peer: show it as text, never as HTML. */
export interface Peer {
    readonly id: string;
    readonly meta: Readonly<Record<string, unknown>>;
}
export interface PeerChange {
    change: "added" | "changed" | "removed";
    peer: Peer;
}
/** The peers of one role, and how they change. */
export declare class Peers {
    #private;
    all(): Peer[];
    /** The peer has the role, with this meta. */
    put(id: string, meta: Record<string, unknown>): PeerChange[];
    /** The peer does not have the role, or is gone. */
    remove(id: string): PeerChange[];
    /** These have the role, nobody else has. */
    replace(entries: ListEntry[]): PeerChange[];
}
