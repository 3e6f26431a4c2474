// `wigwag publish`, and what it publishes.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Tab } from "../browser/tab.mjs";
import { LongRunning } from "./long-running.mjs";
import { keepPeerConnections } from "./pages/observe.js";

/** @import { PageStage } from "./page-stage.mjs" */

/** With Debian's bindings of GStreamer, whatever other Python there is. */
const PYTHON = "/usr/bin/python3";
const RTSP_SERVER = fileURLToPath(new URL("../end-to-end/src/publish/rtsp_server.py", import.meta.url));

/** So many pictures a second are in the files, and in what the camera sends. */
export const FRAME_RATE = 30;

/**
 * Starts `wigwag publish`.
 *
 * @param {PageStage} stage
 * @param {string[]} args
 */
export function publish(stage, ...args) {
  const [program] = (process.env["WIGWAG_SERVE"] ?? "").split(/\s+/);
  assert(program, "WIGWAG_SERVE does not name the program to test; run `cargo xtask test`");
  return new LongRunning(stage, "wigwag publish", [program, "publish", ...args], { WIGWAG_ADDRESSES: "127.0.0.1" });
}

/**
 * Publishes with a signalling server and a page of its own, and opens that page.
 *
 * @param {PageStage} stage
 * @param {string[]} args
 * @returns {Promise<{ published: LongRunning, viewer: Tab }>}
 */
export async function publishEmbedded(stage, ...args) {
  const published = publish(stage, ...args, "--embed", "--host", "127.0.0.1", "--port", "0");
  return { published, viewer: await pageAt(stage, await published.line(/^watch at (\S+)$/)) };
}

/**
 * Opens our page where another than the stage's server has it, and waits until it is connected.
 *
 * @param {PageStage} stage
 * @param {string} url
 * @returns {Promise<Tab>}
 */
export async function pageAt(stage, url) {
  const tab = await Tab.open(stage.browser, { who: "viewer", url });
  stage.tellsStory(tab);
  await tab.page.evaluate(keepPeerConnections);
  await tab.page.waitForSelector('body[data-connection="connected"]');
  return tab;
}

/**
 * Makes a file with a moving picture and a tone.
 *
 * @param {PageStage} stage the file goes with it
 * @param {{ name: string, seconds: number, video: string, audio: string, container: string }} what the elements that
 *   encode both, and the one that puts them together
 * @returns {Promise<string>} its path
 */
export async function makeFile(stage, { name, seconds, video, audio, container }) {
  const folder = await mkdtemp(join(tmpdir(), "wigwag-page-"));
  stage.atEnd(() => rm(folder, { recursive: true }));
  const path = join(folder, name);
  const pictures = seconds * FRAME_RATE;
  // 1,024 samples a buffer.
  const sounds = Math.floor((seconds * 48_000) / 1_024);
  const pipeline =
    `${container} name=file ! filesink location=${path} videotestsrc num-buffers=${pictures} pattern=ball ` +
    `! video/x-raw,width=640,height=480,framerate=${FRAME_RATE}/1 ! ${video} ! queue ! file. ` +
    `audiotestsrc num-buffers=${sounds} ! audio/x-raw,rate=48000,channels=2 ! ${audio} ! queue ! file.`;
  await promisify(execFile)("gst-launch-1.0", ["-q", "-e", ...pipeline.split(" ")]);
  return path;
}

/**
 * Makes a file of JPEG pictures, one behind the other.
 *
 * @param {PageStage} stage the file goes with it
 * @param {number} count
 * @returns {Promise<string>} its path
 */
export async function makePictures(stage, count) {
  const folder = await mkdtemp(join(tmpdir(), "wigwag-page-"));
  stage.atEnd(() => rm(folder, { recursive: true }));
  const path = join(folder, "pictures.jpeg");
  const pipeline =
    `videotestsrc num-buffers=${count} pattern=ball ! video/x-raw,width=640,height=480,framerate=${FRAME_RATE}/1 ` +
    `! jpegenc ! filesink location=${path}`;
  await promisify(execFile)("gst-launch-1.0", ["-q", "-e", ...pipeline.split(" ")]);
  return path;
}

