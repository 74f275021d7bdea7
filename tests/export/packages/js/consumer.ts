// A program in TypeScript that uses the package; it is compiled, not run.
import { BundleError, load, type Model, type Prediction } from "my-model";

const model: Model = await load({ base: new URL("https://example.org/model/") });
const prediction: Prediction = await model.predict("int a;");
const embedding: Float32Array = await model.embed("int a;");
export const both: [string, number] = [prediction.label, (await model.compare(embedding, embedding)).probability];
export const error: Error = new BundleError("as others");
// @ts-expect-error: one text is no pair
await model.predictPair("int a;");
