/**
 * @file Reads and checks the parts of a tokenizer.json (Hugging Face tokenizers' serialisation) that the tokenizer
 * builds on.
 */

import { maxMergeCount } from "./bpe.ts";
import {
  invalidTokenizer,
  optionalBoolean,
  optionalObject,
  optionalString,
  requireArray,
  requireObject,
  requireTokenId,
  type JsonObject,
} from "./tokenizer-fields.ts";
import { checkInserted, checkTokenLength, checkWordLength, maxAffixTokens } from "./tokenizer-limits.ts";

export interface AddedToken {
  id: number;
  content: string;
  /** Only where no word character touches it. */
  singleWord: boolean;
  /** Swallows white space on its left. */
  lstrip: boolean;
  /** Swallows white space on its right. */
  rstrip: boolean;
  /** Sought in the normalised text rather than in the text as it came. */
  normalized: boolean;
  /** A control token: left out of decoded text. */
  special: boolean;
}

export interface BpeModel {
  type: "BPE";
  vocab: Map<string, number>;
  /** In order of rank: ids of left, right and merged token, three numbers a merge. */
  merges: Int32Array;
  /** Whether some merge joins a token's end to a following `▁`. */
  mergesCrossWords: boolean;
  unknownId: number | undefined;
  fuseUnknown: boolean;
  byteFallback: boolean;
  /** A word that is itself a token is that token, whatever the merges say. */
  ignoreMerges: boolean;
  continuingSubwordPrefix: string;
  endOfWordSuffix: string;
}

/** A model that the library runs whole. */
export interface OtherModel {
  type: "Unigram" | "WordPiece";
  vocab: Map<string, number>;
}

export interface TokenizerJson {
  model: BpeModel | OtherModel;
  addedTokens: AddedToken[];
  /** Ids that the post-processor puts before and after one text. */
  prefixIds: number[];
  suffixIds: number[];
  normalizer: JsonObject | null;
  preTokenizer: JsonObject | null;
  decoder: JsonObject | null;
}

/** @throws BonsaiError `invalid_tokenizer`, naming the field. */
export function readTokenizerJson(json: JsonObject): TokenizerJson {
  const modelJson = requireObject(json["model"], "model");
  const model = readModel(modelJson);
  const addedTokens = readAddedTokens(json["added_tokens"]);
  const addedIds = new Map(addedTokens.toReversed().map(({ content, id }) => [content, id]));
  const idOf = (content: string): number | undefined => addedIds.get(content) ?? model.vocab.get(content);
  const affixes = readPostProcessor(optionalObject(json["post_processor"], "post_processor"), "post_processor", idOf);
  const affixTokens = affixes.prefixIds.length + affixes.suffixIds.length;
  if (affixTokens > maxAffixTokens)
    throw invalidTokenizer("post_processor", `puts ${affixTokens} tokens around a text; at most ${maxAffixTokens} are possible`);
  return {
    model,
    addedTokens,
    ...affixes,
    normalizer: optionalObject(json["normalizer"], "normalizer"),
    preTokenizer: optionalObject(json["pre_tokenizer"], "pre_tokenizer"),
    decoder: optionalObject(json["decoder"], "decoder"),
  };
}

function readModel(model: JsonObject): BpeModel | OtherModel {
  const type = model["type"] ?? (Array.isArray(model["merges"]) ? "BPE" : Array.isArray(model["vocab"]) ? "Unigram" : undefined);
  switch (type) {
    case "BPE":
      return readBpe(model);
    case "WordPiece":
      checkWordLength(model["max_input_chars_per_word"]);
      checkInserted(model["continuing_subword_prefix"], "model.continuing_subword_prefix");
      return { type: "WordPiece", vocab: readVocab(model["vocab"]) };
    case "Unigram":
      return { type: "Unigram", vocab: readUnigramVocab(model["vocab"]) };
    case undefined:
    default:
      throw invalidTokenizer("model.type", `is ${JSON.stringify(type)}; supported are BPE, Unigram and WordPiece`);
  }
}

