import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import readline from "node:readline";
import { RawPeer } from "./raw-peer.mjs";

const OUTPUT_TAIL_LINES = 60;

/** A `webrtcsink` of ours whose pads come and go. */
export class ChangingSink {
  #child;
  /** @type {string[]} */
  #output = [];
  #ended = "";

  /**
   * @param {string} signallingUrl
   * @param {string} name
   * @param {string[]} kinds
   */
  constructor(signallingUrl, name, kinds) {
    const program = process.env["WIGWAG_CHANGING_PADS"];
    assert(program, "WIGWAG_CHANGING_PADS does not name the program; run `cargo xtask test`");
    const child = spawn(program, [signallingUrl, name, ...kinds], {
      stdio: ["pipe", "pipe", "pipe"],
      env: {
        ...process.env,
        GST_DEBUG: "webrtcsink:4,webrtc-signaller:4",
        GST_DEBUG_NO_COLOR: "1",
        WIGWAG_ADDRESSES: "127.0.0.1",
      },
    });
    this.#child = child;
    child.once("error", (error) => (this.#ended = error.message));
    child.once("exit", (code, signal) => (this.#ended = `ended with ${signal ?? code}`));
    for (const stream of [child.stdout, child.stderr]) {
      readline.createInterface({ input: stream }).on("line", (line) => {
        this.#output = [...this.#output, line].slice(-OUTPUT_TAIL_LINES);
      });
    }
    process.once("exit", this.#kill);
  }

  /**
   * Starts it with a pad of each kind and waits until the server lists it.
   *
   * @param {string} signallingUrl
   * @param {string[]} kinds
   * @returns {Promise<{ sink: ChangingSink, id: string }>}
   */
  static async start(signallingUrl, kinds) {
    const { peer: listener } = await RawPeer.listener(signallingUrl);
    const name = `sink-${randomUUID()}`;
    const sink = new ChangingSink(signallingUrl, name, kinds);
    try {
      const status = await listener.until(
        "peerStatusChanged",
        (peer) => peer.roles.includes("producer") && peer.meta?.name === name,
      );
      return { sink, id: status.peerId };
    } catch (error) {
      await sink.stop();
      throw new Error(sink.story(), { cause: error });
    } finally {
      listener.close();
    }
  }

  /** @param {"video" | "audio"} kind */
  add(kind) {
    this.#child.stdin.write(`add ${kind}\n`);
  }

  /** @param {string} pad */
  remove(pad) {
    this.#child.stdin.write(`remove ${pad}\n`);
  }

  #kill = () => {
    this.#child.kill("SIGKILL");
  };

  /** Fails if the pipeline has ended. */
  assertRunning() {
    assert.equal(this.#ended, "", "the sink's pipeline has ended");
  }

  async stop() {
    process.off("exit", this.#kill);
    if (this.#child.pid !== undefined && this.#ended === "") {
      const exited = once(this.#child, "exit");
      this.#kill();
      await exited;
    }
  }

  /** @returns {string} what may explain a failure */
  story() {
    return [`the sink ${this.#ended || "runs"}; its output ends with:`, ...this.#output].join("\n");
  }
}
