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

/**
 * The host and port of a signalling server that only the query of the page's own address names, so that the author of a
 * link has chosen it: neither the page's host, at any port, nor one of those that the operator lists (names, or
 * `*.name` for all below one). Empty if there is none.
 */
export function unexpectedHost(page: PageAddress, fromMeta: string, listed: string): string {
  const given = new URLSearchParams(page.search).get("signalling") ?? "";
  const address = given.trim() === "" ? null : parsed(signallingAddress(page, fromMeta));
  if (address === null || address.hostname === "") {
    return "";
  }
  const { hostname } = address;
  const isListed = listed.split(/\s+/).some((host) => matches(host.toLowerCase(), hostname));
  const isOwn = hostname === page.hostname || (isLoopback(hostname) && isLoopback(page.hostname));
  return isOwn || isListed ? "" : address.host;
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

function parsed(address: string): URL | null {
  try {
    return new URL(address);
  } catch {
    return null;
  }
}

function matches(listed: string, hostname: string): boolean {
  return listed.startsWith("*.") ? hostname.endsWith(listed.slice(1)) : listed !== "" && listed === hostname;
}

function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127(\.\d+){3}$/.test(hostname);
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
