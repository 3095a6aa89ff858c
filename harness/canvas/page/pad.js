// The canvas: strokes in sides of the canvas, from mouse, pen, finger or keyboard.

const STEP = 0.02;
const LARGE_STEP = 0.08;

const DIRECTIONS = {
  ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1],
  Home: [-1, -1], PageUp: [1, -1], End: [-1, 1], PageDown: [1, 1],
};

const rounded = (value) => Math.round(value * 1e4) / 1e4;
const inside = (value) => Math.min(1, Math.max(0, value));

/** Dispatches `drawn` (detail: when it happened, in milliseconds) at every change, `pen` when the keyboard moves it. */
export class Pad extends EventTarget {
  #canvas;
  #strokes = [];
  #pen = 0.09;
  #pointer = null;
  #cursor = { x: 0.5, y: 0.5, isDown: false, isShown: false };
  #asked = false;

  constructor(canvas) {
    super();
    this.#canvas = canvas;
    this.#listen();
    new ResizeObserver(() => this.#paint()).observe(canvas);
    for (const look of ["(prefers-color-scheme: dark)", "(forced-colors: active)"]) {
      matchMedia(look).addEventListener("change", () => this.#paint());
    }
  }

  get strokes() {
    return this.#strokes.map((stroke) => stroke.map((point) => [...point]));
  }

  get pen() {
    return this.#pen;
  }

  set pen(width) {
    this.#pen = width;
    this.#changed(performance.now());
  }

  get isEmpty() {
    return this.#strokes.length === 0;
  }

  undo() {
    this.#end();
    if (this.#strokes.pop()) this.#changed(performance.now());
  }

  clear() {
    this.#end();
    this.#strokes = [];
    this.#changed(performance.now());
  }

  #listen() {
    const canvas = this.#canvas;
    canvas.addEventListener("pointerdown", (event) => this.#down(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    for (const kind of ["pointerup", "pointercancel", "lostpointercapture"]) {
      canvas.addEventListener(kind, (event) => event.pointerId === this.#pointer && this.#end());
    }
    // The right button, or a long press, in the middle of a stroke.
    canvas.addEventListener("contextmenu", (event) => this.#pointer !== null && event.preventDefault());
    canvas.addEventListener("keydown", (event) => this.#key(event));
    canvas.addEventListener("focus", () => this.#show(canvas.matches(":focus-visible")));
    canvas.addEventListener("blur", () => { this.#lift(); this.#show(false); });
  }

  #down(event) {
    if (this.#pointer !== null || event.button !== 0) return; // one finger draws; a second one is a palm
    this.#lift();
    this.#show(false);
    this.#pointer = event.pointerId;
    this.#canvas.setPointerCapture(event.pointerId);
    this.#strokes.push([this.#place(event)]);
    this.#changed(event.timeStamp);
  }

  #move(event) {
    if (event.pointerId !== this.#pointer) return;
    if (!(event.buttons & 1)) { // released where nobody told us, or while another button was held
      this.#end();
      return;
    }
    // What the device has told since the last frame, not only where it is now.
    const events = event.getCoalescedEvents?.() ?? [];
    const stroke = this.#strokes.at(-1);
    stroke.push(...(events.length ? events : [event]).map((one) => this.#place(one)));
    this.#changed(event.timeStamp);
  }

  #end() {
    this.#pointer = null;
    this.#lift();
  }

  #place(event) {
    const edge = this.#canvas.getBoundingClientRect();
    const border = this.#canvas.clientLeft; // nothing is drawn on it
    const side = edge.width - 2 * border;
    return [rounded(inside((event.clientX - edge.left - border) / side)),
            rounded(inside((event.clientY - edge.top - border) / side))];
  }

  #key(event) {
    const command = event.ctrlKey || event.metaKey;
    if (command && !event.shiftKey && event.key.toLowerCase() === "z") this.undo();
    else if (command || event.altKey) return;
    else if (event.key === "Delete" || event.key === "Backspace") this.clear();
    else if (event.key === " ") this.#toggle(event);
    else if (event.key in DIRECTIONS) this.#step(event);
    else return;
    event.preventDefault(); // the page must not scroll as well
  }

  #toggle(event) {
    const cursor = this.#cursor;
    if (event.repeat || this.#pointer !== null) return;
    cursor.isDown = !cursor.isDown;
    this.#show(true);
    if (cursor.isDown) {
      this.#strokes.push([[rounded(cursor.x), rounded(cursor.y)]]);
      this.#changed(event.timeStamp);
    }
    this.#tell();
  }

  #step(event) {
    const cursor = this.#cursor;
    const [right, down] = DIRECTIONS[event.key];
    const length = event.shiftKey ? LARGE_STEP : STEP;
    cursor.x = inside(cursor.x + right * length);
    cursor.y = inside(cursor.y + down * length);
    this.#show(true);
    if (!cursor.isDown || this.#pointer !== null) return;
    this.#strokes.at(-1).push([rounded(cursor.x), rounded(cursor.y)]);
    this.#changed(event.timeStamp);
  }

  #lift() {
    if (!this.#cursor.isDown) return;
    this.#cursor.isDown = false;
    this.#tell();
  }

  #show(isShown) {
    this.#cursor.isShown = isShown;
    this.#paint();
  }

  #tell() {
    this.dispatchEvent(new CustomEvent("pen", { detail: this.#cursor.isDown }));
  }

  #changed(moment) {
    this.#paint();
    this.dispatchEvent(new CustomEvent("drawn", { detail: moment }));
  }

  // Once a frame, however many changes there were.
  #paint() {
    if (this.#asked) return;
    this.#asked = true;
    requestAnimationFrame(() => {
      this.#asked = false;
      this.#paintNow();
    });
  }

  #paintNow() {
    const canvas = this.#canvas;
    const side = Math.round(canvas.clientWidth * devicePixelRatio);
    if (canvas.width !== side) canvas.width = canvas.height = side;
    const context = canvas.getContext("2d");
    context.clearRect(0, 0, side, side);
    const ink = getComputedStyle(canvas).color;
    Object.assign(context, { lineCap: "round", lineJoin: "round", lineWidth: this.#pen * side, strokeStyle: ink });
    for (const stroke of this.#strokes) {
      context.beginPath();
      const [first, ...rest] = stroke;
      context.moveTo(first[0] * side, first[1] * side);
      for (const [x, y] of rest.length ? rest : [first]) context.lineTo(x * side, y * side);
      context.stroke();
    }
    if (this.#cursor.isShown) this.#paintCursor(context, side);
  }

  #paintCursor(context, side) {
    const { x, y, isDown } = this.#cursor;
    context.beginPath();
    context.arc(x * side, y * side, Math.max(4, this.#pen * side / 2), 0, 2 * Math.PI);
    context.strokeStyle = context.fillStyle = getComputedStyle(this.#canvas).accentColor;
    context.lineWidth = 2 * devicePixelRatio;
    if (isDown) context.fill();
    context.stroke();
  }
}
