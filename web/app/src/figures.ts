/** What the browser's statistics (W3C webrtc-stats) say about a stream that is being played. */

/** Losses are those of the last this many samples. */
const WINDOW_SAMPLES = 10;

export interface Figures {
  codecs: string[];
  width: number;
  height: number;
  framesPerSecond: number | null;
  bitsPerSecond: number | null;
  roundTripMs: number | null;
  /** Lost packets, of all, lately; from 0 to 1. */
  lost: number | null;
  bytes: number;
  video: VideoCounts | null;
}

/** What came of the picture so far; null in figures as long as there is none. */
export interface VideoCounts {
  codec: string | null;
  bytes: number;
  framesDecoded: number;
}

interface Sample {
  at: number;
  bytes: number;
  received: number;
  lost: number;
  frames: number;
}

type Entry = Record<string, unknown> & { id: string; type: string };

/** Makes figures of one statistics report after the other. */
export class Meter {
  readonly #samples: Sample[] = [];

  take(report: Iterable<readonly [string, unknown]>, atMs: number): Figures {
    const entries = new Map([...report] as [string, Entry][]);
    const all = [...entries.values()];
    const inbound = all.filter(({ type }) => type === "inbound-rtp");
    const video = inbound.find(({ kind }) => kind === "video");
    const sum = (field: string) => inbound.reduce((total, entry) => total + number(entry[field]), 0);
    const now: Sample = {
      at: atMs,
      bytes: inbound.reduce((total, entry) => total + newBytes(entry), 0),
      received: sum("packetsReceived"),
      lost: sum("packetsLost"),
      frames: number(video?.["framesDecoded"]),
    };
    const before = this.#samples.at(-1);
    const first = this.#samples[0];
    this.#samples.push(now);
    if (this.#samples.length > WINDOW_SAMPLES) {
      this.#samples.shift();
    }
    const seconds = before ? (now.at - before.at) / 1000 : 0;
    const rate = (field: "bytes" | "frames") =>
      before && seconds > 0 ? Math.max(0, now[field] - before[field]) / seconds : null;
    const bytesPerSecond = rate("bytes");
    return {
      codecs: inbound.sort(byKind).flatMap((entry) => codecName(entries.get(String(entry["codecId"])))),
      width: number(video?.["frameWidth"]),
      height: number(video?.["frameHeight"]),
      framesPerSecond: video ? rate("frames") : null,
      bitsPerSecond: bytesPerSecond === null ? null : bytesPerSecond * 8,
      roundTripMs: roundTripMs(all),
      lost: first ? lostShare(first, now) : null,
      bytes: now.bytes,
      video: video
        ? {
            codec: codecName(entries.get(String(video["codecId"])))[0] ?? null,
            bytes: newBytes(video),
            framesDecoded: now.frames,
          }
        : null,
    };
  }
}

/**
 * What arrived for the first time: a sender that has nothing new tries the path with what it sent before. Not every browser
 * counts that apart.
 */
function newBytes(entry: Entry): number {
  return number(entry["bytesReceived"]) - number(entry["retransmittedBytesReceived"]);
}

/** Figures as words, in the order in which they are shown; those that are not known are left out. */
export function figureTexts(figures: Figures): [term: string, text: string][] {
  const { codecs, width, height, framesPerSecond, bitsPerSecond, roundTripMs: roundTrip, lost } = figures;
  const known: [string, string | null][] = [
    ["Codec", codecs.join(", ") || null],
    ["Size", width > 0 ? `${width} × ${height}` : null],
    ["Frame rate", framesPerSecond === null ? null : `${Math.round(framesPerSecond)} fps`],
    ["Bitrate", bitsPerSecond === null ? null : bitrateText(bitsPerSecond)],
    ["Round trip", roundTrip === null ? null : roundTrip < 1 ? "under 1 ms" : `${Math.round(roundTrip)} ms`],
    ["Lost", lost === null ? null : `${(lost * 100).toFixed(1)} %`],
  ];
  return known.flatMap(([term, text]) => (text === null ? [] : [[term, text] as [string, string]]));
}

function bitrateText(bitsPerSecond: number): string {
  return bitsPerSecond < 999_500
    ? `${Math.round(bitsPerSecond / 1000)} kbit/s`
    : `${(bitsPerSecond / 1_000_000).toFixed(1)} Mbit/s`;
}

function lostShare(first: Sample, now: Sample): number | null {
  const lost = Math.max(0, now.lost - first.lost);
  const all = lost + now.received - first.received;
  return all > 0 ? lost / all : null;
}

function roundTripMs(all: Entry[]): number | null {
  const chosen = all.find(({ type }) => type === "transport")?.["selectedCandidatePairId"];
  const pairs = all.filter(({ type }) => type === "candidate-pair");
  // Firefox has no transport entries but marks the pair.
  const pair =
    pairs.find(({ id }) => id === chosen) ?? pairs.find(({ selected, nominated }) => selected === true || nominated === true);
  const seconds = pair?.["currentRoundTripTime"];
  return typeof seconds === "number" ? seconds * 1000 : null;
}

function codecName(codec: Entry | undefined): string[] {
  const mimeType = codec?.["mimeType"];
  return typeof mimeType === "string" ? [mimeType.replace(/^.*\//, "").replace("opus", "Opus")] : [];
}

function byKind(one: Entry, other: Entry): number {
  return String(other["kind"]).localeCompare(String(one["kind"]));
}

function number(value: unknown): number {
  return typeof value === "number" ? value : 0;
}