function readVocab(value: unknown): Map<string, number> {
  const vocab = new Map<string, number>();
  for (const [token, id] of Object.entries(requireObject(value, "model.vocab"))) {
    checkTokenLength(token, () => `model.vocab: the token of id ${String(id)}`);
    vocab.set(
      token,
      requireTokenId(id, () => `model.vocab[${JSON.stringify(token)}]`),
    );
  }
  return vocab;
}

function readUnigramVocab(value: unknown): Map<string, number> {
  const vocab = new Map<string, number>();
  for (const [id, entry] of requireArray(value, "model.vocab").entries()) {
    if (!Array.isArray(entry) || typeof entry[0] !== "string" || typeof entry[1] !== "number") {
      throw invalidTokenizer(`model.vocab[${id}]`, "must be a pair of token and score");
    }
    checkTokenLength(entry[0], () => `model.vocab[${id}]`);
    vocab.set(
      entry[0],
      requireTokenId(id, () => `model.vocab[${id}]`),
    );
  }
  return vocab;
}

function readBpe(model: JsonObject): BpeModel {
  const vocab = readVocab(model["vocab"]);
  if (Number(model["dropout"] ?? 0) !== 0) throw invalidTokenizer("model.dropout", "must be null: dropout is for training tokenizers");
  const prefix = optionalString(model["continuing_subword_prefix"], "model.continuing_subword_prefix") ?? "";
  const suffix = optionalString(model["end_of_word_suffix"], "model.end_of_word_suffix") ?? "";
  checkInserted(prefix, "model.continuing_subword_prefix");
  checkInserted(suffix, "model.end_of_word_suffix");
  const unknownToken = optionalString(model["unk_token"], "model.unk_token");
  const unknownId = unknownToken === undefined ? undefined : vocab.get(unknownToken);
  if (unknownToken !== undefined && unknownId === undefined) throw invalidTokenizer("model.unk_token", "is not in the vocabulary");
  return {
    type: "BPE",
    vocab,
    ...readMerges(requireArray(model["merges"], "model.merges"), vocab, prefix),
    unknownId,
    fuseUnknown: optionalBoolean(model["fuse_unk"], "model.fuse_unk") ?? false,
    byteFallback: optionalBoolean(model["byte_fallback"], "model.byte_fallback") ?? false,
    ignoreMerges: optionalBoolean(model["ignore_merges"], "model.ignore_merges") ?? false,
    continuingSubwordPrefix: prefix,
    endOfWordSuffix: suffix,
  };
}

/** A merge is `["a", "b"]`, or `"a b"` in files of before 2024. */
function readMerges(values: unknown[], vocab: Map<string, number>, prefix: string): Pick<BpeModel, "merges" | "mergesCrossWords"> {
  if (values.length > maxMergeCount)
    throw invalidTokenizer("model.merges", `has ${values.length} entries; at most ${maxMergeCount} are possible`);
  const merges = new Int32Array(values.length * 3);
  let mergesCrossWords = false;
  for (const [rank, value] of values.entries()) {
    const pair: unknown[] = typeof value === "string" ? value.split(" ") : Array.isArray(value) ? value : [];
    const [left, right] = pair;
    if (pair.length !== 2 || typeof left !== "string" || typeof right !== "string") {
      throw invalidTokenizer(`model.merges[${rank}]`, "must be two tokens, as a pair or parted by one space");
    }
    for (const [part, token] of [left, right, left + right.slice(prefix.length)].entries()) {
      const id = vocab.get(token);
      if (id === undefined) {
        throw invalidTokenizer(`model.merges[${rank}]`, `needs the token ${JSON.stringify(token)}, which is not in the vocabulary`);
      }
      merges[rank * 3 + part] = id;
    }
    mergesCrossWords ||= right.startsWith("▁") && !left.endsWith("▁");
  }
  return { merges, mergesCrossWords };
}

