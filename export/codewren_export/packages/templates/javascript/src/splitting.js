// Where to cut a text that is longer than the window, so that little syntax is torn.
// Places are indices into the string, each with a character before and after it.

import { isSpace } from "./text.js";

/** The last of the places `ends`, ascending, that tears the least. */
export function bestCut(text, ends) {
  let best = ends[0];
  let least = -1;
  for (const end of ends) {
    const neutrality = neutralityOf(text, end);
    if (neutrality >= least) [best, least] = [end, neutrality];
  }
  return best;
}

function neutralityOf(text, at) {
  const before = text[at - 1];
  const after = text[at];
  const endsBlock = before === "}" || before === ";";
  if (after === "\n") return endsBlock || isDedent(text, at) ? 4 : 3;
  if (endsBlock) return 2;
  return isSpace(before) || isSpace(after) ? 1 : 0;
}

function isDedent(text, end) {
  const begin = text.lastIndexOf("\n", end - 1) + 1;
  return indentation(text, end + 1) < indentation(text, begin);
}

function indentation(text, begin) {
  let at = begin;
  while (text[at] === " ") at += 1;
  return at - begin;
}
