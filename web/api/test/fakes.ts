import { afterEach, beforeEach, vi } from "vitest";

/** Stands in for the browser's socket; a test plays the server at its other end. */
export class FakeWebSocket extends EventTarget {
  static readonly OPEN = 1;
  static all: FakeWebSocket[] = [];
  readonly sent: Record<string, unknown>[] = [];
  readyState = 0;
  bufferedAmount = 0;
  closedWith: number | null | undefined;

  readonly url: string;

  constructor(url: string) {
    super();
    this.url = url;
    FakeWebSocket.all.push(this);
  }

  static get last(): FakeWebSocket {
    const socket = FakeWebSocket.all.at(-1);
    if (!socket) {
      throw new Error("nobody has opened a socket");
    }
    return socket;
  }

  send(text: string): void {
    this.sent.push(JSON.parse(text) as Record<string, unknown>);
  }

  close(code: number | null = null): void {
    this.closedWith = code;
  }

  open(): void {
    this.readyState = FakeWebSocket.OPEN;
    this.dispatchEvent(new Event("open"));
  }

  say(message: unknown): void {
    const data = typeof message === "string" ? message : JSON.stringify(message);
    this.dispatchEvent(new MessageEvent("message", { data }));
  }

  drop(): void {
    this.readyState = 3;
    this.dispatchEvent(new Event("close"));
  }

  /** What was sent since the last call. */
  taken(): Record<string, unknown>[] {
    return this.sent.splice(0);
  }
}

export class FakeTrack {
  stopped = false;
  readonly kind: string;
  constructor(kind: string) {
    this.kind = kind;
  }
  stop(): void {
    this.stopped = true;
  }
}

export class FakeMediaStream extends EventTarget {
  readonly tracks: FakeTrack[];
  constructor(kinds: string[] = []) {
    super();
    this.tracks = kinds.map((kind) => new FakeTrack(kind));
  }
  getTracks(): FakeTrack[] {
    return this.tracks;
  }
  addTrack(track: FakeTrack): void {
    this.tracks.push(track);
  }
}

/** Stands in for the browser's peer connection: notes what is done with it, and fails where told to. */
export class FakePeerConnection extends EventTarget {
  static all: FakePeerConnection[] = [];
  static offer = "my offer";
  static answer = "my answer";
  readonly done: string[] = [];
  connectionState = "new";
  localDescription: { type: string; sdp: string } | null = null;
  failAt = "";
  readonly configuration: RTCConfiguration;

  constructor(configuration: RTCConfiguration) {
    super();
    this.configuration = configuration;
    FakePeerConnection.all.push(this);
  }

  static get last(): FakePeerConnection {
    const connection = FakePeerConnection.all.at(-1);
    if (!connection) {
      throw new Error("nobody has made a peer connection");
    }
    return connection;
  }

  createOffer = (options?: object) => this.#do("createOffer", JSON.stringify(options), { type: "offer", sdp: FakePeerConnection.offer });
  createAnswer = () => this.#do("createAnswer", "", { type: "answer", sdp: FakePeerConnection.answer });
  setRemoteDescription = ({ type, sdp }: { type: string; sdp: string }) =>
    this.#do("setRemoteDescription", `${type} ${sdp}`, undefined);
  addIceCandidate = ({ candidate }: { candidate: string }) => this.#do("addIceCandidate", candidate, undefined);

  setLocalDescription = (description: { type: string; sdp: string }) => {
    this.localDescription = description;
    return this.#do("setLocalDescription", description.type, undefined);
  };

  addTrack({ kind }: { kind: string }): void {
    this.done.push(`addTrack ${kind}`);
  }

  addTransceiver(kind: string, { direction }: { direction: string }): void {
    this.done.push(`addTransceiver ${kind} ${direction}`);
  }

  close(): void {
    this.done.push("close");
    this.connectionState = "closed";
  }

  become(state: string): void {
    this.connectionState = state;
    this.dispatchEvent(new Event("connectionstatechange"));
  }

  gather(candidate: string, sdpMLineIndex = 0): void {
    this.dispatchEvent(Object.assign(new Event("icecandidate"), { candidate: { candidate, sdpMLineIndex } }));
  }

  track(kind: string, streams: FakeMediaStream[]): void {
    this.dispatchEvent(Object.assign(new Event("track"), { track: new FakeTrack(kind), streams }));
  }

  #do<T>(what: string, detail: string, result: T): Promise<T> {
    this.done.push(detail ? `${what} ${detail}` : what);
    return this.failAt === what ? Promise.reject(new Error("it cannot")) : Promise.resolve(result);
  }
}

class FakeErrorEvent extends Event {
  readonly message: string;
  readonly error: unknown;
  constructor(type: string, { message, error }: { message: string; error: unknown }) {
    super(type);
    this.message = message;
    this.error = error;
  }
}

/** Puts the fakes and a clock that a test turns in the place of the browser's. */
export function useFakeBrowser(): void {
  beforeEach(() => {
    FakeWebSocket.all = [];
    FakePeerConnection.all = [];
    FakePeerConnection.offer = "my offer";
    FakePeerConnection.answer = "my answer";
    vi.useFakeTimers();
    vi.spyOn(Math, "random").mockReturnValue(0);
    vi.stubGlobal("WebSocket", FakeWebSocket);
    vi.stubGlobal("RTCPeerConnection", FakePeerConnection);
    vi.stubGlobal("MediaStream", FakeMediaStream);
    vi.stubGlobal("ErrorEvent", FakeErrorEvent);
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
    vi.restoreAllMocks();
  });
}

/** Lets everything happen that waits for nothing but its turn. */
export async function settle(): Promise<void> {
  await vi.advanceTimersByTimeAsync(0);
}
