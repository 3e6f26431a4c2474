import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";

const OUTPUT_TAIL_CHARS = 3_000;

/** The program with webrtcsink and webrtcsrc as published, while it runs. */
export class PublishedElements {
  #child;
  #exited;
  #output = "";

  /** @param {string[]} args */
  constructor(args) {
    const program = process.env["WIGWAG_PEER_GST_WEBRTC"];
    assert(program, "WIGWAG_PEER_GST_WEBRTC does not name the peer; run `cargo xtask test`");
    // It runs until its standard input closes, and so never longer than the test.
    const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"] });
    this.#child = child;
    this.#exited = once(child, "exit");
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (/** @type {string} */ text) => {
        this.#output = (this.#output + text).slice(-OUTPUT_TAIL_CHARS);
      });
    }
  }

  /** @returns {Promise<number | null>} with what it ended */
  async ended() {
    const [code] = await this.#exited;
    return code;
  }

  /** @returns {Promise<void>} */
  async stop() {
    this.#child.kill("SIGKILL");
    await this.#exited;
  }

  story() {
    return `the published elements' output ends with:\n${this.#output}`;
  }
}
