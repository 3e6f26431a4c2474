import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { GstWebRTCAPI, Peer, PeerListener } from "wigwag";
import { Streams } from "../src/streams.js";
import type { Stream } from "../src/stream.js";

class FakeSession extends EventTarget {
  streams = [];
  /** Of sound. */
  bytes = 0;
  /** None if there is no picture. */
  video: { bytes: number; frames: number } | null = null;
  isClosed = false;
  mungeStereoHack = false;
  readonly rtcPeerConnection = {
    connectionState: "connected",
    remoteDescription: { sdp: "v=0\r\n" },
    getStats: () => {
      const inbound = (id: string, kind: string, more: object) => [id, { id, type: "inbound-rtp", kind, ...more }] as const;
      const entries = [inbound("a", "audio", { bytesReceived: this.bytes })];
      if (this.video) {
        const { bytes: bytesReceived, frames: framesDecoded } = this.video;
        entries.push(inbound("v", "video", { bytesReceived, framesDecoded, codecId: "c" }));
      }
      return Promise.resolve(new Map<string, object>([...entries, ["c", { id: "c", type: "codec", mimeType: "video/H264" }]]));
    },
  };
  readonly peerId: string;
  constructor(peerId: string) {
    super();
    this.peerId = peerId;
  }
  connect() {
    return true;
  }
  close() {
    this.isClosed = true;
  }
  end(message?: string) {
    if (message !== undefined) {
      this.dispatchEvent(Object.assign(new Event("error"), { message }));
    }
    this.dispatchEvent(new Event("closed"));
  }
}

/** The list, the API behind it, and the sessions that were made. */
function stage() {
  const sessions: FakeSession[] = [];
  let hear: Required<Pick<PeerListener, "producerAdded" | "producerRemoved" | "producerChanged">> | undefined;
  const api = {
    registerPeerListener: (listener: never) => (hear = listener),
    createConsumerSession: (id: string) => {
      const session = new FakeSession(id);
      sessions.push(session);
      return session;
    },
  };
  const all: Stream[] = [];
  const streams = new Streams(api as unknown as GstWebRTCAPI, {
    added: (stream) => all.push(stream),
    removed: (stream) => all.splice(all.indexOf(stream), 1),
    changed: () => {},
  });
  if (!hear) {
    throw new Error("nobody listens");
  }
  return { sessions, streams, all, hear };
}

function peer(id: string, name = "cam"): Peer {
  return { id, meta: { name } };
}

