// Counts facts: each has a name, and holds or says why not.

/** All facts that were looked at. */
export class Report {
  #held = 0;
  #failed = [];

  /** A fact that a condition decides. */
  fact(name, holds, why = 'it is not so') {
    if (holds) {
      this.#held += 1;
    } else {
      this.#failed.push(`${name}: ${why}`);
    }
  }

  /** A fact that holds unless looking at it throws. */
  async attempt(name, look) {
    try {
      await look();
      this.#held += 1;
    } catch (error) {
      this.#failed.push(`${name}: ${error instanceof Error ? error.message.split('\n')[0] : String(error)}`);
    }
  }

  get total() {
    return this.#held + this.#failed.length;
  }

  get held() {
    return this.#held;
  }

  get failed() {
    return this.#failed;
  }
}
