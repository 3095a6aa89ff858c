// Asking the model: one request at a time, and always about the newest drawing.

const SECONDS = 70; // SageMaker's own limit for an endpoint is 60
const PATIENCE = 700; // milliseconds without an answer until the page says that it waits

/** Dispatches `answer` (detail: the answer and the moment of its drawing), `waiting` and `problem` (detail: why). */
export class Model extends EventTarget {
  #newest = null;
  #wanted = null;
  #isBusy = false;

  /** Ask about a drawing; one that is still waiting for its turn is forgotten. */
  ask(drawing, moment) {
    this.#newest = this.#wanted = { drawing, moment };
    if (!this.#isBusy) this.#next();
  }

  /** Nothing is drawn any more: an answer that is on its way is not wanted. */
  forget() {
    this.#newest = this.#wanted = null;
  }

  async #next() {
    this.#isBusy = true;
    while (this.#wanted) {
      const question = this.#wanted;
      this.#wanted = null;
      await this.#settle(question);
    }
    this.#isBusy = false;
  }

  async #settle(question) {
    const slow = setTimeout(() => this.#newest && this.#tell("waiting"), PATIENCE);
    try {
      const answer = await ask(question.drawing);
      clearTimeout(slow);
      if (this.#newest) this.#tell("answer", { ...answer, ...question, isNewest: question === this.#newest });
    } catch (error) {
      clearTimeout(slow);
      if (question === this.#newest) this.#tell("problem", error.message);
    }
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
  const content = await response.json().catch(() => ({ error: `The answer is not JSON (status ${response.status}).` }));
  if (!response.ok) throw new Error(content.error);
  return content;
}
