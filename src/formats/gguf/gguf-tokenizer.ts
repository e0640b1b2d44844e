/**
 * @file From a GGUF's `tokenizer.ggml.*` metadata to the tokenizer.json and tokenizer_config.json of a Hugging Face
 * folder.
 *
 * Two kinds exist: `gpt2` is byte-level BPE with merges, `llama` is SentencePiece's BPE with scores and byte fallback.
 * Source: ggml/docs/gguf.md ("Tokenizer") and gguf-py's constants.py (`TokenType`) of llama.cpp.
 */

import { BonsaiError } from "../../errors/bonsai-error.ts";
import { addedToken, bpeModel } from "../bpe-tokenizer-json.ts";
import type { GgufArchitecture } from "./gguf-config.ts";
import type { GgufMetadata } from "./gguf-metadata.ts";
import { byteLevelSteps, preTokenizerNames } from "./gguf-pre-tokenizers.ts";
import type { JsonObject } from "../json-file.ts";
import type { TokenizerFiles } from "../model-file.ts";
import { mergesOfScores } from "./sentencepiece-merges.ts";

const NORMAL = 1;
const UNKNOWN = 2;
const CONTROL = 3;
const USER_DEFINED = 4;

/** SentencePiece's pieces have 16 characters by default; the cost of finding merges grows with the square. */
const LONGEST_PIECE = 256;

/** `tokenizer.ggml.pre` of files from before the key existed, where the architecture has one tokenizer. */
const preOfArchitecture: Readonly<Partial<Record<GgufArchitecture, string>>> = { gpt2: "gpt-2", qwen2: "qwen2", qwen3: "qwen2" };

interface Vocabulary {
  tokens: readonly string[];
  /** gguf-py's TokenType of each token. */
  types: ArrayLike<number>;
}

interface SpecialTokens {
  bos: string | undefined;
  eos: string | undefined;
  unknown: string | undefined;
  padding: string | undefined;
}

/**
 * The tokenizer of a GGUF file in Hugging Face's form, which @huggingface/tokenizers and the Rust library load.
 * @throws BonsaiError `invalid_tokenizer` or `invalid_model_file` when the metadata contradict themselves;
 * `unsupported_model` for another kind of tokenizer, with those that are supported.
 */
export function ggufTokenizer(path: string, architecture: GgufArchitecture, metadata: GgufMetadata): TokenizerFiles {
  const vocabulary = readVocabulary(metadata);
  const special: SpecialTokens = {
    bos: tokenOfId(metadata, "tokenizer.ggml.bos_token_id", vocabulary),
    eos: tokenOfId(metadata, "tokenizer.ggml.eos_token_id", vocabulary),
    unknown: tokenOfId(metadata, "tokenizer.ggml.unknown_token_id", vocabulary),
    padding: tokenOfId(metadata, "tokenizer.ggml.padding_token_id", vocabulary),
  };
  const kind = metadata.string("tokenizer.ggml.model");
  if (kind !== "gpt2" && kind !== "llama") {
    metadata.unsupported(
      "tokenizer.ggml.model",
      `is ${JSON.stringify(kind)}; supported are "gpt2" (byte-level BPE) and "llama" (SentencePiece's BPE).`,
    );
  }
  const { tokenizerJson, addsBos } =
    kind === "gpt2"
      ? byteLevelTokenizer(path, architecture, metadata, vocabulary)
      : sentencePieceTokenizer(path, metadata, vocabulary, special);

  const addBos = metadata.boolean("tokenizer.ggml.add_bos_token") ?? addsBos;
  const addEos = metadata.boolean("tokenizer.ggml.add_eos_token") ?? false;
  const chatTemplate = metadata.string("tokenizer.chat_template");
  return {
    tokenizerJson: {
      version: "1.0",
      truncation: null,
      padding: null,
      added_tokens: addedTokens(vocabulary),
      post_processor: postProcessor(vocabulary, addBos ? special.bos : undefined, addEos ? special.eos : undefined),
      ...tokenizerJson,
    },
    tokenizerConfig: {
      tokenizer_class: "PreTrainedTokenizerFast",
      clean_up_tokenization_spaces: false,
      add_bos_token: addBos,
      add_eos_token: addEos,
      ...(special.bos === undefined ? {} : { bos_token: special.bos }),
      ...(special.eos === undefined ? {} : { eos_token: special.eos }),
      ...(special.unknown === undefined ? {} : { unk_token: special.unknown }),
      ...(special.padding === undefined ? {} : { pad_token: special.padding }),
      ...(chatTemplate === undefined ? {} : { chat_template: chatTemplate }),
    },
    chatTemplate,
  };
}

/** Ids that end an answer: end of sequence, of turn and of message, in that order. */
export function ggufEosTokenIds(metadata: GgufMetadata): number[] {
  const keys = ["tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"];
  return [...new Set(keys.map((key) => metadata.integer(key)).filter((id) => id !== undefined))];
}

function readVocabulary(metadata: GgufMetadata): Vocabulary {
  const tokens = metadata.strings("tokenizer.ggml.tokens") ?? metadata.fail("tokenizer.ggml.tokens", "is absent.");
  const types = metadata.numbers("tokenizer.ggml.token_type") ?? new Int32Array(tokens.length).fill(NORMAL);
  if (types.length !== tokens.length)
    metadata.fail("tokenizer.ggml.token_type", `has ${types.length} elements for ${tokens.length} tokens.`);
  return { tokens, types };
}

