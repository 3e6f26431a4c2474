import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import net from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { DEADLINE_MS } from "../browser/hearing.mjs";

const OUTPUT_CHARS = 20_000;

/** `gst-launch-1.0` with our plugin, while it runs. */
export class LaunchedPipeline {
  #child;
  #exited;
  #ended = "";
  #printed = "";
  #logged = "";

  /**
   * @param {string} pipeline as typed, in words without spaces
   * @param {Record<string, string>} [environment] more of it
   */
  constructor(pipeline, environment = {}) {
    const folder = process.env["WIGWAG_PLUGIN"];
    assert(folder, "WIGWAG_PLUGIN does not name the plugin's folder; run `cargo xtask test`");
    const child = spawn("gst-launch-1.0", pipeline.split(" ").filter(Boolean), {
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        ...process.env,
        GST_PLUGIN_PATH: folder,
        // A registry of its own neither disturbs the user's, nor trusts what that remembers.
        GST_REGISTRY: join(folder, "registry.bin"),
        GST_DEBUG: "webrtcsink:4,webrtc-signaller:4",
        GST_DEBUG_NO_COLOR: "1",
        WIGWAG_ADDRESSES: "127.0.0.1",
        ...environment,
      },
    });
    this.#child = child;
    this.#exited = once(child, "exit");
    child.once("error", (error) => (this.#ended = error.message));
    child.once("exit", (code, signal) => (this.#ended = `ended with ${signal ?? code}`));
    child.stdout.setEncoding("utf8").on("data", (/** @type {string} */ text) => {
      this.#printed = (this.#printed + text).slice(-OUTPUT_CHARS);
    });
    child.stderr.setEncoding("utf8").on("data", (/** @type {string} */ text) => {
      this.#logged = (this.#logged + text).slice(-OUTPUT_CHARS);
    });
    process.once("exit", this.#kill);
  }

  #kill = () => {
    this.#child.kill("SIGKILL");
  };

  /**
   * Waits until something is printed, as opposed to logged.
   *
   * @param {RegExp} pattern
   * @returns {Promise<string>} what its first group found
   */
  async printed(pattern) {
    const end = performance.now() + DEADLINE_MS;
    for (;;) {
      const found = pattern.exec(this.#printed)?.[1];
      if (found !== undefined) {
        return found;
      }
      assert(this.#ended === "" && performance.now() < end, `${pattern} was not printed in time`);
      await delay(20);
    }
  }

  /** Fails if the pipeline has ended. */
  assertRunning() {
    assert.equal(this.#ended, "", "the pipeline has ended");
  }

  /**
   * Ends it as Ctrl-C does.
   *
   * @returns {Promise<number | null>} with what it ended
   */
  async interrupt() {
    this.#child.kill("SIGINT");
    const [code] = await this.#exited;
    return code;
  }

  /** Ends it at once. */
  async stop() {
    process.off("exit", this.#kill);
    if (this.#child.pid !== undefined && this.#ended === "") {
      this.#kill();
      await this.#exited;
    }
  }

  story() {
    const state = this.#ended || "runs";
    return `gst-launch-1.0 ${state}; it has printed:\n${this.#printed}\nand logged:\n${this.#logged}`;
  }
}

/**
 * A port for a property that takes no 0. It lies below those that the kernel hands out, so that nobody takes it before
 * it is used.
 *
 * @returns {Promise<number>}
 */
export async function freePort() {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const port = 10_000 + Math.floor(Math.random() * 20_000);
    const listener = net.createServer();
    const free = await new Promise((resolve) => {
      listener.once("error", () => resolve(false));
      listener.listen(port, () => listener.close(() => resolve(true)));
    });
    if (free) {
      return port;
    }
  }
  throw new Error("found no free port");
}
