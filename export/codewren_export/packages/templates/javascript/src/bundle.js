// The model's files: the very bytes that were checked when this package was made, or none. So
// none of the checks of docs/bundle.md is made again here. Whoever can replace this code is not
// kept out; whoever can replace the files alone is.

import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";

import { BundleError } from "./errors.js";

/**
 * Manifest, parts and size. `read(name, most)` gives the bytes of one file, `most` at most;
 * `expected` is the manifest's own hash and length.
 */
export async function readBundle(read, expected) {
  const manifestBytes = await read("manifest.json", expected.bytes);
  require(manifestBytes, expected, "manifest.json is not the one that this package was made with");
  const manifest = parse(manifestBytes);
  const part = async (name) => {
    const info = manifest.files[name];
    const bytes = await read(name, info.bytes);
    require(bytes, info, `${name} is not what the manifest says`);
    return bytes;
  };
  const names = ["tokenizer.json", "model.onnx", "head.onnx"].filter((name) => manifest.files[name]);
  const parts = await Promise.all(names.map(part));
  const [tokenizer, model, head = null] = parts;
  const sizeBytes = parts.reduce((sum, bytes) => sum + bytes.length, manifestBytes.length);
  return { manifest, model, head, tokenizer: parse(tokenizer), sizeBytes };
}

function require(bytes, expected, otherwise) {
  if (bytes.length !== expected.bytes || bytesToHex(sha256(bytes)) !== expected.sha256) {
    throw new BundleError(`${otherwise}: damaged, install it again`);
  }
}

function parse(bytes) {
  return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
}
