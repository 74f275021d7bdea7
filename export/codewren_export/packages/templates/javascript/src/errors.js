/** A model's files that are damaged, incomplete or others. */
export class BundleError extends Error {
  name = "BundleError";
}

/** A call that does not fit the model: one text for a model of pairs, say. */
export class OptionError extends Error {
  name = "OptionError";
}
