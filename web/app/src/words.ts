/** States and errors, in words. */
import type { Refusal } from "wigwag";
import { clip } from "./peer-name.js";

const MAX_REASON_CHARS = 300;

/** Why a stream could not be played or stopped. */
export function playError(message: string): string {
  if (/not found/i.test(message)) {
    return "The sender is gone: start it again, or play another stream.";
  }
  if (message === "no media connection came about in time") {
    return "The sender did not answer, or no network path to it was found: check that it runs, and let UDP through firewalls.";
  }
  if (message === "the media connection failed") {
    return "The connection to the sender broke: check its network and yours.";
  }
  if (message === "there is no connection to the signalling server") {
    return "There is no connection to the server: check that it runs, and that this device reaches it.";
  }
  if (/as many viewers as may be/i.test(message)) {
    return "The sender has as many viewers as it takes: close one, or raise its limit.";
  }
  if (/too many others connect/i.test(message)) {
    return "Many others come to the sender at this moment: play the stream again.";
  }
  if (/this peer has \d+ sessions/i.test(message)) {
    return "This page plays the stream as often as it may: stop one of its players.";
  }
  if (/address or network at once|from its address/i.test(message)) {
    return "Too many streams are played or called from this network: stop some, or play again later.";
  }
  if (/the server is full/i.test(message)) {
    return "The server has as many sessions as it takes: play the stream again later, or raise its limit.";
  }
  if (/as many codecs as may be/i.test(message)) {
    return "The sender encodes as many codecs as it may, and this browser takes none of them: try another one, or raise its limit.";
  }
  if (/no common codec/i.test(message)) {
    return "This browser takes no codec of the sender: try another browser, or let the sender encode VP8.";
  }
  return `The sender ended the stream (${clip(message, MAX_REASON_CHARS)}): its log may say more.`;
}

const MAX_CODEC_CHARS = 40;

/** What this browser does not take of a stream; empty if it takes all. */
export function refusalText(refusals: readonly Refusal[]): string {
  const sentences = refusals.map(({ kind, codecs }) => {
    const names = codecs.map(codecName).join(", ") || "an unknown codec";
    return kind === "video"
      ? `This browser cannot show the picture, which comes as ${names}: try another one, or let the sender transcode.`
      : `This browser cannot play the sound, which comes as ${names}: try another one, or let the sender send Opus.`;
  });
  return [...new Set(sentences)].join(" ");
}

const MAX_CAVEAT_CHARS = 200;

/** What a sender says of a picture that this browser may show wrong; empty if it says nothing. */
export function caveatText(caveat: string): string {
  return caveat && `Not every browser shows this picture right, for ${clip(caveat, MAX_CAVEAT_CHARS)}.`;
}

/** As people write it. */
function codecName(name: string): string {
  switch (name.toLowerCase()) {
    case "h264":
      return "H.264";
    case "h265":
      return "H.265";
    case "opus":
      return "Opus";
    case "pcmu":
    case "pcma":
      return "G.711";
    default:
      return clip(name, MAX_CODEC_CHARS);
  }
}

/** Why there is nothing to send. */
export function captureError(error: unknown, what: string): string {
  const name = error instanceof Error ? error.name : "";
  switch (name) {
    case "NotAllowedError":
      return `The browser was not allowed to use ${what}. Allow it in the address bar, then try again.`;
    case "NotFoundError":
    case "OverconstrainedError":
      return `This device has no ${what.replace(/^the /, "")} that the browser can use.`;
    case "NotReadableError":
    case "AbortError":
      return `The browser could not read ${what}. Another program may be using it.`;
    default:
      return `The browser could not use ${what}: ${clip(error instanceof Error ? error.message : String(error), MAX_REASON_CHARS)}`;
  }
}

export const INSECURE_PAGE =
  "Browsers give camera, microphone and screen only to pages that come by https or from localhost. " +
  "Start the server with --cert and --key, and open this page by https.";

export function viewers(count: number): string {
  return count === 0 ? "nobody is watching yet" : count === 1 ? "1 viewer" : `${count} viewers`;
}

/** That another peer has the name of the one that was watched: that one under a new id, or another one. */
export function senderChangedText(at: Date): string {
  const time = at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  return `Sender changed at ${time}: the same one has come back, or another one uses its name.`;
}
