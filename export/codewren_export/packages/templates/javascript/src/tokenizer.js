// Normalise, cut, byte-level BPE: the same token ids as codewren's Python runtime gives.

import { Tokenizer } from "@huggingface/tokenizers";

import { BundleError } from "./errors.js";
import { bestCut } from "./splitting.js";
import { countCharacters, firstCharacters, normalise } from "./text.js";

const CHARACTERS_PER_TOKEN = 9;
const MORE = 4;
const MAX_CHARACTERS = 1_000_000;
const MAX_WINDOWS = 32;

// GPT-2's pattern of words. \p{White_Space} is what the tokenizers library calls \s.
const WORD =
  /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;

/** Turns source text into token ids: `<s>` first, `</s>` last, at most `maxLength` in all. */
export class CodeTokenizer {
  #bpe;
  #longestToken;
  #addsSpace;

  constructor(json, maxLength, normalisation) {
    this.#bpe = wordTokenizer(json);
    this.#addsSpace = Boolean(json.pre_tokenizer.add_prefix_space);
    this.maxLength = maxLength;
    this.normalisation = normalisation;
    const vocabulary = new Map(Object.entries(json.model.vocab));
    for (const { content, id } of json.added_tokens) vocabulary.set(content, id);
    this.vocabSize = vocabulary.size;
    this.#longestToken = Math.max(...Array.from(vocabulary.keys(), countCharacters));
    [this.bosId, this.eosId] = ["<s>", "</s>"].map((token) => {
      if (!vocabulary.has(token)) {
        throw new BundleError(`tokenizer.json: special token '${token}' is missing`);
      }
      return vocabulary.get(token);
    });
  }

  /** Token ids of one text, between 2 and `maxLength` of them. */
  encode(text) {
    let prepare = (cut) => normalise(cut, this.normalisation);
    let first = firstCharacters(text, MAX_CHARACTERS);
    if (this.normalisation === "nameless") {
      [first, prepare] = [prepare(first), (cut) => cut]; // what comes after a name decides about it
    }
    const { ids } = this.#firstTokens(first, prepare);
    return [this.bosId, ...ids.slice(0, this.maxLength - 2), this.eosId];
  }

  /** Token ids of one text that is split where its syntax allows, `maxLength` each at most. */
  windows(text) {
    let rest = normalise(firstCharacters(text, MAX_CHARACTERS), this.normalisation);
    const windows = [];
    while (windows.length === 0 || (rest && windows.length < MAX_WINDOWS)) {
      const { ids, ends } = this.#firstTokens(rest, (cut) => cut);
      let [count, end] = [ids.length, rest.length];
      if (count > this.maxLength - 2) [count, end] = cut(rest, ends, this.maxLength - 2);
      windows.push([this.bosId, ...ids.slice(0, count), this.eosId]);
      rest = rest.slice(end);
      if (rest.startsWith("\n")) rest = rest.slice(1);
    }
    return windows;
  }

  /** The tokens of `prepare(text)`, more than the window holds if there are, no special ones. */
  #firstTokens(text, prepare) {
    const room = this.maxLength - 2;
    const length = countCharacters(text);
    for (let reach = room * CHARACTERS_PER_TOKEN; ; reach *= MORE) {
      const cut = prepare(firstCharacters(text, reach));
      const tokens = this.#tokens(cut);
      const whole = reach >= length || countCharacters(cut) > room * this.#longestToken;
      if (whole || (tokens.ids.length > room && tokens.settled >= room)) return tokens;
    }
  }

  /**
   * `ids`, where each token ends in `text`, and how many are `settled`: all but the last word's.
   * A token that ends within a character ends at a fraction.
   */
  #tokens(text) {
    const space = this.#addsSpace && text && !text.startsWith(" ") ? " " : "";
    const ids = [];
    const ends = [];
    let settled = 0;
    for (const { 0: word, index } of `${space}${text}`.matchAll(WORD)) {
      settled = ids.length;
      const encoded = this.#bpe.encode(word, { add_special_tokens: false });
      const places = placesOfBytes(word, index - space.length);
      let bytes = 0;
      encoded.ids.forEach((id, at) => {
        bytes += encoded.tokens[at].length; // one character of a token stands for one byte
        ids.push(id);
        ends.push(places[bytes - 1]);
      });
    }
    return { ids, ends, settled };
  }
}

/** The library's BPE for one word. No text may become a special token, so it knows of none. */
function wordTokenizer(json) {
  const words = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false };
  const parts = { added_tokens: [], normalizer: null, post_processor: null, decoder: null };
  return new Tokenizer({ ...json, ...parts, pre_tokenizer: words }, {});
}

/** For each byte of a word that begins at `at`, where it ends: a fraction within a character. */
function placesOfBytes(word, at) {
  const places = [];
  for (const character of word) {
    const bytes = bytesOf(character.codePointAt(0));
    for (let byte = 1; byte < bytes; byte += 1) places.push(at + byte / bytes / 2);
    at += character.length;
    places.push(at);
  }
  return places;
}

/** How many bytes of UTF-8 a code point takes. */
function bytesOf(codePoint) {
  if (codePoint < 0x80) return 1;
  if (codePoint < 0x800) return 2;
  return codePoint < 0x10000 ? 3 : 4;
}

/** How many tokens to take of more than `room`, and where in `text` they end. */
function cut(text, ends, room) {
  const counts = new Map();
  for (let count = Math.floor(room / 2) + 1; count <= room; count += 1) {
    if (Number.isInteger(ends[count - 1])) counts.set(ends[count - 1], count);
  }
  if (counts.size === 0) {
    const within = Math.floor(ends[room - 1]);
    return [room, within + (text.codePointAt(within) > 0xffff ? 2 : 1)];
  }
  const end = bestCut(text, [...counts.keys()]);
  return [counts.get(end), end];
}
