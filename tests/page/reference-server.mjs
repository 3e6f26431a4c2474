import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import net from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { DEADLINE_MS } from "../browser/hearing.mjs";
import { freePort } from "./free-port.mjs";

/**
 * Starts the published signalling server, which speaks version 1.0 only.
 *
 * @returns {Promise<{ url: string, stop: () => Promise<void> }>}
 */
export async function startReferenceServer() {
  const program = process.env["WIGWAG_REFERENCE_SERVER"];
  assert(program, "WIGWAG_REFERENCE_SERVER does not name the published server; run `cargo xtask test`");
  const port = await freePort();
  const child = spawn(program, ["--host", "127.0.0.1", "--port", String(port)], { stdio: "ignore" });
  const exited = once(child, "exit");
  const stop = async () => {
    child.kill("SIGKILL");
    await exited;
  };
  const deadline = Date.now() + DEADLINE_MS;
  while (!(await accepts(port))) {
    if (child.exitCode !== null || Date.now() > deadline) {
      await stop();
      throw new Error("the published signalling server accepted no connection in time");
    }
    await delay(20);
  }
  return { url: `ws://127.0.0.1:${port}`, stop };
}

/**
 * @param {number} port
 * @returns {Promise<boolean>}
 */
function accepts(port) {
  return new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true));
    socket.once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}
