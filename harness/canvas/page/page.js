// The page: what is drawn goes to the model, what it answers goes into the bars.

import { Model } from "./answer.js";
import { Pad } from "./pad.js";

const WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
const SURE = 0.5; // from here on the text names one digit, below two
const QUIET = 700; // milliseconds of rest before a screen reader is told

const find = (id) => document.getElementById(id);
const percent = (share, digits = 0) => `${(100 * share).toFixed(digits)}\u00a0%`;
const width = (share) => `${100 * Math.min(1, Math.max(0, share))}%`; // some models answer what is no probability

const pad = new Pad(find("pad"));
const model = new Model();
const rows = makeRows(find("bars").tBodies[0]);
const kept = new Map(); // drawing as JSON: what it shows; so the same one is not kept twice
let isSaved = true;
let isLabelChosen = false;
let speaking = 0;

function makeRows(body) {
  return WORDS.map((word, digit) => {
    const row = body.insertRow();
    const name = document.createElement("th");
    name.scope = "row";
    name.textContent = digit;
    const track = document.createElement("td");
    const bar = document.createElement("div");
    bar.className = "bar";
    track.append(bar);
    track.ariaHidden = "true";
    const share = document.createElement("td");
    share.className = "share";
    share.textContent = "–";
    row.append(name, track, share);
    return { row, bar, share };
  });
}

function sortedByShare(probabilities) {
  return probabilities.map((share, digit) => ({ digit, share })).sort((one, other) => other.share - one.share);
}

function inWords([first, second]) {
  const one = ({ digit, share }) => `${digit === 8 ? "an" : "a"} ${WORDS[digit]} (${percent(share)})`;
  if (first.share >= SURE) return `This is most likely ${one(first)}.`;
  return `This could be ${one(first)}, or ${one(second)}.`;
}

function show({ probabilities, picture, milliseconds, moment, isNewest }) {
  const sorted = sortedByShare(probabilities);
  rows.forEach(({ row, bar, share }, digit) => {
    bar.style.inlineSize = width(probabilities[digit]);
    share.textContent = percent(probabilities[digit], 1);
    row.className = digit === sorted[0].digit ? "most-likely" : "";
  });
  const words = inWords(sorted);
  find("answer").textContent = words;
  find("answer").dataset.digit = sorted[0].digit;
  find("sorted").replaceChildren(...sorted.map(({ digit, share }) => item(`${digit}: ${percent(share, 2)}`)));
  find("raw").textContent = JSON.stringify([probabilities]);
  showPicture(picture);
  find("problem").textContent = "";
  withdraw("again", "hidden");
  find("bars").ariaBusy = String(!isNewest);
  markStale(false);
  const elapsed = performance.now() - moment;
  find("latency").textContent = `${elapsed.toFixed(0)} ms from stroke to bars, ${milliseconds.toFixed(0)} of them the model's`;
  find("latency").dataset.milliseconds = elapsed.toFixed(2);
  if (!isNewest) return;
  propose(String(sorted[0].digit));
  say(words);
}

function markStale(isStale) {
  for (const id of ["bars", "answer"]) find(id).classList.toggle("stale", isStale);
  if (isStale && !("digit" in find("answer").dataset)) find("answer").textContent = "No answer yet.";
}

// What the drawing shows: as the model says, until somebody says otherwise; nothing while neither has.
function propose(label) {
  if (!isLabelChosen) find("label").value = label;
  offerKeeping();
}

function offerKeeping() {
  if (pad.isEmpty || !find("label").value) withdraw("keep", "disabled");
  else find("keep").disabled = false;
}

// The keyboard's focus must not go with a button.
function withdraw(id, how) {
  const isFocused = find(id) === document.activeElement;
  find(id)[how] = true;
  if (isFocused) find("pad").focus({ preventScroll: true });
}

function item(text) {
  const element = document.createElement("li");
  element.textContent = text;
  return element;
}

function showPicture(levels) {
  const canvas = find("picture");
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(28, 28);
  levels.forEach((level, index) => pixels.data.set([level, level, level, 255], 4 * index));
  context.putImageData(pixels, 0, 0);
  canvas.ariaLabel = levels.some(Boolean) ? "Your drawing as the model sees it, white on black" : "Nothing yet";
}

// Aloud only once the drawing rests: bars move many times a second.
function say(words) {
  clearTimeout(speaking);
  speaking = setTimeout(() => { find("spoken").textContent = words; }, QUIET);
}

