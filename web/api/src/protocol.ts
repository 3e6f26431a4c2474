/** The JSON protocol of `gst-webrtc-signalling-server`, versions 1.0 and 1.1, as far as a browser speaks it. */

/** Longer messages from the server are ignored. */
export const MAX_MESSAGE_CHARS = 16 * 1024 * 1024;

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

export type PeerMessage = { sessionId: string } & ({ sdp: SessionDescription } | { ice: Candidate });

export type ClientMessage =
  | { type: "setProtocolVersion"; version: "v1_1" }
  | ({ type: "setPeerStatus"; peerId: string } & PeerStatus)
  | { type: "startSession"; peerId: string; offer?: string }
  | { type: "endSession"; sessionId: string }
  | { type: "endSessionV1_1"; sessionId: string; error: string }
  | ({ type: "peer" } & PeerMessage)
  | { type: "list" }
  | { type: "listConsumers" };

export interface ListEntry {
  id: string;
  meta: Record<string, unknown>;
}

export type ServerMessage =
  | { type: "welcome"; peerId: string }
  | { type: "peerStatusChanged"; peerId: string; roles: string[]; meta: Record<string, unknown> }
  | { type: "list"; role: "producer" | "consumer"; peers: ListEntry[] }
  | { type: "startSession"; peerId: string; sessionId: string; offer: string | null }
  | { type: "sessionStarted"; peerId: string; sessionId: string }
  | { type: "endSession"; sessionId: string; error: string | null }
  | { type: "description"; sessionId: string; description: SessionDescription }
  | { type: "candidate"; sessionId: string; candidate: Candidate }
  | { type: "error"; details: string };

/** What a message says, with the two spellings of a kind made one; null if it is none that a browser is to act on. */
export function parseServerMessage(text: string): ServerMessage | null {
  if (text.length > MAX_MESSAGE_CHARS) {
    return null;
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return null;
  }
  return isRecord(json) ? readMessage(json) : null;
}

function readMessage(json: Record<string, unknown>): ServerMessage | null {
  const { type, peerId, sessionId } = json;
  switch (type) {
    case "welcome":
      return isText(peerId) ? { type, peerId } : null;
    case "peerStatusChanged":
      return isText(peerId) && Array.isArray(json["roles"])
        ? { type, peerId, roles: json["roles"].filter(isText), meta: readMeta(json["meta"]) }
        : null;
    case "list":
      return { type, role: "producer", peers: readList(json["producers"]) };
    case "listConsumers":
      return { type: "list", role: "consumer", peers: readList(json["consumers"]) };
    case "startSession":
      return isText(peerId) && isText(sessionId)
        ? { type, peerId, sessionId, offer: isText(json["offer"]) ? json["offer"] : null }
        : null;
    case "sessionStarted":
      return isText(peerId) && isText(sessionId) ? { type, peerId, sessionId } : null;
    case "endSession":
    case "endSessionV1_1":
      return isText(sessionId)
        ? { type: "endSession", sessionId, error: isText(json["error"]) ? json["error"] : null }
        : null;
    case "peer":
      return isText(sessionId) ? readPeerMessage(sessionId, json) : null;
    case "error":
      return { type, details: isText(json["details"]) ? json["details"] : "" };
    default:
      return null;
  }
}

function readPeerMessage(sessionId: string, { sdp, ice }: Record<string, unknown>): ServerMessage | null {
  if (isRecord(sdp)) {
    const { type, sdp: text } = sdp;
    return (type === "offer" || type === "answer") && isText(text)
      ? { type: "description", sessionId, description: { type, sdp: text } }
      : null;
  }
  if (isRecord(ice)) {
    const { candidate, sdpMLineIndex } = ice;
    return isText(candidate) && typeof sdpMLineIndex === "number"
      ? { type: "candidate", sessionId, candidate: { candidate, sdpMLineIndex } }
      : null;
  }
  return null;
}

function readList(entries: unknown): ListEntry[] {
  if (!Array.isArray(entries)) {
    return [];
  }
  return entries
    .filter(isRecord)
    .flatMap(({ id, meta }) => (isText(id) ? [{ id, meta: readMeta(meta) }] : []));
}

function readMeta(meta: unknown): Record<string, unknown> {
  return isRecord(meta) ? meta : {};
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}
