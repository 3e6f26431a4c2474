import { describe, expect, it } from "vitest";
import { clip, isAskedFor, metaText, peerName } from "../src/peer-name.js";

function named(name: unknown) {
  return peerName({ id: "0123456789", meta: { name } });
}

describe("a name", () => {
  it("is what the peer calls itself", () => {
    expect(named("Front door")).toBe("Front door");
    expect(named("קדמי 🐎👩🏽‍🚒")).toBe("קדמי 🐎👩🏽‍🚒");
    expect(peerName({ id: "1", meta: { "display-name": "Shown" } })).toBe("Shown");
  });

  it.each([undefined, null, 7, "", " \n ", "\u202e\u0000", ["x"]])("is made up for %j", (name) => {
    expect(named(name)).toBe("Unnamed 01234567");
  });

  it("is one short line that leaves the text around it alone", () => {
    expect(named(" a\n\tb \u202ec\u2066\u200fd ")).toBe("a b c d");
    expect([...named("🐎".repeat(1_000))].length).toBe(80);
  });
});

it("a link asks by name or by id", () => {
  const peer = { id: "id", meta: { name: "n" } };
  expect([isAskedFor(peer, "n"), isAskedFor(peer, "id"), isAskedFor(peer, ""), isAskedFor(peer, "x")]).toEqual([
    true,
    true,
    false,
    false,
  ]);
});

it("meta is shown in part when it is long", () => {
  expect(metaText({ id: "1", meta: { a: 1 } })).toBe('{\n  "a": 1\n}');
  expect(metaText({ id: "1", meta: { a: "x".repeat(100_000) } }).length).toBe(2_000);
  expect(clip("abc", 3)).toBe("abc");
  expect(clip("abcd", 3)).toBe("ab…");
});
