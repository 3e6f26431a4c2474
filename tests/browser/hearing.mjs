/** How long a test waits for something that must happen. */
export const DEADLINE_MS = 20_000;

/**
 * @template T
 * @typedef {{ name: string, detail: T }} Heard
 */

/** Everything that one party told the test, in order, and a way to wait for the next of it. */
export class Hearing {
  /** @type {Heard<any>[]} */
  #heard = [];
  /** @type {Map<string, number>} where to look for the next event of a name */
  #next = new Map();
  /** @type {Set<() => void>} */
  #waiting = new Set();
  #who;

  /** @param {string} who names the party in messages */
  constructor(who) {
    this.#who = who;
  }

  /**
   * @param {string} name
   * @param {unknown} detail
   */
  add(name, detail) {
    this.#heard.push({ name, detail });
    for (const look of this.#waiting) {
      look();
    }
  }

  /**
   * Waits for an event that comes after the one of the same name that was waited for last.
   *
   * @param {string} name
   * @param {(detail: any) => boolean} [matches]
   * @returns {Promise<any>} the event's detail
   */
  until(name, matches = () => true) {
    return new Promise((resolve, reject) => {
      const look = () => {
        const index = this.#heard.findIndex(
          (event, at) => at >= (this.#next.get(name) ?? 0) && event.name === name && matches(event.detail),
        );
        if (index >= 0) {
          this.#next.set(name, index + 1);
          stop();
          resolve(this.#heard[index]?.detail);
        }
      };
      const timer = setTimeout(() => {
        stop();
        reject(new Error(`${this.#who} did not hear "${name}" in time`));
      }, DEADLINE_MS);
      const stop = () => {
        clearTimeout(timer);
        this.#waiting.delete(look);
      };
      this.#waiting.add(look);
      look();
    });
  }

  /**
   * @param {string} name
   * @returns {any[]} the details of all events of that name so far
   */
  all(name) {
    return this.#heard.filter((event) => event.name === name).map((event) => event.detail);
  }

  /** @returns {string} the whole story, for a failure message */
  story() {
    const lines = this.#heard.map(({ name, detail }) => `  ${name} ${JSON.stringify(detail)?.slice(0, 300)}`);
    return [`${this.#who} heard:`, ...lines].join("\n");
  }
}
