import { BackOff } from "./back-off.js";
import type { ClientMessage } from "./protocol.js";

/** The longest wait between two attempts to connect, unless the first is to be longer. */
export const LONGEST_WAIT_MS = 10_000;
/** A server that takes less than this much of what is sent to it counts as lost. */
export const MAX_UNSENT_BYTES = 4 * 1024 * 1024;

/** Normal closure (RFC 6455, 7.4.1). */
const NORMAL_CLOSURE = 1000;

export interface ConnectionHandlers {
  opened(): void;
  received(text: string): void;
  /** Also after an attempt that failed. */
  lost(): void;
}

/** A WebSocket that comes back. */
export class Connection {
  readonly #url: string;
  readonly #handlers: ConnectionHandlers;
  readonly #backOff: BackOff | null;
  #socket: WebSocket | null = null;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  /**
   * Connects at once.
   *
   * @param firstWaitMs the longest first wait before it connects again; 0 or less if it is not to
   * @throws SyntaxError or SecurityError, as `new WebSocket` does, if the address can never work
   */
  constructor(url: string, firstWaitMs: number, handlers: ConnectionHandlers) {
    this.#url = url;
    this.#handlers = handlers;
    this.#backOff = firstWaitMs > 0 ? new BackOff(firstWaitMs, LONGEST_WAIT_MS) : null;
    this.#connect();
  }

  send(message: ClientMessage): boolean {
    const socket = this.#socket;
    if (socket?.readyState !== WebSocket.OPEN) {
      return false;
    }
    if (socket.bufferedAmount > MAX_UNSENT_BYTES) {
      socket.close();
      return false;
    }
    socket.send(JSON.stringify(message));
    return true;
  }

  /** Closes for good. `lost` is not called for that. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#retry);
    this.#socket?.close(NORMAL_CLOSURE);
    this.#socket = null;
  }

  #connect(): void {
    const socket = new WebSocket(this.#url);
    const started = Date.now();
    this.#socket = socket;
    const isCurrent = () => this.#socket === socket;
    socket.addEventListener("open", () => {
      if (isCurrent()) {
        this.#handlers.opened();
      }
    });
    socket.addEventListener("message", ({ data }: MessageEvent<unknown>) => {
      if (isCurrent() && typeof data === "string") {
        this.#handlers.received(data);
      }
    });
    socket.addEventListener("close", () => {
      if (isCurrent()) {
        this.#socket = null;
        this.#backOff?.connectionEnded(Date.now() - started);
        this.#handlers.lost();
        this.#retryLater();
      }
    });
  }

  #retryLater(): void {
    // A handler may have closed it.
    if (this.#backOff && !this.#closed) {
      this.#retry = setTimeout(() => this.#connect(), this.#backOff.wait(Math.random()));
    }
  }
}
