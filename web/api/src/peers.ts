import type { ListEntry } from "./protocol.js";

/** More peers of a role than this are not shown; a server does not let a page grow without end. */
export const MAX_PEERS = 10_000;

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
export class Peers {
  readonly #known = new Map<string, Peer>();

  all(): Peer[] {
    return [...this.#known.values()];
  }

  /** The peer has the role, with this meta. */
  put(id: string, meta: Record<string, unknown>): PeerChange[] {
    const known = this.#known.get(id);
    if (known ? sameMeta(known.meta, meta) : this.#known.size >= MAX_PEERS) {
      return [];
    }
    const peer = Object.freeze({ id, meta: Object.freeze(meta) });
    this.#known.set(id, peer);
    return [{ change: known ? "changed" : "added", peer }];
  }

  /** The peer does not have the role, or is gone. */
  remove(id: string): PeerChange[] {
    const peer = this.#known.get(id);
    this.#known.delete(id);
    return peer ? [{ change: "removed", peer }] : [];
  }

  /** These have the role, nobody else has. */
  replace(entries: ListEntry[]): PeerChange[] {
    const listed = new Set(entries.map(({ id }) => id));
    const gone = this.all().filter(({ id }) => !listed.has(id));
    return [...gone.flatMap(({ id }) => this.remove(id)), ...entries.flatMap(({ id, meta }) => this.put(id, meta))];
  }
}

// Both were made from JSON; another order of the same members counts as a change, which does no harm.
function sameMeta(one: object, other: object): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
