import { readFile } from "node:fs/promises";
import http from "node:http";
import { fileURLToPath } from "node:url";

const PAGES = [
  "producer.html",
  "producer.js",
  "consumer.html",
  "consumer.js",
  "clock.js",
  "measurement.js",
  "picture.js",
  "signalling-connection.js",
];

/** The bundle exactly as it was published, and ours, which has the same names. */
const APIS = {
  published: new URL("node_modules/gstwebrtc-api/dist/gstwebrtc-api-3.0.0.esm.js", import.meta.url),
  ours: new URL("../../web/api/dist/wigwag.js", import.meta.url),
};

/** @type {Map<string, URL>} what the server gives out, by request path: the pages with each API */
const FILES = new Map(
  Object.entries(APIS).flatMap(([folder, api]) => [
    /** @type {const} */ ([`/${folder}/gstwebrtc-api.js`, api]),
    ...PAGES.map((name) => /** @type {const} */ ([`/${folder}/${name}`, new URL(`pages/${name}`, import.meta.url)])),
  ]),
);

/** Serves the test pages from 127.0.0.1, a secure context, without which there is no getUserMedia. */
export class PageServer {
  #server;

  /** @param {http.Server} server */
  constructor(server) {
    this.#server = server;
  }

  /** @returns {Promise<PageServer>} */
  static async start() {
    const server = http.createServer((request, response) => {
      const { pathname } = new URL(request.url ?? "/", "http://127.0.0.1");
      const file = FILES.get(pathname);
      if (!file) {
        response.writeHead(404).end();
        return;
      }
      readFile(file).then(
        (content) => {
          const type = fileURLToPath(file).endsWith(".html") ? "text/html" : "text/javascript";
          response.writeHead(200, { "content-type": `${type}; charset=utf-8` }).end(content);
        },
        (error) => response.writeHead(500).end(String(error)),
      );
    });
    await new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen(0, "127.0.0.1", () => resolve(null));
    });
    return new PageServer(server);
  }

  get url() {
    const address = /** @type {import("node:net").AddressInfo} */ (this.#server.address());
    return `http://127.0.0.1:${address.port}`;
  }

  /** @returns {Promise<void>} */
  async close() {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
