import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

/** The bytes at a file URL. */
export async function readBytes(url) {
  return new Uint8Array(await readFile(fileURLToPath(url)));
}
