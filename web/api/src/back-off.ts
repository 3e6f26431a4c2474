/**
 * Waits between attempts to connect: they double, and chance shortens each by up to a half, so that the clients of a
 * server that restarts do not all come back at once.
 */
export class BackOff {
  readonly #first: number;
  readonly #longest: number;
  #next: number;

  constructor(firstMs: number, longestMs: number) {
    this.#first = firstMs;
    this.#longest = Math.max(firstMs, longestMs);
    this.#next = firstMs;
  }

  /** To be told how long a connection lasted: after a good one, waits are short again. */
  connectionEnded(lastedMs: number): void {
    if (lastedMs >= this.#longest) {
      this.#next = this.#first;
    }
  }

  /** The next wait in milliseconds; `chance` is from 0 to 1. */
  wait(chance: number): number {
    const wait = this.#next * (1 - chance / 2);
    this.#next = Math.min(this.#next * 2, this.#longest);
    return wait;
  }
}
