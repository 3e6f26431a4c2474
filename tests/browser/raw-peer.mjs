import { once } from "node:events";
import WebSocket from "ws";
import { Hearing } from "./hearing.mjs";

/**
 * A peer that speaks the JSON protocol itself, for what a page cannot be with the API: a passive consumer, or a
 * listener without a page.
 */
export class RawPeer {
  #hearing;
  #socket;

  /**
   * @param {string} who
   * @param {WebSocket} socket
   */
  constructor(who, socket) {
    this.#hearing = new Hearing(who);
    this.#socket = socket;
    socket.on("message", (data) => {
      const message = JSON.parse(String(data));
      this.#hearing.add(message.type, message);
    });
    socket.on("error", (error) => this.#hearing.add("socket error", error.message));
  }

  /**
   * Connects and registers as a passive consumer.
   *
   * @param {string} url
   * @param {unknown} meta
   * @returns {Promise<{ peer: RawPeer, id: string }>}
   */
  static consumer(url, meta) {
    return RawPeer.#connect(url, "raw consumer", { roles: ["consumer"], meta });
  }

  /**
   * Connects and registers as a listener; when this returns it is one.
   *
   * @param {string} url
   * @returns {Promise<{ peer: RawPeer, id: string }>}
   */
  static async listener(url) {
    const { peer, id } = await RawPeer.#connect(url, "raw listener", { roles: ["listener"] });
    // The server answers in order, so it has dealt with the registration by then.
    peer.send({ type: "list" });
    await peer.until("list");
    return { peer, id };
  }

  /**
   * @param {string} url
   * @param {string} who
   * @param {{ roles: string[], meta?: unknown }} status
   */
  static async #connect(url, who, status) {
    const socket = new WebSocket(url);
    const peer = new RawPeer(who, socket);
    await once(socket, "open");
    const { peerId: id } = await peer.until("welcome");
    peer.send({ type: "setPeerStatus", ...status });
    return { peer, id };
  }

  /** @param {unknown} message */
  send(message) {
    this.#socket.send(JSON.stringify(message));
  }

  /**
   * @param {string} type
   * @param {(message: any) => boolean} [matches]
   * @returns {Promise<any>}
   */
  until(type, matches) {
    return this.#hearing.until(type, matches);
  }

  /** @returns {string} for a failure message */
  story() {
    return this.#hearing.story();
  }

  /** Drops the connection without a close frame. */
  close() {
    this.#socket.terminate();
  }
}
