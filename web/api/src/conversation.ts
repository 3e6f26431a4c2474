/**
 * What is said on one connection to a signalling server. No I/O: text comes in, effects go out, in the order in which
 * they are to be carried out.
 *
 * The server speaks first (`welcome`). The client then chooses version 1.1 of the protocol, which must be its first
 * message and which servers of version 1.0 ignore, and declares its status. The server's echo of that status is the
 * acknowledgement; from then on the client is registered and asks who is there.
 */
import { Peers, type PeerChange } from "./peers.js";
import {
  parseServerMessage,
  type Candidate,
  type ClientMessage,
  type PeerStatus,
  type SessionDescription,
} from "./protocol.js";

/** What the server says about sessions. */
export type SessionMessage =
  | { type: "startSession"; peerId: string; sessionId: string; offer: string | null }
  | { type: "sessionStarted"; peerId: string; sessionId: string }
  | { type: "endSession"; sessionId: string; error: string | null }
  | { type: "description"; sessionId: string; description: SessionDescription }
  | { type: "candidate"; sessionId: string; candidate: Candidate };

export type Effect =
  | { type: "send"; message: ClientMessage }
  | { type: "registered"; clientId: string }
  /** The server has taken the client's status as declared. */
  | { type: "declared"; roles: string[] }
  | ({ type: "peer"; role: "producer" | "consumer" } & PeerChange)
  | { type: "session"; message: SessionMessage }
  | { type: "serverError"; details: string };

export class Conversation {
  readonly #peers = { producer: new Peers(), consumer: new Peers() };
  #status: PeerStatus;
  #clientId = "";
  #registered = false;

  constructor(status: PeerStatus) {
    this.#status = status;
  }

  /** Empty until the server has registered the client. */
  get clientId(): string {
    return this.#registered ? this.#clientId : "";
  }

  peers(role: "producer" | "consumer") {
    return this.#peers[role].all();
  }

  /** Changes what the client is. */
  declare(status: PeerStatus): Effect[] {
    this.#status = status;
    // Before the welcome, the status goes along with it.
    return this.#clientId === "" ? [] : [this.#statusMessage()];
  }

  /** Takes one message of the server. */
  receive(text: string): Effect[] {
    const message = parseServerMessage(text);
    if (message === null) {
      return [];
    }
    switch (message.type) {
      case "welcome":
        return this.#welcomed(message.peerId);
      case "peerStatusChanged":
        return message.peerId === this.#clientId
          ? this.#echoed(message.roles)
          : this.#statusChanged(message.peerId, message.roles, message.meta);
      case "list":
        return peerEffects(message.role, this.#peers[message.role].replace(message.peers.filter(this.#isOther)));
      case "error":
        return [{ type: "serverError", details: message.details }];
      default:
        return [{ type: "session", message }];
    }
  }

  /** The connection is gone, and with it everybody whom it told of. */
  lost(): Effect[] {
    this.#registered = false;
    return (["producer", "consumer"] as const).flatMap((role) => peerEffects(role, this.#peers[role].replace([])));
  }

  readonly #isOther = ({ id }: { id: string }) => id !== this.#clientId;

  #welcomed(clientId: string): Effect[] {
    if (this.#clientId !== "") {
      return [];
    }
    this.#clientId = clientId;
    return [{ type: "send", message: { type: "setProtocolVersion", version: "v1_1" } }, this.#statusMessage()];
  }

  #statusMessage(): Effect {
    return { type: "send", message: { type: "setPeerStatus", peerId: this.#clientId, ...this.#status } };
  }

  #echoed(roles: string[]): Effect[] {
    const declared: Effect = { type: "declared", roles };
    if (this.#registered || !roles.includes("listener")) {
      return [declared];
    }
    this.#registered = true;
    return [
      { type: "registered", clientId: this.#clientId },
      { type: "send", message: { type: "list" } },
      { type: "send", message: { type: "listConsumers" } },
      declared,
    ];
  }

  #statusChanged(id: string, roles: string[], meta: Record<string, unknown>): Effect[] {
    return (["producer", "consumer"] as const).flatMap((role) => {
      const peers = this.#peers[role];
      return peerEffects(role, roles.includes(role) ? peers.put(id, meta) : peers.remove(id));
    });
  }
}

function peerEffects(role: "producer" | "consumer", changes: PeerChange[]): Effect[] {
  return changes.map((change) => ({ type: "peer", role, ...change }));
}
