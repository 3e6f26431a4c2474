import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { DEADLINE_MS } from "../browser/hearing.mjs";
import { freePort } from "./launched-pipeline.mjs";

/** @import { PageStage } from "./page-stage.mjs" */

/**
 * Debian's HAProxy in front of the stage's server, which it shows below a path.
 *
 * @param {PageStage} stage
 * @param {string} folder with slashes around it
 * @returns {Promise<string>} the address of the page behind it
 */
export async function behindPath(stage, folder) {
  const rules = [`http-request deny unless { path_beg ${folder} }`, `http-request replace-path ^${folder}(.*) /\\1`];
  return `http://${await behind(stage, rules)}${folder}`;
}

/**
 * The same in front of a server that is for those alone who know a password or a token.
 *
 * @param {PageStage} stage
 * @param {{ user: string, password: string, token: string }} secrets
 * @returns {Promise<string>} host and port
 */
export async function behindPassword(stage, { user, password, token }) {
  const people = [`userlist people`, `  user ${user} insecure-password ${password}`];
  const known = `{ http_auth(people) } || { req.hdr(authorization) -m str "Bearer ${token}" }`;
  return await behind(stage, [`http-request auth unless ${known}`], people);
}

/**
 * @param {PageStage} stage
 * @param {string[]} rules for requests
 * @param {string[]} [sections] of its configuration besides
 * @returns {Promise<string>} host and port
 */
async function behind(stage, rules, sections = []) {
  const port = await freePort();
  const server = new URL(stage.server.url).host;
  const directory = await mkdtemp(path.join(tmpdir(), "wigwag-haproxy-"));
  stage.atEnd(() => rm(directory, { recursive: true }));
  const file = path.join(directory, "haproxy.cfg");
  await writeFile(
    file,
    `${sections.join("\n")}
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend front
  bind 127.0.0.1:${port}
  ${rules.join("\n  ")}
  default_backend back
backend back
  server wigwag ${server}
`,
  );
  const proxy = spawn("/usr/sbin/haproxy", ["-db", "-f", file], { stdio: ["ignore", "ignore", "inherit"] });
  stage.atEnd(async () => {
    const ended = once(proxy, "exit");
    if (proxy.exitCode === null && proxy.kill()) {
      await ended;
    }
  });
  await untilListening(port);
  return `127.0.0.1:${port}`;
}

/** @param {number} port */
async function untilListening(port) {
  const end = performance.now() + DEADLINE_MS;
  for (;;) {
    const socket = net.connect(port, "127.0.0.1");
    try {
      await once(socket, "connect");
      return;
    } catch (error) {
      if (performance.now() > end) {
        throw error;
      }
      await delay(50);
    } finally {
      socket.destroy();
    }
  }
}
