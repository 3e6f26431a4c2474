import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import readline from "node:readline";
import { DEADLINE_MS } from "../browser/hearing.mjs";

/** @import { PageStage } from "./page-stage.mjs" */

/** A program that runs until it is told to end, and what it wrote. */
export class LongRunning {
  #child;
  #ended;
  #name;
  /** @type {string[]} */
  #lines = [];
  /** @type {Set<() => void>} */
  #waiting = new Set();

  /**
   * Starts it; it is killed when the stage is taken down.
   *
   * @param {PageStage} stage
   * @param {string} name for failures
   * @param {string[]} command
   * @param {Record<string, string>} [environment] besides the test's own
   */
  constructor(stage, name, [program = "", ...args], environment = {}) {
    this.#name = name;
    const child = spawn(program, args, {
      // Programs that end with their standard input run no longer than the test.
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, ...environment },
    });
    this.#child = child;
    const closed = once(child, "close");
    this.#ended = closed.then(([code, signal]) => String(signal ?? code));
    for (const stream of [child.stdout, child.stderr]) {
      readline.createInterface({ input: stream }).on("line", (line) => {
        this.#lines.push(line);
        this.#look();
      });
    }
    void this.#ended.then(() => this.#look());
    process.once("exit", this.#kill);
    stage.tellsStory(this);
    stage.atEnd(() => this.kill());
  }

  /** @type {string[]} what it wrote so far */
  get lines() {
    return this.#lines;
  }

  /**
   * Waits until it has written a line.
   *
   * @param {RegExp} pattern
   * @returns {Promise<string>} the first group of the pattern, or the line
   */
  line(pattern) {
    return new Promise((resolve, reject) => {
      const stop = () => {
        clearTimeout(timer);
        this.#waiting.delete(look);
      };
      const look = () => {
        for (const line of this.#lines) {
          const found = pattern.exec(line);
          if (found) {
            stop();
            resolve(found[1] ?? line);
            return;
          }
        }
        if (this.#child.exitCode !== null || this.#child.signalCode !== null) {
          stop();
          reject(new Error(`${this.#name} ended without ${pattern}`));
        }
      };
      const timer = setTimeout(() => {
        stop();
        reject(new Error(`${this.#name} did not write ${pattern} in time`));
      }, DEADLINE_MS);
      this.#waiting.add(look);
      look();
    });
  }

  /**
   * Asks it to end.
   *
   * @param {NodeJS.Signals} signal
   * @returns {Promise<string>} its exit code, or the signal that ended it
   */
  async end(signal) {
    assert(this.#child.kill(signal), `${this.#name} has ended`);
    return await this.#ended;
  }

  /**
   * Sends it a signal that does not end it.
   *
   * @param {NodeJS.Signals} signal
   */
  signal(signal) {
    assert(this.#child.kill(signal), `${this.#name} has ended`);
  }

  /** Ends it without a chance to say goodbye. */
  async kill() {
    process.off("exit", this.#kill);
    this.#kill();
    await this.#ended;
  }

  /** @returns {string} what may explain a failure */
  story() {
    return [`${this.#name} wrote:`, ...this.#lines.slice(-60)].join("\n");
  }

  #kill = () => {
    this.#child.kill("SIGKILL");
  };

  #look() {
    for (const look of this.#waiting) {
      look();
    }
  }
}