/** Media flows for some seconds. */
async function flow(session: FakeSession | undefined, seconds = 1) {
  for (let second = 0; second < seconds && session; second += 1) {
    session.bytes += 1_000;
    await vi.advanceTimersByTimeAsync(1_000);
  }
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("window", globalThis);
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe("a stream", () => {
  it("comes and goes with its producer when nobody watches it", () => {
    const { all, hear } = stage();
    hear.producerAdded(peer("1"));
    hear.producerChanged(peer("1", "renamed"));
    expect(all.map(({ name }) => name)).toEqual(["renamed"]);
    hear.producerRemoved(peer("1"));
    expect(all).toEqual([]);
  });

  it("plays, stalls, and plays on", async () => {
    const { all, hear, sessions } = stage();
    hear.producerAdded(peer("1"));
    all[0]?.play();
    expect(all[0]?.state.name).toBe("connecting");
    await flow(sessions[0]);
    expect(all[0]?.state.name).toBe("playing");
    await vi.advanceTimersByTimeAsync(3_000);
    expect(all[0]?.state.name).toBe("stalled");
    await flow(sessions[0]);
    expect(all[0]?.state.name).toBe("playing");
    expect(sessions.length).toBe(1);
  });

  it("plays only while frames are shown, and says why none are", async () => {
    const { all, hear, sessions } = stage();
    hear.producerAdded(peer("1"));
    all[0]?.play();
    const session = sessions[0] as FakeSession;
    const picture = (session.video = { bytes: 0, frames: 0 });
    const second = async (bytes: number, frames: number) => {
      picture.bytes += bytes;
      picture.frames += frames;
      await flow(session);
    };
    await second(1_000, 0);
    expect(all[0]?.state.name).toBe("connecting");
    await second(1_000, 0);
    await second(1_000, 0);
    expect(all[0]?.state).toEqual({ name: "frameless", message: expect.stringMatching(/key frame.*H264/) as string });
    await second(1_000, 25);
    expect(all[0]?.state.name).toBe("playing");
    for (let seconds = 0; seconds < 3; seconds += 1) {
      await second(0, 0);
    }
    expect(all[0]?.state).toEqual({ name: "frameless", message: expect.stringMatching(/only its sound/) as string });
    for (let seconds = 0; seconds < 3; seconds += 1) {
      await second(1_000, 0);
    }
    expect(all[0]?.state).toEqual({ name: "frameless", message: expect.stringMatching(/stands still/) as string });
    await vi.advanceTimersByTimeAsync(3_000);
    expect(all[0]?.state.name).toBe("stalled");
    await second(1_000, 25);
    expect(all[0]?.state.name).toBe("playing");
  });

  it("says what it waits for where the source decides when key frames come", async () => {
    const { sessions, all, hear } = stage();
    hear.producerAdded(peer("a"));
    all[0]?.play();
    const [session] = sessions;
    if (!session) {
      throw new Error("there is no session");
    }
    session.rtcPeerConnection.remoteDescription.sdp = "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=x-wigwag-passed-through\r\n";
    await vi.advanceTimersByTimeAsync(10_000);
    expect(all[0]?.state).toEqual({ name: "frameless", message: expect.stringMatching(/camera's next key frame/) as string });
    session.video = { bytes: 1_000, frames: 1 };
    await flow(session);
    expect(all[0]?.state).toEqual({ name: "playing" });
  });

  it("that broke is tried again for ever, at most 15 s apart", async () => {
    const { all, hear, sessions } = stage();
    hear.producerAdded(peer("1"));
    all[0]?.play();
    await flow(sessions[0]);
    sessions[0]?.end("the media connection failed");
    expect(all[0]?.state).toEqual({ name: "retrying", message: expect.stringMatching(/^The connection to the sender broke: /) as string });
    const waits = [1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 15_000];
    for (const wait of waits) {
      await vi.advanceTimersByTimeAsync(wait);
      sessions.at(-1)?.end("the media connection failed");
    }
    expect(sessions.length).toBe(1 + waits.length);
    expect(all[0]?.state.name).toBe("retrying");
  });

  it("that a link asked for is tried again even if it never played", async () => {
    const { all, hear, sessions, streams } = stage();
    streams.ask("cam");
    hear.producerAdded(peer("1"));
    sessions[0]?.end("the sender has as many viewers as it may");
    expect(all[0]?.state.name).toBe("retrying");
    await vi.advanceTimersByTimeAsync(1_000);
    await flow(sessions[1]);
    expect(all[0]?.state.name).toBe("playing");
    if (all[0]) {
      streams.stop(all[0]);
    }
    expect(all[0]?.state.name).toBe("ready");
  });

  it("that comes in no codec of this browser is not tried again, by a link either", () => {
    const { all, hear, sessions, streams } = stage();
    streams.ask("cam");
    hear.producerAdded(peer("1"));
    sessions[0]?.end("no common codec");
    expect(all[0]?.state.name).toBe("failed");
  });

  it("that never played is not tried again", () => {
    const { all, hear, sessions } = stage();
    hear.producerAdded(peer("1"));
    all[0]?.play();
    sessions[0]?.end("no common codec");
    expect(all[0]?.state).toEqual({
      name: "failed",
      message: "This browser takes no codec of the sender: try another browser, or let the sender encode VP8.",
    });
  });

  it("waits for its producer, and takes the one of the same name for it", async () => {
    const { all, hear, sessions } = stage();
    hear.producerAdded(peer("1"));
    all[0]?.play();
    await flow(sessions[0]);
    sessions[0]?.end();
    hear.producerRemoved(peer("1"));
    expect(all[0]?.state.name).toBe("waiting");
    hear.producerAdded(peer("2", "another"));
    expect(all.length).toBe(2);
    hear.producerAdded(peer("3"));
    expect(all.length).toBe(2);
    expect(sessions.map(({ peerId }) => peerId)).toEqual(["1", "3"]);
    await flow(sessions[1]);
    expect(all[0]?.state.name).toBe("playing");
  });

  it("says when another peer has taken its name, until that was noticed", async () => {
    const { all, hear, sessions } = stage();
    hear.producerAdded(peer("1"));
    all[0]?.play();
    await flow(sessions[0]);
    hear.producerChanged(peer("1"));
    expect(all[0]?.senderChanged).toBe(null);
    hear.producerRemoved(peer("1"));
    hear.producerAdded(peer("2"));
    expect(all[0]?.senderChanged).toBeInstanceOf(Date);
    hear.producerChanged(peer("2"));
    await flow(sessions[1]);
    expect(all[0]?.senderChanged).toBeInstanceOf(Date);
    all[0]?.senderChangeNoticed();
    expect(all[0]?.senderChanged).toBe(null);
  });

  it("plays on while the server is away, and is asked for anew only if media stays away", async () => {
    const { all, hear, sessions } = stage();
    hear.producerAdded(peer("1"));
    all[0]?.play();
    await flow(sessions[0]);
    hear.producerRemoved(peer("1"));
    hear.producerAdded(peer("2"));
    await flow(sessions[0], 10);
    expect(sessions.length).toBe(1);
    await vi.advanceTimersByTimeAsync(7_000);
    expect(sessions.map(({ peerId, isClosed }) => [peerId, isClosed])).toEqual([
      ["1", true],
      ["2", false],
    ]);
  });

  it("is gone when it is stopped after its producer left", async () => {
    const { all, hear, sessions, streams } = stage();
    hear.producerAdded(peer("1"));
    const [stream] = all;
    stream?.play();
    await flow(sessions[0]);
    hear.producerRemoved(peer("1"));
    expect(all.length).toBe(1);
    if (stream) {
      streams.stop(stream);
    }
    expect(all).toEqual([]);
    expect(sessions[0]?.isClosed).toBe(true);
  });

  it("that a link asks for is played once it is there", () => {
    const { hear, sessions, streams } = stage();
    streams.ask("cam");
    expect(streams.awaited).toBe("cam");
    hear.producerAdded(peer("1", "other"));
    expect(sessions.length).toBe(0);
    hear.producerAdded(peer("2"));
    expect(sessions.map(({ peerId }) => peerId)).toEqual(["2"]);
    expect(streams.awaited).toBe("");
  });
});
