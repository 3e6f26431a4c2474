/** What the page's own address says: where the signalling server is, what is to be watched, and how. */

import type { Latency } from "wigwag";

export interface PageAddress {
  protocol: string;
  host: string;
  hostname: string;
  pathname: string;
  search: string;
}

/**
 * The address of the signalling server: from the query `signalling`, else from the page's meta element, else the
 * page's own host, port and folder, which a proxy may have put in front. One without a host (`ws://:8443`, `:8443`) means the host that the page came from.
 */
export function signallingAddress(page: PageAddress, fromMeta: string): string {
  const scheme = page.protocol === "https:" ? "wss:" : "ws:";
  const given = (new URLSearchParams(page.search).get("signalling") ?? fromMeta).trim();
  if (given === "") {
    return `${scheme}//${page.host}${page.pathname.replace(/[^/]*$/, "")}`;
  }
  const hostless = /^(?:(wss?:)\/\/)?(:\d+.*)$/.exec(given);
  return hostless ? `${hostless[1] ?? scheme}//${page.hostname}${hostless[2]}` : given;
}

/** The producer, by name or id, that the fragment of an address asks for; empty if none. */
export function producerAskedFor(fragment: string): string {
  return new URLSearchParams(fragment.replace(/^#/, "")).get("producer") ?? "";
}

/** How live streams are to be played: `smooth` if the query `latency` says so, else `low`. */
export function latencyAskedFor(search: string): Latency {
  return new URLSearchParams(search).get("latency") === "smooth" ? "smooth" : "low";
}

/** The address of this page with a producer to watch. */
export function linkTo(producer: string, page: string): string {
  const url = new URL(page);
  url.hash = `producer=${encodeURIComponent(producer)}`;
  return url.href;
}

/** The address that a sender is to be given, without what a person need not type. */
export function senderAddress(signalling: string): string {
  try {
    const { protocol, host, pathname, search } = new URL(signalling);
    return `${protocol}//${host}${pathname === "/" ? "" : pathname}${search}`;
  } catch {
    return signalling;
  }
}
