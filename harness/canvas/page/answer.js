// Asking the model: one request at a time, and always about the newest drawing.

const SECONDS = 70; // SageMaker's own limit for an endpoint is 60
const PATIENCE = 700; // milliseconds without an answer until the page says that it waits

/** Dispatches `answer` (detail: the answer and the moment of its drawing), `waiting` and `problem` (detail: why). */
export class Model extends EventTarget {
  #newest = null;
  #wanted = null;
  #asked = null;
  #isBusy = false;
  #patience = 0;

  /** Ask about a drawing; one that is still waiting for its turn is forgotten. */
  ask(drawing, moment) {
    this.#newest = this.#wanted = { drawing, moment };
    this.#wait();
    if (!this.#isBusy) this.#next();
  }

  /** Nothing is drawn any more: an answer that is on its way is not wanted, whatever is drawn until it comes. */
  forget() {
    this.#newest = this.#wanted = this.#asked = null;
    this.#waitNoMore();
  }

  async #next() {
    this.#isBusy = true;
    while (this.#wanted) {
      this.#asked = this.#wanted;
      this.#wanted = null;
      this.#wait();
      await this.#settle(this.#asked);
    }
    this.#isBusy = false;
  }

  async #settle(question) {
    try {
      const answer = await ask(question.drawing);
      if (question !== this.#asked) return;
      this.#waitNoMore();
      this.#tell("answer", { ...answer, ...question, isNewest: question === this.#newest });
    } catch (error) {
      if (question !== this.#newest) return;
      this.#waitNoMore();
      this.#tell("problem", error.message);
    }
  }

  // From the oldest drawing without an answer, not from its request: that one may stand behind a request that hangs.
  #wait() {
    this.#patience ||= setTimeout(() => this.#tell("waiting"), PATIENCE);
  }

  #waitNoMore() {
    clearTimeout(this.#patience);
    this.#patience = 0;
  }

  #tell(kind, detail) {
    this.dispatchEvent(new CustomEvent(kind, { detail }));
  }
}

async function ask(drawing) {
  const request = {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(drawing),
    signal: AbortSignal.timeout(SECONDS * 1000),
  };
  let response;
  try {
    response = await fetch("/answer", request);
  } catch (error) {
    throw new Error(error.name === "TimeoutError"
      ? `No answer came within ${SECONDS} seconds.`
      : "The program behind this page does not answer. If it has ended, start byom draw again.");
  }
  const content = await response.json().catch(() => null);
  if (response.ok && content?.probabilities) return content;
  throw new Error(content?.error ?? `Something else than an answer came back (status ${response.status}).`);
}
