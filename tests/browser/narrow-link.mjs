import dgram from "node:dgram";
import { once } from "node:events";

/**
 * @typedef {object} LinkOptions
 * @property {number} bitsPerSecond what the bottleneck carries towards the viewer
 * @property {number} queueMs how long its queue is; what comes beyond that is lost
 * @property {number} delayMs on top, in each direction
 * @property {number} jitterMs up to so much more towards the viewer
 * @property {number} burstMs for how long the jitter is the same, as on a radio link; 0: another for each packet
 * @property {number} loss the share of packets that are lost towards the viewer
 */

/** A path between a sender and one viewer, both on the loopback interface. Keeps the order of packets. */
export class NarrowLink {
  #options;
  /** @type {Map<number, Promise<number>>} our port for each of the sender's */
  #ports = new Map();
  /** @type {dgram.Socket[]} */
  #sockets = [];
  #busyUntil = 0;
  #latest = 0;
  #jitter = { until: 0, ms: 0 };
  #toViewer = new InOrder();
  #toSender = new InOrder();
  passed = 0;
  lost = 0;

  /** @param {LinkOptions} options */
  constructor(options) {
    this.#options = options;
  }

  /**
   * @param {number} port of the sender
   * @returns {Promise<number>} the port by which it is reached through the link
   */
  portFor(port) {
    const known = this.#ports.get(port) ?? this.#open(port);
    this.#ports.set(port, known);
    return known;
  }

  close() {
    this.#toViewer.clear();
    this.#toSender.clear();
    this.#sockets.forEach((socket) => socket.close());
  }

  /**
   * A socket for the sender, and as behind a NAT one more for each port that the viewer sends from.
   *
   * @param {number} port of the sender
   */
  async #open(port) {
    const toViewer = await this.#socket();
    /** @type {Map<number, Promise<dgram.Socket>>} */
    const mapped = new Map();
    const map = async (/** @type {number} */ viewer) => {
      const toSender = await this.#socket();
      toSender.on("message", (datagram) => {
        const wait = this.#wait(datagram.length);
        if (wait === null) {
          this.lost += 1;
        } else {
          this.passed += 1;
          this.#toViewer.later(wait, () => toViewer.send(datagram, viewer, "127.0.0.1"));
        }
      });
      return toSender;
    };
    toViewer.on("message", (datagram, { port: viewer }) => {
      const known = mapped.get(viewer) ?? map(viewer);
      mapped.set(viewer, known);
      this.#toSender.later(this.#options.delayMs, () => {
        known.then((toSender) => toSender.send(datagram, port, "127.0.0.1")).catch(() => {});
      });
    });
    return toViewer.address().port;
  }

  async #socket() {
    const socket = dgram.createSocket("udp4");
    this.#sockets.push(socket);
    socket.bind(0, "127.0.0.1");
    await once(socket, "listening");
    return socket;
  }

  /**
   * @param {number} bytes
   * @returns {number | null} how long a packet takes; null if it is lost
   */
  #wait(bytes) {
    const { bitsPerSecond, queueMs, delayMs, jitterMs, burstMs, loss } = this.#options;
    const now = performance.now();
    const begins = Math.max(now, this.#busyUntil);
    if (Math.random() < loss || begins - now > queueMs) {
      return null;
    }
    this.#busyUntil = begins + (bytes * 8_000) / bitsPerSecond;
    if (now >= this.#jitter.until) {
      this.#jitter = { until: now + burstMs, ms: Math.random() * jitterMs };
    }
    this.#latest = Math.max(this.#latest, this.#busyUntil + delayMs + this.#jitter.ms);
    return this.#latest - now;
  }
}

/** Lets things happen later, in their order. */
class InOrder {
  /** @type {{ at: number, act: () => void }[]} */
  #waiting = [];
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * @param {number} ms
   * @param {() => void} act
   */
  later(ms, act) {
    this.#waiting.push({ at: performance.now() + ms, act });
    this.#timer ??= setTimeout(() => this.#fire(), ms);
  }

  clear() {
    clearTimeout(this.#timer);
    this.#waiting = [];
  }

  #fire() {
    this.#timer = undefined;
    // Timers are as fine as a millisecond.
    const due = performance.now() + 0.5;
    while (this.#waiting[0] && this.#waiting[0].at <= due) {
      this.#waiting.shift()?.act();
    }
    if (this.#waiting[0]) {
      this.#timer = setTimeout(() => this.#fire(), this.#waiting[0].at - performance.now());
    }
  }
}

/**
 * Sends all media of a page through a link. The page's candidates are kept from the sender, so that there is no other path.
 *
 * @param {import("puppeteer-core").Page} page before it makes a connection
 * @param {NarrowLink} link
 */
export async function throughLink(page, link) {
  await page.exposeFunction("portThroughLink", (/** @type {number} */ port) => link.portFor(port));
  await page.evaluate(() => {
    const { portThroughLink } = /** @type {{ portThroughLink(port: number): Promise<number> }} */ (
      /** @type {unknown} */ (window)
    );
    const { setRemoteDescription, addIceCandidate } = window.RTCPeerConnection.prototype;
    const { send } = window.WebSocket.prototype;
    const host = /(candidate:\S+ \d+ udp \d+ )(\S+) (\d+) typ host/gi;
    const moved = async (/** @type {string} */ text) => {
      let result = text;
      for (const [whole, head, , port] of text.matchAll(host)) {
        const through = await portThroughLink(Number(port));
        result = result.replace(whole, `${head}127.0.0.1 ${through} typ host`);
      }
      return result;
    };
    window.RTCPeerConnection.prototype.setRemoteDescription = async function (/** @type {any} */ description) {
      await Reflect.apply(setRemoteDescription, this, [{ type: description.type, sdp: await moved(description.sdp ?? "") }]);
    };
    window.RTCPeerConnection.prototype.addIceCandidate = async function (/** @type {any} */ given) {
      await Reflect.apply(addIceCandidate, this, [{ ...given, candidate: await moved(given.candidate) }]);
    };
    window.WebSocket.prototype.send = function (/** @type {any} */ text) {
      const message = JSON.parse(text);
      if (message.ice) {
        return;
      }
      if (message.sdp) {
        message.sdp.sdp = message.sdp.sdp.replace(/^a=candidate:.*\r\n/gm, "");
      }
      send.call(this, JSON.stringify(message));
    };
  });
}
