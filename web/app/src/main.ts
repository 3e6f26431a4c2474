import { GstWebRTCAPI } from "wigwag";
import { latencyAskedFor, producerAskedFor, senderAddress, signallingAddress, unexpectedHost } from "./address.js";
import { copiesOnClick } from "./copy.js";
import { byId } from "./element.js";
import { Sharing } from "./sharing.js";
import { StreamCard } from "./stream-card.js";
import { Streams } from "./streams.js";
import type { Stream } from "./stream.js";

/** The longest first wait before a lost connection is tried again. */
const RECONNECTION_MS = 1_000;

const connection = byId("connection", HTMLElement);
const empty = byId("empty", HTMLElement);
const lost = byId("lost", HTMLElement);
const awaited = byId("awaited", HTMLElement);
const ownId = byId("own-id", HTMLElement);
const ownIdBox = byId("own", HTMLElement);
const list = byId("streams", HTMLElement);
const shareToggle = byId("share-toggle", HTMLButtonElement);

const fromMeta = metaContent("wigwag-signalling");
const address = signallingAddress(window.location, fromMeta);
const unexpected = unexpectedHost(window.location, fromMeta, metaContent("wigwag-signalling-hosts"));
const command = `gst-launch-1.0 videotestsrc ! webrtcsink signaller::uri=${senderAddress(address)}`;
byId("command", HTMLElement).textContent = command;
copiesOnClick(byId("copy-command", HTMLButtonElement), "Command", () => command);
copiesOnClick(byId("copy-id", HTMLButtonElement), "Id", () => ownId.textContent);

function metaContent(name: string): string {
  return document.querySelector<HTMLMetaElement>(`meta[name="${name}"]`)?.content ?? "";
}

/** Asks before the page connects to a server that a link has chosen. */
function ask(): void {
  const question = byId("elsewhere", HTMLElement);
  byId("elsewhere-host", HTMLElement).textContent = unexpected;
  byId("elsewhere-connect", HTMLButtonElement).addEventListener("click", () => {
    question.hidden = true;
    start();
  });
  question.hidden = false;
  showConnection("unasked", "Not connected");
}

function showConnection(state: "unasked" | "connecting" | "connected" | "lost" | "impossible", text: string): void {
  document.body.dataset["connection"] = state;
  if (connection.textContent !== text) {
    connection.textContent = text;
  }
}

function start(): void {
  let api: GstWebRTCAPI;
  try {
    api = new GstWebRTCAPI({
      signalingServerUrl: address,
      reconnectionTimeout: RECONNECTION_MS,
      latency: latencyAskedFor(window.location.search),
      // No server is asked for this machine's address unless its owner names one.
      webrtcConfig: { iceServers: [], bundlePolicy: "max-bundle" },
    });
  } catch {
    const mixed = window.location.protocol === "https:" && address.startsWith("ws:");
    const why = mixed ? "a page that came by https needs a wss address" : "correct the one after signalling= in this page's address";
    showConnection("impossible", `Cannot connect to ${address}: ${why}.`);
    return;
  }

  const cards = new Map<Stream, StreamCard>();
  const streams = new Streams(api, {
    added(stream) {
      const card = new StreamCard(stream, () => streams.stop(stream));
      cards.set(stream, card);
      list.append(card.root);
    },
    removed(stream) {
      cards.get(stream)?.root.remove();
      cards.delete(stream);
    },
    changed: showWhoIsThere,
  });

  function showWhoIsThere(): void {
    const connected = api.clientId !== "";
    const waitsFor = streams.awaited;
    awaited.hidden = waitsFor === "";
    byId("awaited-name", HTMLElement).textContent = waitsFor.slice(0, 80);
    empty.hidden = streams.count > 0 || !connected;
    lost.hidden = streams.count > 0 || document.body.dataset["connection"] !== "lost";
    list.dataset["count"] = String(Math.min(streams.count, 3));
  }

  api.registerConnectionListener({
    connected(clientId) {
      ownId.textContent = clientId;
      ownIdBox.hidden = false;
      shareToggle.disabled = false;
      showConnection("connected", unexpected === "" ? "Connected" : `Connected to ${unexpected}`);
      showWhoIsThere();
    },
    disconnected() {
      ownIdBox.hidden = true;
      shareToggle.disabled = true;
      showConnection("lost", "No connection to the server. Trying again…");
      showWhoIsThere();
    },
  });
  showConnection("connecting", "Connecting…");
  new Sharing(api, unexpected, (sending) => {
    byId("empty-lead", HTMLElement).textContent = sending ? "Nobody else is sending yet" : "Nobody is sending yet";
    byId("empty-share", HTMLElement).hidden = sending;
  });
  streams.ask(producerAskedFor(window.location.hash));
  window.addEventListener("hashchange", () => streams.ask(producerAskedFor(window.location.hash)));
  // Peers learn at once that this page is gone, and not when its silence is noticed.
  window.addEventListener("pagehide", ({ persisted }) => {
    if (!persisted) {
      api.close();
    }
  });
}

if (unexpected === "") {
  start();
} else {
  ask();
}