function tokenOfId(metadata: GgufMetadata, key: string, { tokens }: Vocabulary): string | undefined {
  const id = metadata.integer(key);
  if (id === undefined) return undefined;
  return tokens[id] ?? metadata.fail(key, `is ${id}, but there are ${tokens.length} tokens.`);
}

/** Token to id; of equal tokens the first counts. Own keys only, whatever a token is called. */
function vocabularyObject({ tokens }: Vocabulary): Record<string, number> {
  const ids = new Map<string, number>();
  for (const [id, token] of tokens.entries()) if (!ids.has(token)) ids.set(token, id);
  return Object.fromEntries(ids);
}

/** Tokens that are found in the text before anything else; special ones are left out of decoded text. */
function addedTokens({ tokens, types }: Vocabulary): JsonObject[] {
  const added: JsonObject[] = [];
  for (const [id, content] of tokens.entries()) {
    const type = types[id];
    if (content === "" || (type !== CONTROL && type !== USER_DEFINED && type !== UNKNOWN)) continue;
    added.push(addedToken(id, content, type !== USER_DEFINED));
  }
  return added;
}

function postProcessor({ tokens }: Vocabulary, bos: string | undefined, eos: string | undefined): JsonObject | null {
  if (bos === undefined && eos === undefined) return null;
  const around = (sequence: "A" | "B", typeId: number): JsonObject[] => [
    ...(bos === undefined ? [] : [{ SpecialToken: { id: bos, type_id: typeId } }]),
    { Sequence: { id: sequence, type_id: typeId } },
    ...(eos === undefined ? [] : [{ SpecialToken: { id: eos, type_id: typeId } }]),
  ];
  const used = [bos, eos].filter((token) => token !== undefined);
  return {
    type: "TemplateProcessing",
    single: around("A", 0),
    pair: [...around("A", 0), ...around("B", 1)],
    special_tokens: Object.fromEntries(used.map((token) => [token, { id: token, ids: [tokens.indexOf(token)], tokens: [token] }])),
  };
}

interface TokenizerParts {
  tokenizerJson: JsonObject;
  /** Whether a prompt begins with the start token when the file does not say. */
  addsBos: boolean;
}

function byteLevelTokenizer(path: string, architecture: GgufArchitecture, metadata: GgufMetadata, vocabulary: Vocabulary): TokenizerParts {
  const named = metadata.string("tokenizer.ggml.pre") ?? "default";
  const steps = byteLevelSteps(named === "default" ? (preOfArchitecture[architecture] ?? named) : named);
  if (steps === undefined) {
    return metadata.unsupported("tokenizer.ggml.pre", `is ${JSON.stringify(named)}; supported are ${preTokenizerNames.join(", ")}.`);
  }
  const lines = metadata.strings("tokenizer.ggml.merges") ?? metadata.fail("tokenizer.ggml.merges", "is absent.");
  const merges = lines.map((line, index): [string, string] => {
    const space = line.indexOf(" ");
    if (space < 1 || space === line.length - 1 || line.includes(" ", space + 1)) {
      throw new BonsaiError(
        "invalid_tokenizer",
        `${path}: merge ${index} of tokenizer.ggml.merges is ${JSON.stringify(line)} instead of two tokens with a space between them.`,
      );
    }
    return [line.slice(0, space), line.slice(space + 1)];
  });
  return {
    addsBos: steps.addBosToken,
    tokenizerJson: {
      normalizer: null,
      pre_tokenizer: steps.preTokenizer,
      decoder: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
      model: bpeModel({ vocab: vocabularyObject(vocabulary), merges, ignore_merges: steps.ignoreMerges }),
    },
  };
}

function sentencePieceTokenizer(path: string, metadata: GgufMetadata, vocabulary: Vocabulary, special: SpecialTokens): TokenizerParts {
  const { tokens, types } = vocabulary;
  const scores = metadata.numbers("tokenizer.ggml.scores") ?? metadata.fail("tokenizer.ggml.scores", "is absent.");
  if (scores.length !== tokens.length) metadata.fail("tokenizer.ggml.scores", `has ${scores.length} elements for ${tokens.length} tokens.`);
  const mergeable = new Map<string, number>();
  for (const [id, token] of tokens.entries()) {
    if (types[id] !== NORMAL || token === "" || mergeable.has(token)) continue;
    if (token.length > LONGEST_PIECE) {
      throw new BonsaiError(
        "invalid_tokenizer",
        `${path}: token ${id} of tokenizer.ggml.tokens has ${token.length} characters, more than the ${LONGEST_PIECE} of any such tokenizer.`,
      );
    }
    mergeable.set(token, scores[id]!);
  }
  const addsPrefix = metadata.boolean("tokenizer.ggml.add_space_prefix") ?? true;
  return {
    addsBos: true,
    tokenizerJson: {
      normalizer: {
        type: "Sequence",
        normalizers: [
          ...(addsPrefix ? [{ type: "Prepend", prepend: "▁" }] : []),
          { type: "Replace", pattern: { String: " " }, content: "▁" },
        ],
      },
      pre_tokenizer: null,
      decoder: {
        type: "Sequence",
        decoders: [
          { type: "Replace", pattern: { String: "▁" }, content: " " },
          { type: "ByteFallback" },
          { type: "Fuse" },
          ...(addsPrefix ? [{ type: "Strip", content: " ", start: 1, stop: 0 }] : []),
        ],
      },
      model: bpeModel({
        vocab: vocabularyObject(vocabulary),
        merges: mergesOfScores(mergeable),
        unk_token: special.unknown ?? null,
        fuse_unk: true,
        byte_fallback: true,
      }),
    },
  };
}
