/** The model's answer for each row of one or two texts. */
export async function ask(model, rows) {
  const answers = [];
  for (const texts of rows) {
    const single = texts.length === 1;
    const answer = single ? await model.predict(...texts) : await model.predictPair(...texts);
    const logits = single ? await model.logits(...texts) : await model.logitsPair(...texts);
    answers.push({ ...answer, logits: [...logits], ids: texts.map((text) => model.windows(text)) });
  }
  return answers;
}
