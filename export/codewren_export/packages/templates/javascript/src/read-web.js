import { BundleError } from "./errors.js";

/** The bytes at a URL, `most` at most. */
export async function readBytes(url, most) {
  let response;
  try {
    response = await fetch(url);
  } catch (cause) {
    throw new BundleError(`${url} cannot be fetched; are the model's files served?`, { cause });
  }
  if (!response.ok) {
    throw new BundleError(`${url}: status ${response.status}; are the model's files served?`);
  }
  const bytes = new Uint8Array(most);
  const reader = response.body.getReader();
  let at = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return bytes.subarray(0, at);
    if (at + value.length > most) {
      await reader.cancel();
      throw new BundleError(`${url} has more than ${most} bytes: install it again`);
    }
    bytes.set(value, at);
    at += value.length;
  }
}
