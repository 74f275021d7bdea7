// From logits to an answer: temperature and threshold, as the manifest has them.

/** The answer for the logits of `labels`. */
export function decide(decision, logits, labels) {
  const top = Math.max(...logits);
  const weights = Array.from(logits, (logit) => Math.exp((logit - top) / decision.temperature));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const label = labelOf(decision, logits, labels);
  const probabilities = Object.fromEntries(labels.map((name, i) => [name, weights[i] / total]));
  return { label, probability: weights[labels.indexOf(label)] / total, probabilities };
}

function labelOf({ temperature, positive, threshold }, logits, labels) {
  if (positive === null) return labels[logits.indexOf(Math.max(...logits))];
  const at = labels.indexOf(positive);
  // In logits: a probability near 0 or 1 is rounded, their difference is not.
  const margin = (logits[at] - logits[1 - at]) / temperature;
  return labels[margin >= Math.log(threshold / (1 - threshold)) ? at : 1 - at];
}
