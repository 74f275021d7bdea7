// Text as Python sees it: characters are code points, white space is str.isspace.
// JavaScript's own \s and trim() differ: they take U+FEFF and leave U+001C to U+001F and U+0085.

const SPACE = "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const SPACES = new RegExp(`[${SPACE}]+`, "u");
const ONE_SPACE = new RegExp(`^[${SPACE}]$`, "u");
const LINE_END = /\r\n|[\n-\r\x1c-\x1e\x85\u2028\u2029]/u;
const WORD = new RegExp(
  `[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^A-Za-z0-9;,(){}._${SPACE}]+`, "gu",
);
// What may be a variable's name is the group; see Python's VARIABLE for what is passed over.
const VARIABLE = new RegExp(
  [
    String.raw`\/\/[^\n]*|\/\*[\s\S]*?(?:\*\/|$)`,
    String.raw`"(?:[^"\\\n]+|\\[\s\S])*"?|'(?:[^'\\\n]+|\\[\s\S])*'?`,
    String.raw`[.]?[0-9][\w.]*|(?:->|[.])[\t-\r ]*[A-Za-z_]\w*|#[\t ]*[a-z]+`,
    String.raw`[A-Za-z_]\w*(?=[\t-\r ]*\()|[A-Za-z_]\w*(?=[\t-\r ]+\**[A-Za-z_])`,
    String.raw`\w*_t\b|(?=[0-9_]*[A-Z])[A-Z_][A-Z0-9_]+\b`,
    String.raw`([A-Za-z_]\w*)`,
  ].join("|"),
  "gu",
);
const KEYWORDS = new Set(
  (
    "auto bool break case char const continue default do double else enum extern false finally " +
    "float for goto if inline int long null nullptr register restrict return short signed sizeof " +
    "static struct super switch this throw true try typedef union unsigned void volatile while"
  ).split(" "),
);
const ANY_NAME = "v";
const LONE_SURROGATE = /\p{Surrogate}/gu;
const TAB_WIDTH = 4;

/** Source text as the model was trained on it; `mode` is the manifest's `task.normalisation`. */
export function normalise(text, mode) {
  const sound = text.replace(LONE_SURROGATE, "?");
  if (mode === "published") {
    const lower = sound.toLowerCase().replaceAll("ς", "σ");
    return lower.split(SPACES).filter((word) => word).join(" ");
  }
  if (mode === "raw") return stripped(sound);
  if (mode === "nameless") return stripped(sound).replace(VARIABLE, nameless);
  if (mode === "words") return (sound.match(WORD) ?? []).join(" ");
  const lines = expandTabs(sound).split(LINE_END).map(withoutTrailingSpace);
  return lines.filter((line) => line).join("\n");
}

export function isSpace(character) {
  return ONE_SPACE.test(character);
}

/** How many characters there are in `text`. */
export function countCharacters(text) {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}

/** The first `count` characters of `text`. */
export function firstCharacters(text, count) {
  if (text.length <= count) return text;
  let at = 0;
  for (let i = 0; i < count && at < text.length; i += 1) {
    at += text.codePointAt(at) > 0xffff ? 2 : 1;
  }
  return text.slice(0, at);
}

// A regular expression would begin anew at each of the many spaces within a line.
function withoutTrailingSpace(line) {
  let end = line.length;
  while (end > 0 && isSpace(line[end - 1])) end -= 1;
  return line.slice(0, end);
}

function stripped(text) {
  let begin = 0;
  while (begin < text.length && isSpace(text[begin])) begin += 1;
  return withoutTrailingSpace(text.slice(begin));
}

function nameless(all, name) {
  return name === undefined || KEYWORDS.has(name) ? all : ANY_NAME;
}

function expandTabs(text) {
  if (!text.includes("\t")) return text;
  const pieces = [];
  let column = 0;
  for (const piece of text.split(/(\t|[^\t\n\r]+)/u)) {
    if (piece === "\t") {
      const width = TAB_WIDTH - (column % TAB_WIDTH);
      pieces.push(" ".repeat(width));
      column += width;
    } else if (piece) {
      pieces.push(piece);
      column = /[\n\r]/u.test(piece) ? 0 : column + countCharacters(piece);
    }
  }
  return pieces.join("");
}
