import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import test from "node:test";

import { load, OptionError } from "../index.js";

const { rows } = JSON.parse(await readFile(new URL("expected.json", import.meta.url)));
const model = await load();
const judge = (texts) => (texts.length === 1 ? model.predict(...texts) : model.predictPair(...texts));

for (const [i, { texts, label, probability }] of rows.entries()) {
  test(`text ${i} is judged as in Python`, async () => {
    const answer = await judge(texts);
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
