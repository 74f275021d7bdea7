// One ONNX graph of known inputs and one output of known width.

import * as ort from "#onnxruntime";

import { BundleError } from "./errors.js";

const OPTIONS = {
  // One thread: more gain little on a model of this size, and wasm threads need special headers.
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
  executionMode: "sequential",
  logSeverityLevel: 4,
  enableMemPattern: false,
};

export const int64 = (ids) => new ort.Tensor("int64", BigInt64Array.from(ids, BigInt), [1, ids.length]);
export const float32 = (values) => new ort.Tensor("float32", values, [1, values.length]);

export class Session {
  #session;
  #name;
  #output;
  #width;
  #last = Promise.resolve();

  /** Open `graph`; BundleError if its inputs or its output have other names. */
  static async open(name, graph, inputs, output, width) {
    const session = new Session();
    try {
      session.#session = await ort.InferenceSession.create(graph, OPTIONS);
    } catch (cause) {
      throw new BundleError(`${name} cannot be opened by onnxruntime (${cause.message})`, { cause });
    }
    const { inputNames, outputNames } = session.#session;
    if (String(inputNames) !== String(inputs) || String(outputNames) !== output) {
      throw new BundleError(`${name} must turn ${inputs.join(", ")} into ${output}: export it again`);
    }
    [session.#name, session.#output, session.#width] = [name, output, width];
    return session;
  }

  /** The output's one row, a Float32Array of its width. Calls take turns: wasm has one stack. */
  run(feeds) {
    const turn = this.#last.then(() => this.#run(feeds));
    this.#last = turn.catch(() => {});
    return turn;
  }

  async #run(feeds) {
    let answer;
    try {
      answer = (await this.#session.run(feeds))[this.#output];
    } catch (cause) {
      throw new BundleError(`${this.#name} failed (${cause.message}); export it again`, { cause });
    }
    if (answer.type !== "float32" || String(answer.dims) !== `1,${this.#width}`) {
      throw new BundleError(`${this.#name}: ${this.#output} must be 1 × ${this.#width} in float32`);
    }
    const values = Float32Array.from(answer.data);
    if (!values.every(Number.isFinite)) {
      throw new BundleError(`${this.#name}: ${this.#output} is not finite; train it again`);
    }
    return values;
  }
}