function showNothing() {
  rows.forEach(({ row, bar, share }) => {
    bar.style.inlineSize = "0";
    share.textContent = "–";
    row.className = "";
  });
  for (const id of ["sorted", "raw", "problem", "latency"]) find(id).textContent = "";
  delete find("latency").dataset.milliseconds;
  delete find("answer").dataset.digit;
  find("answer").textContent = "Nothing is drawn yet.";
  withdraw("again", "hidden");
  find("bars").ariaBusy = "false";
  markStale(false);
  isLabelChosen = false;
  propose("");
  showPicture(new Array(28 * 28).fill(0));
  say("The canvas is empty.");
}

function asks(moment) {
  clearTimeout(speaking);
  find("hint").hidden = !pad.isEmpty;
  if (pad.isEmpty) {
    for (const id of ["undo", "clear"]) withdraw(id, "disabled");
    model.forget();
    showNothing();
    return;
  }
  for (const id of ["undo", "clear"]) find(id).disabled = false;
  find("bars").ariaBusy = "true";
  const mapping = document.querySelector("input[name=mapping]:checked").value;
  model.ask({ strokes: pad.strokes, pen: pad.pen, mapping }, moment);
}

function keep() {
  kept.set(JSON.stringify({ pen: pad.pen, strokes: pad.strokes }), find("label").value);
  find("kept").textContent = `Kept: ${byLabel().map(([label, some]) => `${some.length} × ${label}`).join(", ")}`;
  find("save").disabled = false;
  isSaved = false;
}

function byLabel() {
  const groups = WORDS.map((_, digit) => [String(digit), [...kept].filter(([, label]) => label === String(digit))]);
  return groups.filter(([, some]) => some.length).map(([label, some]) => [label, some.map(([drawing]) => drawing)]);
}

function save() {
  const entries = byLabel().map(([label, some]) => `"${label}": [\n${some.join(",\n")}\n]`);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([`{\n${entries.join(",\n")}\n}\n`], { type: "application/json" }));
  link.download = "drawn-digits.json";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // a browser may ask its user first
  isSaved = true;
}

async function introduce() {
  const response = await fetch("/about");
  if (!response.ok) throw new Error(`status ${response.status}`);
  const about = await response.json();
  find("source").textContent = `Answers come from ${about.source}.`;
  find("price").textContent = about.price;
  find("price").hidden = !about.price;
  return about;
}

async function begin() {
  try {
    find("pen").value = pad.pen = (await introduce()).pen.default;
  } catch {
    find("source").textContent = "";
    find("problem").textContent = "The program behind this page does not answer. Start byom draw again.";
  }
}

pad.addEventListener("drawn", (event) => asks(event.detail));
pad.addEventListener("pen", ({ detail: isDown }) => {
  find("pen-state").textContent = isDown ? "Pen down" : "Pen up";
  find("pad").ariaLabel = `Canvas for one digit, pen ${isDown ? "down" : "up"}`;
});
model.addEventListener("answer", (event) => show(event.detail));
model.addEventListener("waiting", () => {
  markStale(true);
  propose("");
  find("latency").textContent = "Waiting for the endpoint …";
});
model.addEventListener("problem", (event) => {
  markStale(true);
  propose("");
  find("latency").textContent = "";
  find("problem").textContent = `No answer to this drawing. ${event.detail}`;
  find("again").hidden = false;
});
find("undo").addEventListener("click", () => pad.undo());
find("clear").addEventListener("click", () => pad.clear());
find("again").addEventListener("click", () => {
  find("problem").textContent = ""; // so that the same words are seen, and heard, to come again
  asks(performance.now());
});
find("pen").addEventListener("input", (event) => { pad.pen = Number(event.target.value); });
find("keep").addEventListener("click", keep);
find("save").addEventListener("click", save);
find("label").addEventListener("change", () => {
  isLabelChosen = Boolean(find("label").value);
  offerKeeping();
});
for (const choice of document.querySelectorAll("input[name=mapping]")) {
  choice.addEventListener("change", () => asks(performance.now()));
}
addEventListener("beforeunload", (event) => isSaved || event.preventDefault());
// Back from the terminal, where byom draw may have been started again with another model.
addEventListener("focus", () => introduce().catch(() => {}));
find("label").append(new Option("–", ""), ...WORDS.map((_, digit) => new Option(digit, digit)));
asks(performance.now());
begin();
