import { BundleError } from "./errors.js";

/** The bytes at a URL. */
export async function readBytes(url) {
  let response;
  try {
    response = await fetch(url);
  } catch (cause) {
    throw new BundleError(`${url} cannot be fetched; are the model's files served?`, { cause });
  }
  if (!response.ok) {
    throw new BundleError(`${url}: status ${response.status}; are the model's files served?`);
  }
  return new Uint8Array(await response.arrayBuffer());
}
