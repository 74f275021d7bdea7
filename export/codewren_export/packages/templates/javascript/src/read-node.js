import { readFile, stat } from "node:fs/promises";
import { fileURLToPath } from "node:url";

import { BundleError } from "./errors.js";

// Before the first graph is opened: else onnxruntime would note it in a database in the user's
// cache, and send it to Microsoft. Whoever wants that says 0.
process.env.ORT_DISABLE_TELEMETRY ??= "1";

/** The bytes at a file URL, `most` at most. */
export async function readBytes(url, most) {
  const path = fileURLToPath(url);
  const { size } = await stat(path);
  if (size > most) throw new BundleError(`${path} has more than ${most} bytes: install it again`);
  return new Uint8Array(await readFile(path));
}
