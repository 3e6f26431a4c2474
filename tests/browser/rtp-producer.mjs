import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import dgram from "node:dgram";
import readline from "node:readline";
import { DEADLINE_MS } from "./hearing.mjs";

const OUTPUT_TAIL_LINES = 40;

/**
 * A producer of ours: a GStreamer pipeline encodes and payloads a test picture and a tone, and the program of
 * WIGWAG_RTP_PRODUCER sends it to every viewer by sessions of `wigwag-media`.
 */
export class RtpProducer {
  /** @type {import("node:child_process").ChildProcess[]} */
  #children = [];
  /** @type {string[]} */
  #output = [];

  /**
   * Starts both and waits until the producer has its id.
   *
   * @param {string} signallingUrl
   * @returns {Promise<{ producer: RtpProducer, id: string }>}
   */
  static async start(signallingUrl) {
    const producer = new RtpProducer();
    try {
      return { producer, id: await producer.#start(signallingUrl) };
    } catch (error) {
      await producer.stop();
      throw error;
    }
  }

  /** @param {string} signallingUrl */
  async #start(signallingUrl) {
    const program = process.env["WIGWAG_RTP_PRODUCER"];
    assert(program, "WIGWAG_RTP_PRODUCER does not name the producer; run `cargo xtask test`");
    const [video, audio] = [await freeUdpPort(), await freeUdpPort()];
    const sender = this.#spawn(program, [signallingUrl, String(video), String(audio)]);
    const registered = new Promise((resolve, reject) => {
      readline.createInterface({ input: sender.stdout }).on("line", (line) => {
        this.#keep(line);
        const event = JSON.parse(line);
        if (event.event === "registered") {
          resolve(event.peer);
        }
      });
      sender.once("exit", () => reject(new Error(`the producer ended:\n${this.story()}`)));
      setTimeout(() => reject(new Error(`the producer did not register:\n${this.story()}`)), DEADLINE_MS).unref();
    });
    // One key frame a second, so that whoever joins need not ask.
    const pipeline =
      "videotestsrc is-live=true pattern=ball ! video/x-raw,width=640,height=480,framerate=30/1 " +
      "! vp8enc deadline=1 cpu-used=8 keyframe-max-dist=30 target-bitrate=1000000 " +
      `! rtpvp8pay mtu=1140 ! udpsink host=127.0.0.1 port=${video} sync=false ` +
      "audiotestsrc is-live=true ! audio/x-raw,rate=48000 ! opusenc ! rtpopuspay " +
      `! udpsink host=127.0.0.1 port=${audio} sync=false`;
    const source = this.#spawn("gst-launch-1.0", ["-q", ...pipeline.split(" ")]);
    readline.createInterface({ input: source.stdout }).on("line", (line) => this.#keep(line));
    return registered;
  }

  /**
   * @param {string} program
   * @param {string[]} args
   */
  #spawn(program, args) {
    const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"] });
    child.once("error", (error) => this.#keep(`${program}: ${error.message}`));
    readline.createInterface({ input: child.stderr }).on("line", (line) => this.#keep(line));
    this.#children.push(child);
    return child;
  }

  /** @param {string} line */
  #keep(line) {
    this.#output = [...this.#output, line].slice(-OUTPUT_TAIL_LINES);
  }

  /** Ends both. */
  async stop() {
    for (const child of this.#children) {
      if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) {
        const exited = once(child, "exit");
        child.kill("SIGKILL");
        await exited;
      }
    }
  }

  /** @returns {string} what may explain a failure */
  story() {
    return ["the RTP producer's output ends with:", ...this.#output].join("\n");
  }
}

/** @returns {Promise<number>} */
async function freeUdpPort() {
  const socket = dgram.createSocket("udp4");
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  const { port } = socket.address();
  socket.close();
  await once(socket, "close");
  return port;
}
