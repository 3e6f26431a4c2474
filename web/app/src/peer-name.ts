import type { Peer } from "wigwag";

const MAX_NAME_CHARS = 80;
const MAX_META_CHARS = 2_000;

/** A short name to show and to link to: what a peer calls itself, without what could disturb the text around it. */
export function peerName({ id, meta }: Peer): string {
  const name = cleaned(meta["name"]) || cleaned(meta["display-name"]);
  return name || `Unnamed ${[...id].slice(0, 8).join("")}`;
}

/** Whether a link asks for this peer. */
export function isAskedFor(peer: Peer, asked: string): boolean {
  return asked !== "" && (peer.id === asked || peerName(peer) === asked);
}

/** What a peer tells of itself, as text. */
export function metaText({ meta }: Peer): string {
  return clip(JSON.stringify(meta, null, 2), MAX_META_CHARS);
}

export function clip(text: string, limit: number): string {
  // Cut before it is split: the text may be long.
  const characters = [...text.slice(0, 2 * limit + 2)];
  return characters.length > limit ? `${characters.slice(0, limit - 1).join("")}…` : text;
}

function cleaned(name: unknown): string {
  if (typeof name !== "string") {
    return "";
  }
  // Control characters, and those that turn the direction of the text around them (UAX #9).
  const visible = name.slice(0, 10 * MAX_NAME_CHARS).replace(/[\p{Cc}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029\ufeff]/gu, " ");
  return clip(visible.replace(/\s+/g, " ").trim(), MAX_NAME_CHARS);
}
