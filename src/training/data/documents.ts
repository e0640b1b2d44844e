/** @file Data sets as documents: token ids, which of them are trained on, and a count of what was cut. */

import { BonsaiError } from "../../errors/bonsai-error.ts";
import type { ModelFile } from "../../formats/model-file.ts";
import { Tokenizer } from "../../text/tokenizer/tokenizer.ts";
import { commonPrefix } from "../../text/common-prefix.ts";
import { ConversationEncoder, type MaskedTokens } from "../../text/conversation/assistant-mask.ts";
import { eachRow, readDatasetRow, type DatasetRow, type RowPlace } from "./dataset-row.ts";
import type { JsonObject } from "../../formats/json-file.ts";
import type { ReadFile } from "../../formats/json-lines.ts";

/** One row of a data set, tokenised. */
export interface TrainingDocument {
  ids: Int32Array<ArrayBuffer>;
  /** 1 where a token is trained on, by its own place; the first never is, since nothing precedes it. */
  trained: Uint8Array<ArrayBuffer>;
}

export interface Documents {
  documents: readonly TrainingDocument[];
  files: readonly ReadFile[];
  /** Rows whose end was cut off, since they had more tokens than the longest allowed. */
  truncatedRows: number;
  /** Tokens that were cut off. */
  truncatedTokens: number;
  /** Rows left out, since nothing that is trained on was left of them. */
  droppedRows: number;
}

/** The parts of a model file that decide a row's tokens. */
export type TokenizingModel = Pick<ModelFile, "path" | "tokenizer" | "eosTokenIds">;

/** A model's tokenizer as training uses it. */
export class RowEncoder {
  readonly #tokenizer: Tokenizer;
  readonly #model: TokenizingModel;
  readonly #endIds: ReadonlySet<number>;
  /** The end-of-sequence token that closes a completion. */
  readonly #endId: number;
  #conversations: ConversationEncoder | undefined;

  /** @throws BonsaiError `invalid_tokenizer` when the tokenizer cannot be used or has no end-of-sequence token. */
  constructor(model: TokenizingModel) {
    this.#tokenizer = new Tokenizer(model.tokenizer);
    this.#model = model;
    const endId = endOfSequence(model, this.#tokenizer);
    if (endId === undefined) {
      throw new BonsaiError(
        "invalid_tokenizer",
        `${model.path} names no end-of-sequence token: give "eos_token" in tokenizer_config.json or "eos_token_id" in config.json.`,
        { param: "eos_token" },
      );
    }
    this.#endId = endId;
    this.#endIds = new Set([...model.eosTokenIds, endId]);
  }

  /** The tokens of a row, ending in an end-of-sequence token. Errors as `ConversationEncoder.encode`. */
  encode(row: DatasetRow): MaskedTokens {
    if (row.form === "messages") return this.#conversation(row.messages, 0);
    if (row.form === "conversational completion") return this.#conversation([...row.prompt, ...row.completion], row.prompt.length);
    if (row.form === "text") {
      const ids = this.#closed(this.#tokenizer.encode(row.text));
      return { ids, trained: ids.map(() => true) };
    }
    const ids = this.#closed(this.#tokenizer.encode(row.prompt + row.completion));
    const promptLength = commonPrefix(ids, this.#tokenizer.encode(row.prompt));
    return { ids, trained: ids.map((_, at) => at >= promptLength) };
  }

  #conversation(messages: Parameters<ConversationEncoder["encode"]>[0], firstTrained: number): MaskedTokens {
    this.#conversations ??= new ConversationEncoder(this.#tokenizer, this.#model.tokenizer);
    const masked = this.#conversations.encode(messages, firstTrained, (id) => this.#endIds.has(id));
    const lastTrained = masked.trained.lastIndexOf(true);
    const isEnd = (at: number): boolean => this.#endIds.has(masked.ids[at] ?? -1);
    if (lastTrained === -1 || messages.at(-1)?.role !== "assistant" || isEnd(lastTrained)) return masked;
    // A template may leave the last answer open, or mark it without its end; what is trained on it must still learn to
    // stop.
    if (isEnd(lastTrained + 1)) masked.trained[lastTrained + 1] = true;
    else if (lastTrained === masked.ids.length - 1) {
      masked.ids.push(this.#endId);
      masked.trained.push(true);
    }
    return masked;
  }

  #closed(ids: number[]): number[] {
    if (!this.#endIds.has(ids.at(-1) ?? -1)) ids.push(this.#endId);
    return ids;
  }
}

/** The tokenizer's own end of sequence, as TRL takes it, else the model's first end of an answer. */
function endOfSequence({ tokenizer: { tokenizerConfig }, eosTokenIds }: TokenizingModel, tokenizer: Tokenizer): number | undefined {
  const named = tokenizerConfig["eos_token"];
  const content = typeof named === "object" && named !== null ? (named as { content?: unknown }).content : named;
  return (typeof content === "string" ? tokenizer.idOf(content) : undefined) ?? eosTokenIds[0];
}

/**
 * Reads and tokenises JSON Lines files.
 * @param maxLength Tokens at which a row is cut, keeping its beginning; Infinity for packing that wraps.
 * @throws BonsaiError `file_not_found`, `invalid_tokenizer`, or `invalid_dataset` naming file, line and field; also
 *   when no row is left.
 */
export function readDocuments(paths: readonly string[], encoder: RowEncoder, maxLength: number): Documents {
  const documents: TrainingDocument[] = [];
  let [truncatedRows, truncatedTokens, droppedRows] = [0, 0, 0];
  const files = eachRow(paths, (row, place) => {
    const { ids, trained } = encodeRow(encoder, row, place);
    const length = Math.min(ids.length, maxLength);
    if (length < ids.length) {
      truncatedRows++;
      truncatedTokens += ids.length - length;
    }
    const firstTrained = trained.indexOf(true, 1);
    if (firstTrained === -1 || firstTrained >= length) droppedRows++;
    else documents.push({ ids: Int32Array.from(ids.slice(0, length)), trained: Uint8Array.from(trained.slice(0, length), Number) });
  });
  if (documents.length === 0)
    throw new BonsaiError(
      "invalid_dataset",
      `${paths.join(", ")}: no row is left to train on${droppedRows > 0 ? `: of ${droppedRows} the first ${maxLength} tokens hold none that is trained on; raise --max-length` : ""}.`,
    );
  return { documents, files, truncatedRows, truncatedTokens, droppedRows };
}

function encodeRow(encoder: RowEncoder, row: JsonObject, place: RowPlace): MaskedTokens {
  const parsed = readDatasetRow(row, place);
  try {
    return encoder.encode(parsed);
  } catch (error) {
    if (!(error instanceof BonsaiError) || (error.code !== "invalid_request" && error.code !== "invalid_dataset")) throw error;
    const field = parsed.form === "messages" ? "messages" : "prompt";
    throw new BonsaiError("invalid_dataset", `${place.path}:${place.line}: ${field}: ${error.message.replace(/\.$/, "")}.`, {
      cause: error,
      param: field,
    });
  }
}