/** A network camera: an RTSP server of others with one stream of H.264. */
export class RtspCamera {
  #stage;
  #port;
  #how;
  #running;

  /**
   * @param {PageStage} stage
   * @param {LongRunning} running
   * @param {string} port
   * @param {string[]} how
   */
  constructor(stage, running, port, how) {
    this.#stage = stage;
    this.#running = running;
    this.#port = port;
    this.#how = how;
  }

  /**
   * @param {PageStage} stage
   * @param {string} port one that is free
   * @param {string[]} how `sliced`: pictures in slices, with parameter sets before each
   */
  static async start(stage, port, ...how) {
    return new RtspCamera(stage, await serve(stage, port, how), port, how);
  }

  get url() {
    return `rtsp://127.0.0.1:${this.#port}/stream`;
  }

  /** Ends it without a chance to say goodbye. */
  async kill() {
    await this.#running.kill();
  }

  /** Starts it anew at the same address, after `kill`. */
  async startAgain() {
    this.#running = await serve(this.#stage, this.#port, this.#how);
  }
}

/**
 * @param {PageStage} stage
 * @param {string} port
 * @param {string[]} how
 */
async function serve(stage, port, how) {
  const server = new LongRunning(stage, "the RTSP server", [PYTHON, RTSP_SERVER, port, ...how]);
  await server.line(/serving/);
  return server;
}

/**
 * @param {Tab} tab
 * @returns {Promise<{ frames: number, loudness: number }>} how many pictures it has decoded in all its sessions, and the
 *   energy of the sound (W3C webrtc-stats)
 */
export function received({ page }) {
  return page.evaluate(async () => {
    let frames = 0;
    let loudness = 0;
    for (const connection of window.peerConnections ?? []) {
      for (const entry of (await connection.getStats()).values()) {
        if (entry.type === "inbound-rtp") {
          frames += entry.framesDecoded ?? 0;
          loudness += entry.totalAudioEnergy ?? 0;
        }
      }
    }
    return { frames, loudness };
  });
}

/** A camera that speaks motion JPEG over HTTP (multipart/x-mixed-replace), as small ones do: no picture has a time. */
export class MjpegCamera {
  #server;

  /** @param {import("node:http").Server} server */
  constructor(server) {
    this.#server = server;
  }

  /**
   * @param {PageStage} stage it ends with it
   * @param {string} path of a file of JPEG pictures, one behind the other
   * @param {number} rate pictures a second
   */
  static async start(stage, path, rate) {
    const pictures = jpegs(await readFile(path));
    const server = createServer((_, response) => {
      response.writeHead(200, { "Content-Type": "multipart/x-mixed-replace; boundary=picture" });
      let next = 0;
      const timer = setInterval(() => {
        const picture = pictures[next++ % pictures.length] ?? Buffer.alloc(0);
        response.write(`--picture\r\nContent-Type: image/jpeg\r\nContent-Length: ${picture.length}\r\n\r\n`);
        response.write(picture);
        response.write("\r\n");
      }, 1_000 / rate);
      response.on("close", () => clearInterval(timer));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    stage.atEnd(() => {
      server.closeAllConnections();
      server.close();
    });
    return new MjpegCamera(server);
  }

  get url() {
    const address = this.#server.address();
    assert(address && typeof address === "object");
    return `http://127.0.0.1:${address.port}/`;
  }
}

/**
 * @param {Buffer} file
 * @returns {Buffer[]} each from its begin marker to the next one's
 */
function jpegs(file) {
  const begin = Buffer.from([0xff, 0xd8, 0xff]);
  const pictures = [];
  for (let place = 0; place < file.length; ) {
    const next = file.indexOf(begin, place + begin.length);
    pictures.push(file.subarray(place, next < 0 ? file.length : next));
    place = next < 0 ? file.length : next;
  }
  return pictures;
}
