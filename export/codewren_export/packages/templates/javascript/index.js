import { readBytes } from "#read-bytes";

import { Model } from "./src/model.js";

export { BundleError, OptionError } from "./src/errors.js";
export { Model };

// Spelt out one by one, so that bundlers see which files to ship.
const FILES = {
  "manifest.json": new URL("./model/manifest.json", import.meta.url),
  "model.onnx": new URL("./model/model.onnx", import.meta.url),
  "tokenizer.json": new URL("./model/tokenizer.json", import.meta.url),
@head@};

// Of the manifest that was checked, with all that it names, when this package was made.
const MANIFEST = { sha256: "@sha256@", bytes: @bytes@ };

/** Read the model, check it, and make it ready; `base` is another place of its files. */
export async function load({ base } = {}) {
  const read = (name, most) => readBytes(base ? new URL(name, base) : FILES[name], most);
  return Model.open(read, MANIFEST);
}
