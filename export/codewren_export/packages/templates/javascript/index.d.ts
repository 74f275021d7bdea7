/** What the model is and how it decides; see docs/bundle.md of codewren. */
export interface Manifest {
  schema: 2;
  task: {
    name: string;
    kind: "single" | "pair" | "embedding";
    labels: string[];
    normalisation: "structure" | "published" | "words" | "raw" | "nameless";
  };
  architecture: Record<string, number>;
  files: Record<string, { sha256: string; bytes: number }>;
  decision: {
    temperature: number;
    positive: string | null;
    threshold: number | null;
    calibration: Record<string, unknown>;
  };
  long_inputs: "truncate" | "split-mean" | "split-max";
  quantisation: Record<string, unknown>;
  provenance: Record<string, unknown>;
  metrics: Record<string, unknown>;
}

/** The label, its probability, and all probabilities by label. */
export interface Prediction {
  label: string;
  probability: number;
  probabilities: Record<string, number>;
}

/** A model that is ready to predict; made by `load`. Any string has an answer. */
export class Model {
  private constructor();
  readonly manifest: Manifest;
  readonly task: Manifest["task"];
  /** The labels, in the order of the logits. */
  readonly labels: string[];
  /** What the model's files take together. */
  readonly sizeBytes: number;
  /** Judge one text; OptionError for another kind of model. */
  predict(code: string): Promise<Prediction>;
  /** Judge two texts together; OptionError for another kind of model. */
  predictPair(code1: string, code2: string): Promise<Prediction>;
  /** Raw scores of one text, by label. */
  logits(code: string): Promise<Float32Array>;
  /** Raw scores of two texts, by label. */
  logitsPair(code1: string, code2: string): Promise<Float32Array>;
  /** The embedding of one text: for `compare`, or of unit length from an embedding model. */
  embed(code: string): Promise<Float32Array>;
  /** Of a model of pairs: judge two texts by their embeddings. */
  compare(embedding1: Float32Array, embedding2: Float32Array): Promise<Prediction>;
  /** Token ids of each window that is read of a text. */
  windows(code: string): number[][];
}

export interface LoadOptions {
  /** Where the model's files are, ending in a slash; the package's own by default. */
  base?: string | URL;
}

/** Read the model and make it ready; BundleError unless it is the one that this was made with. */
export function load(options?: LoadOptions): Promise<Model>;

/** A model's files that are damaged, incomplete or others. */
export class BundleError extends Error {}

/** A call that does not fit the model. */
export class OptionError extends Error {}
