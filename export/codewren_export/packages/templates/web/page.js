import { env } from "#onnxruntime";

import { load } from "./wren/index.js";

env.wasm.wasmPaths = new URL("./vendor/onnxruntime-web/", import.meta.url).href;
env.wasm.numThreads = 1; // more need headers that not every server sends

const LONGEST_LIST = 20;
const percent = new Intl.NumberFormat("en", { style: "percent", minimumFractionDigits: 1 });
const milliseconds = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const element = (id) => document.getElementById(id);
const boxes = [...document.querySelectorAll("textarea")];
const say = (...content) => element("status").replaceChildren(...content);

async function judge(model) {
  const texts = boxes.map((box) => box.value);
  const begin = performance.now();
  const answer = texts.length === 1 ? await model.predict(...texts) : await model.predictPair(...texts);
  show(answer, performance.now() - begin);
}

function show({ label, probability, probabilities }, elapsed) {
  const verdict = document.createElement("strong");
  verdict.textContent = label;
  say(verdict, ` ${percent.format(probability)} in ${milliseconds.format(elapsed)} ms`);
  const rows = Object.entries(probabilities).sort(([, one], [, other]) => other - one);
  element("probabilities").replaceChildren(...rows.slice(0, LONGEST_LIST).map(row));
  element("answer").hidden = false;
}

function row([label, probability]) {
  const line = document.createElement("tr");
  const name = document.createElement("th");
  name.scope = "row";
  name.textContent = label;
  const number = document.createElement("td");
  number.textContent = percent.format(probability);
  const bar = document.createElement("meter");
  bar.value = probability;
  bar.setAttribute("aria-hidden", "true"); // the number beside it says the same
  const last = document.createElement("td");
  last.append(bar);
  line.append(name, number, last);
  return line;
}

async function start() {
  const model = await load();
  const form = element("form");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    judge(model).catch((error) => say(`That failed: ${error.message}`));
  });
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
  element("judge").disabled = false;
  say("Ready.");
}

start().catch((error) => say(`The model could not be loaded: ${error.message}`));
