import type { GstWebRTCAPI, ProducerSession } from "wigwag";
import { linkTo } from "./address.js";
import { capture, CaptureError, type Picture } from "./capture.js";
import { copiesOnClick } from "./copy.js";
import { byId } from "./element.js";
import { viewers } from "./words.js";

/** The panel from which this page sends. */
export class Sharing {
  readonly #api: GstWebRTCAPI;
  readonly #unexpected: string;
  readonly #changed: (sending: boolean) => void;
  readonly #toggle = byId("share-toggle", HTMLButtonElement);
  readonly #panel = byId("share", HTMLElement);
  readonly #form = byId("share-form", HTMLFormElement);
  readonly #live = byId("share-live", HTMLElement);
  readonly #preview = byId("share-preview", HTMLVideoElement);
  readonly #status = byId("share-status", HTMLElement);
  readonly #name = byId("share-name", HTMLInputElement);
  readonly #submit = byId("share-start", HTMLButtonElement);
  #session: ProducerSession | null = null;
  #viewers = 0;

  /**
   * @param unexpected the host of a server that a link has chosen, to which nothing is sent before its name was confirmed;
   *   else empty
   * @param changed is called when the page begins to send, and when it ends
   */
  constructor(api: GstWebRTCAPI, unexpected: string, changed: (sending: boolean) => void) {
    this.#api = api;
    this.#unexpected = unexpected;
    this.#changed = changed;
    this.#toggle.addEventListener("click", () => this.#open(this.#panel.hasAttribute("hidden")));
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#start();
    });
    byId("share-stop", HTMLButtonElement).addEventListener("click", () => this.#session?.close());
    copiesOnClick(byId("share-link", HTMLButtonElement), "Link", () =>
      linkTo(this.#name.value.trim() || this.#api.clientId, window.location.href),
    );
  }

  #open(open: boolean): void {
    this.#panel.hidden = !open;
    this.#toggle.setAttribute("aria-expanded", String(open));
    if (open && !this.#session) {
      this.#name.focus();
    }
  }

  async #start(): Promise<void> {
    if (this.#unexpected !== "" && !window.confirm(`Send to the server at ${this.#unexpected}? It is not the one of this page.`)) {
      return;
    }
    const choice = new FormData(this.#form);
    this.#submit.disabled = true;
    this.#say("Waiting for the browser’s permission…");
    try {
      const stream = await capture(choice.get("picture") as Picture, choice.has("microphone"));
      this.#send(stream);
    } catch (error) {
      this.#say(error instanceof CaptureError ? error.message : String(error), true);
    } finally {
      this.#submit.disabled = false;
    }
  }

  #send(stream: MediaStream): void {
    const name = this.#name.value.trim();
    this.#api.setMeta(name === "" ? null : { name });
    const session = this.#api.createProducerSession(stream);
    if (!session) {
      stream.getTracks().forEach((track) => track.stop());
      this.#say("There is no connection to the server. Try again when it is back.", true);
      return;
    }
    this.#session = session;
    this.#viewers = 0;
    session.addEventListener("stateChanged", () => this.#showViewers());
    session.addEventListener("clientConsumerAdded", () => this.#count(1));
    session.addEventListener("clientConsumerRemoved", () => this.#count(-1));
    session.addEventListener("closed", () => this.#ended());
    for (const track of stream.getVideoTracks()) {
      // The browser’s own button ends the sharing of a screen.
      track.addEventListener("ended", () => session.close());
    }
    this.#preview.srcObject = stream;
    this.#preview.hidden = stream.getVideoTracks().length === 0;
    void this.#preview.play().catch(() => {});
    this.#show(true);
    if (session.start()) {
      byId("share-stop", HTMLButtonElement).focus();
    }
  }

  #count(change: number): void {
    this.#viewers += change;
    this.#showViewers();
  }

  #showViewers(): void {
    if (this.#session) {
      this.#say(`You are sending: ${viewers(this.#viewers)}.`);
    }
  }

  #ended(): void {
    this.#session = null;
    this.#preview.srcObject = null;
    this.#show(false);
    this.#say("You have stopped sending.");
  }

  #show(sending: boolean): void {
    this.#form.hidden = sending;
    this.#live.hidden = !sending;
    this.#toggle.classList.toggle("live", sending);
    this.#toggle.textContent = sending ? "You are sending" : "Share camera or screen";
    this.#changed(sending);
  }

  #say(text: string, isError = false): void {
    this.#status.textContent = text;
    this.#status.classList.toggle("error", isError);
  }
}
