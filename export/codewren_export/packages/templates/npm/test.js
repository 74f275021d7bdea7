import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import test from "node:test";

import { load, OptionError } from "../index.js";

const { rows } = JSON.parse(await readFile(new URL("expected.json", import.meta.url)));
const model = await load();
const verb = { single: "predict", pair: "predictPair", embedding: "embed" }[model.task.kind];
const judge = (texts) => model[verb](...texts);

for (const [i, { texts, label, probability, embedding }] of rows.entries()) {
  test(`text ${i} is answered as in Python`, async () => {
    const answer = await judge(texts);
    if (embedding) {
      const far = Math.max(...embedding.map((value, k) => Math.abs(value - answer[k])));
      assert.ok(far < 1e-3, `${far}`);
      return;
    }
    assert.equal(answer.label, label);
    assert.ok(Math.abs(answer.probability - probability) < 1e-3, `${answer.probability}`);
  });
}

test("what is no text is refused", async () => {
  await assert.rejects(judge(rows[0].texts.map(() => 1)), TypeError);
});

test("a call that does not fit the model is refused", async () => {
  const other = model.task.kind === "pair" ? model.predict("") : model.predictPair("", "");
  await assert.rejects(other, OptionError);
});
