import type { GstWebRTCAPI, Peer } from "wigwag";
import { isAskedFor, peerName } from "./peer-name.js";
import { Stream } from "./stream.js";

export interface StreamsListener {
  added(stream: Stream): void;
  removed(stream: Stream): void;
  /** After any change of who is there. */
  changed(): void;
}

/** The streams that are listed: the producers that are there, and those that someone watches. */
export class Streams {
  readonly #api: GstWebRTCAPI;
  readonly #listener: StreamsListener;
  readonly #all = new Set<Stream>();
  #asked = "";

  constructor(api: GstWebRTCAPI, listener: StreamsListener) {
    this.#api = api;
    this.#listener = listener;
    api.registerPeerListener({
      producerAdded: (peer) => this.#producerIsThere(peer),
      producerChanged: (peer) => this.#find(peer)?.producerIs(peer),
      producerRemoved: (peer) => this.#producerIsGone(peer),
    });
  }

  get count(): number {
    return this.#all.size;
  }

  /** A producer that a link asked for and that has not come yet; else empty. */
  get awaited(): string {
    return this.#asked;
  }

  /** Plays a producer, by its name or id, now or as soon as it comes. */
  ask(producer: string): void {
    this.#asked = producer;
    for (const stream of this.#all) {
      this.#playIfAsked(stream);
    }
    this.#listener.changed();
  }

  stop(stream: Stream): void {
    stream.stop();
    if (!stream.isPresent) {
      this.#remove(stream);
    }
    this.#listener.changed();
  }

  #producerIsThere(peer: Peer): void {
    const name = peerName(peer);
    const returned = [...this.#all].find((stream) => !stream.isPresent && stream.name === name);
    if (returned) {
      returned.producerIs(peer);
    } else {
      const stream = new Stream(this.#api, peer);
      this.#all.add(stream);
      this.#listener.added(stream);
      this.#playIfAsked(stream);
    }
    this.#listener.changed();
  }

  #producerIsGone(peer: Peer): void {
    const stream = this.#find(peer);
    stream?.producerIsGone();
    if (stream && !stream.isWanted) {
      this.#remove(stream);
    }
    this.#listener.changed();
  }

  #playIfAsked(stream: Stream): void {
    if (isAskedFor(stream.peer, this.#asked)) {
      this.#asked = "";
      if (!stream.isWanted || stream.isGivenUp) {
        stream.play(true);
      }
    }
  }

  #find({ id }: Peer): Stream | undefined {
    return [...this.#all].find((stream) => stream.isPresent && stream.peer.id === id);
  }

  #remove(stream: Stream): void {
    this.#all.delete(stream);
    this.#listener.removed(stream);
  }
}