function readAddedTokens(value: unknown): AddedToken[] {
  if (value === undefined || value === null) return [];
  return requireArray(value, "added_tokens").map((entry, index) => {
    const field = `added_tokens[${index}]`;
    const token = requireObject(entry, field);
    const content = token["content"];
    if (typeof content !== "string" || content === "")
      throw invalidTokenizer(`${field}.content`, "must be a string of at least one character");
    checkTokenLength(content, () => `${field}.content`);
    const special = optionalBoolean(token["special"], `${field}.special`) ?? false;
    return {
      id: requireTokenId(token["id"], `${field}.id`),
      content,
      singleWord: optionalBoolean(token["single_word"], `${field}.single_word`) ?? false,
      lstrip: optionalBoolean(token["lstrip"], `${field}.lstrip`) ?? false,
      rstrip: optionalBoolean(token["rstrip"], `${field}.rstrip`) ?? false,
      normalized: optionalBoolean(token["normalized"], `${field}.normalized`) ?? !special,
      special,
    };
  });
}

type Affixes = Pick<TokenizerJson, "prefixIds" | "suffixIds">;

/** What the post-processor adds around a single text. Steps of a Sequence wrap from the inside out. */
function readPostProcessor(processor: JsonObject | null, field: string, idOf: (content: string) => number | undefined): Affixes {
  switch (processor?.["type"]) {
    case undefined:
    case "ByteLevel":
      return { prefixIds: [], suffixIds: [] };
    case "Sequence":
      return requireArray(processor?.["processors"], `${field}.processors`)
        .map((step, index) =>
          readPostProcessor(requireObject(step, `${field}.processors[${index}]`), `${field}.processors[${index}]`, idOf),
        )
        .reduce(
          (inner, outer) => ({
            prefixIds: [...outer.prefixIds, ...inner.prefixIds],
            suffixIds: [...inner.suffixIds, ...outer.suffixIds],
          }),
          { prefixIds: [], suffixIds: [] },
        );
    case "TemplateProcessing":
      return readTemplate(processor, field, idOf);
    case "BertProcessing":
    case "RobertaProcessing":
      return { prefixIds: [pairId(processor, field, "cls")], suffixIds: [pairId(processor, field, "sep")] };
    default:
      throw invalidTokenizer(
        `${field}.type`,
        `is ${JSON.stringify(processor?.["type"])}; supported are TemplateProcessing, ByteLevel, BertProcessing, RobertaProcessing and Sequence`,
      );
  }
}

function readTemplate(processor: JsonObject, field: string, idOf: (content: string) => number | undefined): Affixes {
  const specials = requireObject(processor["special_tokens"] ?? {}, `${field}.special_tokens`);
  const affixes: Affixes = { prefixIds: [], suffixIds: [] };
  let seenText = false;
  for (const [index, entry] of requireArray(processor["single"], `${field}.single`).entries()) {
    const pieceField = `${field}.single[${index}]`;
    const piece = requireObject(entry, pieceField);
    if (piece["Sequence"] !== undefined) {
      if (seenText) throw invalidTokenizer(pieceField, "repeats the text; it may stand once");
      seenText = true;
      continue;
    }
    const name = requireObject(piece["SpecialToken"], `${pieceField}.SpecialToken`)["id"];
    if (typeof name !== "string") throw invalidTokenizer(`${pieceField}.SpecialToken.id`, "must be a string");
    const listed = Object.hasOwn(specials, name) ? requireObject(specials[name], `${field}.special_tokens`)["ids"] : undefined;
    const ids = Array.isArray(listed) ? listed : [idOf(name)];
    for (const id of ids) (seenText ? affixes.suffixIds : affixes.prefixIds).push(requireTokenId(id, `${pieceField}.SpecialToken.id`));
  }
  if (!seenText) throw invalidTokenizer(`${field}.single`, "must contain the text (a `Sequence`)");
  return affixes;
}

function pairId(processor: JsonObject, field: string, name: string): number {
  const pair = requireArray(processor[name], `${field}.${name}`);
  return requireTokenId(pair[1], `${field}.${name}[1]`);
}
