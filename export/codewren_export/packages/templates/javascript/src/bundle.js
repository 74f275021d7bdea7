// The model's files and the checks of docs/bundle.md that make sense here: the schema, the fields,
// the hashes, the tokenizer's kind. Whoever can replace the files can replace this code too, so
// what Python checks against forgery (the graph's operators, sizes of tensors) was checked when
// the package was made.

import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";

import { BundleError } from "./errors.js";

const SCHEMA = 2;
const MAX_WINDOW = 8_192;
const FIELDS = [
  "schema", "task", "architecture", "files", "decision", "long_inputs", "quantisation",
  "provenance", "metrics",
];
const LONG_INPUTS = ["truncate", "split-mean", "split-max"];

/** Manifest, parts and size, checked; `read(name)` gives the bytes of one file. */
export async function readBundle(read) {
  const manifestBytes = await read("manifest.json");
  const manifest = parse("manifest.json", manifestBytes);
  checkManifest(manifest);
  const names = ["model.onnx", "tokenizer.json"];
  if (manifest.task.kind === "pair") names.unshift("head.onnx");
  if (String(Object.keys(manifest.files).sort()) !== String(names)) {
    throw new BundleError(`manifest.json must name ${names.join(", ")}: export it again`);
  }
  const parts = await Promise.all(names.map(read));
  names.forEach((name, i) => checkPart(name, parts[i], manifest.files[name]));
  const [tokenizerBytes, model, head = null] = parts.reverse();
  const tokenizer = parse("tokenizer.json", tokenizerBytes);
  checkTokenizer(tokenizer, manifest.architecture.vocab_size);
  const sizeBytes = parts.reduce((sum, part) => sum + part.length, manifestBytes.length);
  return { manifest, model, head, tokenizer, sizeBytes };
}

function parse(name, bytes) {
  let value;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new BundleError(`${name} is not JSON: copy it again`, { cause });
  }
  if (value === null || typeof value !== "object" || Array.isArray(value)) {
    throw new BundleError(`${name} is not a JSON object: export it again`);
  }
  return value;
}

function checkPart(name, bytes, info) {
  if (bytes.length !== info?.bytes || bytesToHex(sha256(bytes)) !== info.sha256) {
    throw new BundleError(`${name} is not what the manifest says: damaged, copy it again`);
  }
}

function checkManifest(manifest) {
  if (manifest.schema !== SCHEMA) {
    throw new BundleError(`schema ${manifest.schema} instead of ${SCHEMA}: export it again`);
  }
  const odd = [
    ...FIELDS.filter((name) => !(name in manifest)),
    ...Object.keys(manifest).filter((name) => !FIELDS.includes(name)),
  ];
  require(odd.length === 0, `field '${odd[0]}'`);
  const { task, architecture, decision, long_inputs: longInputs } = manifest;
  const { labels } = task;
  require(["single", "pair", "embedding"].includes(task.kind), "task.kind");
  const labelled = task.kind !== "embedding";
  require(Array.isArray(labels) && (labelled ? labels.length > 1 : !labels.length), "task.labels");
  require(new Set(labels).size === labels.length, "task.labels");
  require(["structure", "published", "words", "raw"].includes(task.normalisation), "task.normalisation");
  const { max_length: window } = architecture;
  require(Number.isInteger(window) && window >= 8 && window <= MAX_WINDOW, "max_length");
  require(decision.temperature >= 0.01 && decision.temperature <= 100, "decision.temperature");
  require((decision.positive === null) === (decision.threshold === null), "decision.threshold");
  if (decision.positive !== null) {
    require(labels.length === 2 && labels.includes(decision.positive), "decision.positive");
    require(decision.threshold > 0 && decision.threshold < 1, "decision.threshold");
  }
  require(LONG_INPUTS.includes(longInputs), "long_inputs");
  const ofTwo = task.kind === "single" && labels.length === 2;
  require(longInputs !== "split-max" || ofTwo, "long_inputs");
}

function checkTokenizer(tokenizer, vocabSize) {
  const { model, pre_tokenizer: words, post_processor: post } = tokenizer;
  const ok =
    model?.type === "BPE" &&
    words?.type === "ByteLevel" && words.use_regex === true &&
    !tokenizer.normalizer && !post?.trim_offsets;
  if (!ok) throw new BundleError("tokenizer.json is not the byte-level BPE that training makes");
  if (Object.keys(model.vocab).length > vocabSize) {
    throw new BundleError(`tokenizer.json has more than the model's ${vocabSize} tokens`);
  }
}

function require(holds, what) {
  if (!holds) throw new BundleError(`manifest.json: ${what} is not as it must be: export it again`);
}
