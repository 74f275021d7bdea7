// Text in, label and probabilities out: codewren's Python `Model`, in JavaScript.

import { readBundle } from "./bundle.js";
import { decide } from "./decision.js";
import { OptionError } from "./errors.js";
import { Session, float32, int64 } from "./session.js";
import { CodeTokenizer } from "./tokenizer.js";

const USES = {
  single: "judges one code at a time; use predict",
  pair: "compares two codes; use predictPair",
  embedding: "gives embeddings for search, no labels; use embed",
};

export class Model {
  #tokenizer;
  #text;
  #head = null;

  /** A model of the files that `read(name, most)` gives, if `expected` is of their manifest. */
  static async open(read, expected) {
    const { manifest, model, head, tokenizer, sizeBytes } = await readBundle(read, expected);
    const { architecture, task } = manifest;
    const made = new Model();
    made.manifest = manifest;
    made.sizeBytes = sizeBytes;
    made.#tokenizer = new CodeTokenizer(tokenizer, architecture.max_length, task.normalisation);
    const [output, width] = task.kind === "single"
      ? ["logits", task.labels.length]
      : ["embedding", architecture.hidden_size];
    made.#text = await Session.open("model.onnx", model, ["input_ids"], output, width);
    if (head) {
      const inputs = ["embedding_1", "embedding_2"];
      made.#head = await Session.open("head.onnx", head, inputs, "logits", task.labels.length);
    }
    await made.#probe();
    return made;
  }

  get task() {
    return this.manifest.task;
  }

  get labels() {
    return this.manifest.task.labels;
  }

  /** Judge one text. */
  async predict(code) {
    return this.#decide(await this.logits(code));
  }

  /** Judge two texts together. */
  async predictPair(code1, code2) {
    return this.#decide(await this.logitsPair(code1, code2));
  }

  /** Raw scores of one text. */
  async logits(code) {
    this.#require("single");
    return this.#read(code);
  }

  /** Raw scores of two texts. */
  async logitsPair(code1, code2) {
    this.#require("pair");
    return this.#compare(await this.embed(code1), await this.embed(code2));
  }

  /**
   * The embedding of one text: of a model of pairs for `compare`, of an embedding model of unit
   * length, so that the dot product of two says how alike their texts are.
   */
  async embed(code) {
    if (this.task.kind === "embedding") return unit(await this.#read(code));
    this.#require("pair");
    return this.#read(code);
  }

  /** Judge two texts by what `embed` gave for them. */
  async compare(embedding1, embedding2) {
    this.#require("pair");
    const width = this.manifest.architecture.hidden_size;
    for (const embedding of [embedding1, embedding2]) {
      if (!(embedding instanceof Float32Array) || embedding.length !== width) {
        throw new TypeError(`an embedding is a Float32Array of ${width}, as embed gives it`);
      }
    }
    return this.#decide(await this.#compare(embedding1, embedding2));
  }

  /** Token ids of each window of a text. */
  windows(code) {
    if (typeof code !== "string") throw new TypeError(`code must be a string, not ${typeof code}`);
    return this.manifest.long_inputs === "truncate"
      ? [this.#tokenizer.encode(code)]
      : this.#tokenizer.windows(code);
  }

  #require(kind) {
    if (this.task.kind !== kind) throw new OptionError(`this model ${USES[this.task.kind]}`);
  }

  async #read(code) {
    const windows = this.windows(code);
    const answers = [];
    for (const ids of windows) answers.push(await this.#encode(ids));
    if (answers.length === 1) return answers[0];
    if (this.manifest.long_inputs === "split-max") return this.#likeliest(answers);
    return mean(answers, windows.map((ids) => ids.length - 2));
  }

  /** Of two labels, the window that is likeliest to be positive. */
  #likeliest(answers) {
    const at = this.labels.indexOf(this.manifest.decision.positive ?? this.labels[1]);
    const margins = answers.map((answer) => Math.fround(answer[at] - answer[1 - at]));
    return answers[margins.indexOf(Math.max(...margins))];
  }

  #encode(ids) {
    return this.#text.run({ input_ids: int64(ids) });
  }

  #compare(embedding1, embedding2) {
    return this.#head.run({ embedding_1: float32(embedding1), embedding_2: float32(embedding2) });
  }

  #decide(logits) {
    return decide(this.manifest.decision, logits, this.labels);
  }

  /** One tiny prediction: what a graph declares is not always what it answers. */
  async #probe() {
    const { bosId, eosId, vocabSize } = this.#tokenizer;
    const answer = await this.#encode([bosId, vocabSize - 1, eosId]);
    if (this.#head) await this.#compare(answer, answer);
  }
}

/** The vector at length 1; zeros stay as they are. */
function unit(vector) {
  const length = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
  return length ? vector.map((value) => value / length) : vector;
}

function mean(answers, weights) {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return answers[0].map((_, i) =>
    answers.reduce((sum, answer, window) => sum + answer[i] * weights[window], 0) / total,
  );
}
