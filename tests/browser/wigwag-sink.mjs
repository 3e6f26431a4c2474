import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { join } from "node:path";
import readline from "node:readline";
import { RawPeer } from "./raw-peer.mjs";

const OUTPUT_TAIL_LINES = 60;

/**
 * @typedef {object} SinkOptions
 * @property {string[]} [videoCodecs] what is offered, as media types of GStreamer
 * @property {string} [video] where pictures come from; the default is a ball of 640 by 480 pixels
 * @property {string | null} [audio] where sound comes from; the default is a tone, null is none
 */

/** The default picture moves, and is neither dark nor bright all over. */
const BALL = "videotestsrc is-live=true pattern=ball ! video/x-raw,width=640,height=480,framerate=30/1";
const TONE = "audiotestsrc is-live=true ! audio/x-raw,rate=48000";

/** A `webrtcsink` of ours in `gst-launch-1.0`. */
export class WigwagSink {
  #child;
  /** @type {string[]} */
  #output = [];
  #ended = "";
  /** @type {string[]} the encoders that were started, in order */
  encodersStarted = [];

  /** @param {string[]} args of gst-launch-1.0 */
  constructor(args) {
    const folder = process.env["WIGWAG_PLUGIN"];
    assert(folder, "WIGWAG_PLUGIN does not name the plugin's folder; run `cargo xtask test`");
    const child = spawn("gst-launch-1.0", args, {
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        ...process.env,
        GST_PLUGIN_PATH: folder,
        // A registry of its own neither disturbs the user's, nor trusts what that remembers.
        GST_REGISTRY: join(folder, "registry.bin"),
        GST_DEBUG: "webrtcsink:4,webrtc-signaller:4",
        GST_DEBUG_NO_COLOR: "1",
        WIGWAG_ADDRESSES: "127.0.0.1",
      },
    });
    this.#child = child;
    child.once("error", (error) => (this.#ended = error.message));
    child.once("exit", (code, signal) => (this.#ended = `ended with ${signal ?? code}`));
    for (const stream of [child.stdout, child.stderr]) {
      readline.createInterface({ input: stream }).on("line", (line) => this.#keep(line));
    }
    process.once("exit", this.#kill);
  }

  /**
   * Starts it and waits until the server lists it.
   *
   * @param {string} signallingUrl
   * @param {SinkOptions} options
   * @returns {Promise<{ sink: WigwagSink, id: string }>}
   */
  static async start(signallingUrl, { videoCodecs = ["video/x-vp8"], video = BALL, audio = TONE }) {
    const { peer: listener } = await RawPeer.listener(signallingUrl);
    const name = `sink-${randomUUID()}`;
    const pipeline =
      `webrtcsink name=sink signaller::uri=${signallingUrl} video-caps=${videoCodecs.join(";")} ` +
      `${video} ! queue ! sink.video_0 ${audio === null ? "" : `${audio} ! queue ! sink.audio_0`}`;
    const words = pipeline.split(" ").filter(Boolean);
    // The default names a public server, which a test must not contact.
    const properties = ['stun-server=""', `meta=meta,name=${name}`];
    const sink = new WigwagSink(["-q", ...words.slice(0, 2), ...properties, ...words.slice(2)]);
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

  /** @param {string} line */
  #keep(line) {
    this.#output = [...this.#output, line].slice(-OUTPUT_TAIL_LINES);
    const started = / starts: (\S+) at /.exec(line)?.[1];
    if (started !== undefined) {
      this.encodersStarted.push(started);
    }
  }

  #kill = () => {
    this.#child.kill("SIGKILL");
  };

  /** Fails if the pipeline has ended. */
  assertRunning() {
    assert.equal(this.#ended, "", "the sink's pipeline has ended");
  }

  /** Ends it without a chance to say goodbye. */
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
