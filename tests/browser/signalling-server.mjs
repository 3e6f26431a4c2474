import { spawn } from "node:child_process";
import { once } from "node:events";
import net from "node:net";
import { setTimeout as delay } from "node:timers/promises";

const START_DEADLINE_MS = 20_000;
const OUTPUT_TAIL_CHARS = 3_000;

/** @type {Set<import("node:child_process").ChildProcess>} */
const running = new Set();
// The last resort for a test run that is interrupted before a test could stop its server.
process.on("exit", () => {
  for (const child of running) {
    child.kill("SIGKILL");
  }
});
for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"])) {
  process.once(signal, () => process.exit(1));
}

/** One signalling server process on a port of its own. */
export class SignallingServer {
  /** @type {import("node:child_process").ChildProcess | null} */
  #child = null;
  #port;
  #output = "";

  /** @param {number} port */
  constructor(port) {
    this.#port = port;
  }

  /** @returns {Promise<SignallingServer>} a server that accepts connections on a free port */
  static async start() {
    const server = new SignallingServer(await freePort());
    await server.start();
    return server;
  }

  get url() {
    return `ws://127.0.0.1:${this.#port}`;
  }

  /** The end of what the server wrote to its standard output and error; servers differ in where they log. */
  get outputTail() {
    return this.#output;
  }

  /**
   * Starts the server, also again after `kill`, and waits until it accepts connections.
   *
   * @param {string[]} [more] arguments
   * @returns {Promise<void>}
   */
  async start(more = []) {
    const [program, ...args] = serveCommand();
    const child = spawn(program, [...args, "--host", "127.0.0.1", "--port", String(this.#port), ...more], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child = child;
    running.add(child);
    let ended = "";
    child.once("error", (error) => (ended = error.message));
    child.once("exit", (code, signal) => {
      ended = `ended with ${signal ?? code}`;
      running.delete(child);
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (/** @type {string} */ text) => {
        this.#output = (this.#output + text).slice(-OUTPUT_TAIL_CHARS);
      });
    }

    const deadline = Date.now() + START_DEADLINE_MS;
    while (!(await accepts(this.#port))) {
      if (ended || Date.now() > deadline) {
        await this.kill();
        throw new Error(
          `the signalling server ${program} ${ended || "accepted no connection in time"}; its output ends with:\n${this.outputTail}`,
        );
      }
      await delay(20);
    }
  }

  /**
   * Ends the server at once, without a chance to say goodbye to its peers.
   *
   * @returns {Promise<void>}
   */
  async kill() {
    const child = this.#child;
    this.#child = null;
    if (child?.pid !== undefined && child.exitCode === null && child.signalCode === null) {
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
    }
  }
}

/** @returns {[string, ...string[]]} the command line of the server under test */
function serveCommand() {
  const [program, ...args] = (process.env["WIGWAG_SERVE"] ?? "").split(/\s+/).filter(Boolean);
  if (program === undefined) {
    throw new Error("WIGWAG_SERVE does not name the server to test; run `cargo xtask test`");
  }
  return [program, ...args];
}

/**
 * The port lies below those that the kernel hands out, so that nobody takes it while the server is down.
 *
 * @returns {Promise<number>}
 */
async function freePort() {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const port = 10_000 + Math.floor(Math.random() * 20_000);
    if (await isFree(port)) {
      return port;
    }
  }
  throw new Error("found no free port");
}

/**
 * @param {number} port
 * @returns {Promise<boolean>}
 */
function isFree(port) {
  return new Promise((resolve) => {
    const listener = net.createServer();
    listener.once("error", () => resolve(false));
    listener.listen(port, "127.0.0.1", () => listener.close(() => resolve(true)));
  });
}

/**
 * @param {number} port
 * @returns {Promise<boolean>}
 */
function accepts(port) {
  return new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
