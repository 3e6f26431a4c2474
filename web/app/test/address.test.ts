import { describe, expect, it } from "vitest";
import { latencyAskedFor, linkTo, producerAskedFor, senderAddress, signallingAddress, unexpectedHost } from "../src/address.js";

const PLAIN = { protocol: "http:", host: "host:8443", hostname: "host", pathname: "/", search: "" };
const SECURE = { ...PLAIN, protocol: "https:" };

describe("the signalling address", () => {
  it("is the page's own host and port", () => {
    expect(signallingAddress(PLAIN, "")).toBe("ws://host:8443/");
    expect(signallingAddress(SECURE, "")).toBe("wss://host:8443/");
  });

  it("is below the folder that a proxy put in front of the page", () => {
    expect(signallingAddress({ ...SECURE, pathname: "/cam/" }, "")).toBe("wss://host:8443/cam/");
    expect(signallingAddress({ ...PLAIN, pathname: "/a/b/index.html" }, "")).toBe("ws://host:8443/a/b/");
  });

  it.each([
    [":9000", "ws://host:9000"],
    ["ws://:9000", "ws://host:9000"],
    ["wss://:9000/path", "wss://host:9000/path"],
    [" wss://else.where:1/ ", "wss://else.where:1/"],
  ])("is what the page was told: %s", (told, address) => {
    expect(signallingAddress(PLAIN, told)).toBe(address);
    const search = `?${new URLSearchParams({ signalling: told })}`;
    expect(signallingAddress({ ...PLAIN, search }, "ws://not.this")).toBe(address);
  });

  it("keeps the brackets of an IPv6 host", () => {
    expect(signallingAddress({ ...PLAIN, hostname: "[::1]" }, ":9000")).toBe("ws://[::1]:9000");
  });

  it("is shown to senders without what need not be typed", () => {
    expect(senderAddress("ws://host:8443/")).toBe("ws://host:8443");
    expect(senderAddress("wss://host:8443/path?a=b")).toBe("wss://host:8443/path?a=b");
    expect(senderAddress("nonsense")).toBe("nonsense");
  });
});

describe("a signalling server that only a link names", () => {
  const unexpected = (signalling: string, page = PLAIN, listed = "") =>
    unexpectedHost({ ...page, search: `?${new URLSearchParams({ signalling })}` }, "wss://linked.example", listed);

  it("is none that the page has by itself, or on its own host", () => {
    expect(unexpectedHost(PLAIN, "wss://linked.example", "")).toBe("");
    for (const own of ["", ":9000", "ws://:9000", "ws://host:9000", "wss://host/path", "ws://HOST"]) {
      expect(unexpected(own), own).toBe("");
    }
    const local = { ...PLAIN, host: "localhost:8443", hostname: "localhost" };
    expect(unexpected("ws://127.0.0.1:9000", local)).toBe("");
    expect(unexpected("ws://[::1]:9000", local)).toBe("");
  });

  it("is none that the operator lists", () => {
    const listed = "Cams.example *.home.example";
    expect(unexpected("wss://cams.example:1", PLAIN, listed)).toBe("");
    expect(unexpected("wss://a.home.example", PLAIN, listed)).toBe("");
    for (const other of ["home.example", "xcams.example", "cams.example.evil.example", "ahome.example"]) {
      expect(unexpected(`wss://${other}`, PLAIN, listed)).toBe(other);
    }
  });

  it("is named with its port", () => {
    expect(unexpected("wss://else.where:1/path")).toBe("else.where:1");
    expect(unexpected("ws://host@else.where/")).toBe("else.where");
    expect(unexpected("ws://127.0.0.1:9000")).toBe("127.0.0.1:9000");
  });

  it("is none where an address has no host at all", () => {
    expect(unexpected("nonsense:")).toBe("");
    expect(unexpected("not an address")).toBe("");
  });
});

describe("the latency", () => {
  it.each([
    ["", "low"],
    ["?latency=smooth", "smooth"],
    ["?signalling=x&latency=smooth", "smooth"],
    ["?latency=low", "low"],
    ["?latency=nonsense", "low"],
  ])("of the query %j is %s", (search, latency) => {
    expect(latencyAskedFor(search)).toBe(latency);
  });
});

describe("a link to a producer", () => {
  it.each(["Front door", "a&b=c#d%", "שלום", "<b>"])("carries %s there and back", (name) => {
    const link = new URL(linkTo(name, "http://host/?signalling=x#producer=old"));
    expect(producerAskedFor(link.hash)).toBe(name);
    expect(link.search).toBe("?signalling=x");
  });

  it("asks for nobody when there is none", () => {
    expect(producerAskedFor("")).toBe("");
    expect(producerAskedFor("#elsewhere")).toBe("");
  });
});
