/** Media of an offer that this browser does not take. */
export interface Refusal {
  readonly kind: "audio" | "video";
  /** The codecs that were offered, as session descriptions name them: `H264`, `opus`. */
  readonly codecs: readonly string[];
}

/** Formats that only serve others. */
const AUXILIARY = new Set(["rtx", "red", "ulpfec", "flexfec-03", "telephone-event", "cn"]);

/** The media sections of an offer that its answer refuses (RFC 3264, section 6: by port 0). */
export function refusals(offer: string, answer: string): Refusal[] {
  const answered = sections(answer);
  return sections(offer).flatMap((section, place) => {
    const [kind] = section.split(" ", 1);
    const port = answered[place]?.split(" ", 2)[1];
    if ((kind !== "audio" && kind !== "video") || port !== "0") {
      return [];
    }
    const names = [...section.matchAll(/^a=rtpmap:\d+ ([^/\s]+)/gm)].map(([, name = ""]) => name);
    return [{ kind, codecs: [...new Set(names)].filter((name) => !AUXILIARY.has(name.toLowerCase())) }];
  });
}

/** Each from what stands behind `m=`. */
function sections(description: string): string[] {
  return description.split(/^m=/m).slice(1);
}
