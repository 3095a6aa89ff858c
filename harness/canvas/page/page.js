// The page: what is drawn goes to the model, what it answers goes into the bars.

import { Model } from "./answer.js";
import { Pad } from "./pad.js";

const WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
const SURE = 0.5; // from here on the text names one digit, below two
const QUIET = 700; // milliseconds of rest before a screen reader is told

const find = (id) => document.getElementById(id);
const percent = (share, digits = 0) => `${(100 * share).toFixed(digits)}\u00a0%`;

const pad = new Pad(find("pad"));
const model = new Model();
const rows = makeRows(find("bars").tBodies[0]);
const kept = new Map();
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
  const one = `${WORDS[first.digit]} (${percent(first.share)})`;
  if (first.share >= SURE) return `This is most likely a ${one}.`;
  return `This could be a ${one}, or a ${WORDS[second.digit]} (${percent(second.share)}).`;
}

function show({ probabilities, picture, milliseconds, moment, isNewest }) {
  const sorted = sortedByShare(probabilities);
  rows.forEach(({ row, bar, share }, digit) => {
    bar.style.inlineSize = `${100 * probabilities[digit]}%`;
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
  find("again").hidden = true;
  find("bars").ariaBusy = String(!isNewest);
  const elapsed = performance.now() - moment;
  find("latency").textContent = `${elapsed.toFixed(0)} ms from stroke to bars, ${milliseconds.toFixed(0)} of them the model's`;
  find("latency").dataset.milliseconds = elapsed.toFixed(2);
  if (isNewest) find("label").value = String(sorted[0].digit);
  say(words);
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
  find("again").hidden = true;
  find("bars").ariaBusy = "false";
  showPicture(new Array(28 * 28).fill(0));
  say("The canvas is empty.");
}

function asks(moment) {
  find("hint").hidden = !pad.isEmpty;
  for (const id of ["undo", "clear", "keep"]) find(id).disabled = pad.isEmpty;
  if (pad.isEmpty) {
    model.forget();
    showNothing();
    return;
  }
  const mapping = document.querySelector("input[name=mapping]:checked").value;
  model.ask({ strokes: pad.strokes, pen: pad.pen, mapping }, moment);
}

function keep() {
  const label = find("label").value;
  kept.set(label, [...(kept.get(label) ?? []), { pen: pad.pen, strokes: pad.strokes }]);
  find("kept").textContent = `Kept: ${[...kept].map(([digit, some]) => `${some.length} × ${digit}`).join(", ")}`;
  find("save").disabled = false;
}

function save() {
  const entries = [...kept].sort().map(([label, some]) =>
    `"${label}": [\n${some.map((drawing) => JSON.stringify(drawing)).join(",\n")}\n]`);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([`{\n${entries.join(",\n")}\n}\n`], { type: "application/json" }));
  link.download = "drawn-digits.json";
  link.click();
  URL.revokeObjectURL(link.href);
}

async function introduce() {
  try {
    const about = await (await fetch("/about")).json();
    find("source").textContent = `Answers come from ${about.source}.`;
    find("price").textContent = about.price;
    find("price").hidden = !about.price;
    find("pen").value = pad.pen = about.pen.default;
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
  find("bars").ariaBusy = "true";
  find("latency").textContent = "Waiting for the endpoint …";
});
model.addEventListener("problem", (event) => {
  find("bars").ariaBusy = "true";
  find("latency").textContent = "";
  find("problem").textContent = `No answer to this drawing. ${event.detail}`;
  find("again").hidden = false;
});
find("undo").addEventListener("click", () => pad.undo());
find("clear").addEventListener("click", () => pad.clear());
find("again").addEventListener("click", () => asks(performance.now()));
find("pen").addEventListener("input", (event) => { pad.pen = Number(event.target.value); });
find("keep").addEventListener("click", keep);
find("save").addEventListener("click", save);
for (const choice of document.querySelectorAll("input[name=mapping]")) {
  choice.addEventListener("change", () => asks(performance.now()));
}
find("label").append(...WORDS.map((_, digit) => new Option(digit, digit)));
showNothing();
introduce();
