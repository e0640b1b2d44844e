/** @file How two texts become one row: the part of tokenizer.json's post-processor that is for pairs. */

import { invalidTokenizer, requireArray, requireObject, type JsonObject } from "./tokenizer-fields.ts";

/** Special tokens, or one of the texts; `type` is the token type of each of its ids. */
export type PairPiece = { type: number; ids: readonly number[] } | { type: number; text: "first" | "second" };

/** Types index a table of the model, so a hostile file must not name a huge one. */
const maxType = 1023;

/**
 * @param idOf the id of a token as tokenizer.json writes it
 * @throws BonsaiError `invalid_tokenizer`, naming the field, also where there is no way for pairs.
 */
export function readPairTemplate(tokenizerJson: JsonObject, idOf: (token: string) => number | undefined): PairPiece[] {
  const [processor, field] = pairProcessor(tokenizerJson["post_processor"]);
  switch (processor["type"]) {
    case "TemplateProcessing":
      return readTemplate(processor, field, idOf);
    case "BertProcessing": {
      const [cls, sep] = [namedId(processor, field, "cls"), namedId(processor, field, "sep")];
      return [
        { type: 0, ids: [cls] },
        { type: 0, text: "first" },
        { type: 0, ids: [sep] },
        { type: 1, text: "second" },
        { type: 1, ids: [sep] },
      ];
    }
    default:
      throw invalidTokenizer(
        `${field}.type`,
        `is ${JSON.stringify(processor["type"])}; pairs of texts need TemplateProcessing or BertProcessing`,
      );
  }
}

/** The one step that puts texts together; ByteLevel beside it only moves offsets. */
function pairProcessor(value: unknown): [processor: JsonObject, field: string] {
  const processor = requireObject(value ?? {}, "post_processor");
  if (processor["type"] !== "Sequence") return [processor, "post_processor"];
  const steps = requireArray(processor["processors"], "post_processor.processors").map((step, index): [JsonObject, string] => {
    const field = `post_processor.processors[${index}]`;
    return [requireObject(step, field), field];
  });
  const found = steps.filter(([step]) => step["type"] !== "ByteLevel");
  const [only] = found;
  if (only !== undefined && found.length === 1) return only;
  throw invalidTokenizer("post_processor.processors", `has ${found.length} steps that put texts together; pairs of texts need one`);
}

function readTemplate(processor: JsonObject, field: string, idOf: (token: string) => number | undefined): PairPiece[] {
  const specials = requireObject(processor["special_tokens"] ?? {}, `${field}.special_tokens`);
  const pieces = requireArray(processor["pair"], `${field}.pair`).map((entry, index): PairPiece => {
    const pieceField = `${field}.pair[${index}]`;
    const [kind, value] = Object.entries(requireObject(entry, pieceField))[0] ?? ["nothing", {}];
    const piece = requireObject(value, `${pieceField}.${kind}`);
    const type = piece["type_id"];
    if (typeof type !== "number" || !Number.isInteger(type) || type < 0 || type > maxType) {
      throw invalidTokenizer(`${pieceField}.${kind}.type_id`, `must be an integer from 0 to ${maxType}`);
    }
    const name = piece["id"];
    if (kind === "Sequence" && (name === "A" || name === "B")) return { type, text: name === "A" ? "first" : "second" };
    if (kind !== "SpecialToken" || typeof name !== "string") {
      throw invalidTokenizer(pieceField, "must be a SpecialToken with its name, or the Sequence A or B");
    }
    const listed = Object.hasOwn(specials, name) ? requireObject(specials[name], `${field}.special_tokens`)["ids"] : undefined;
    const ids = Array.isArray(listed) ? listed : [idOf(name)];
    return { type, ids: ids.map((id) => requireId(id, `${pieceField}.SpecialToken.id`)) };
  });
  for (const text of ["first", "second"] as const) {
    if (pieces.filter((piece) => "text" in piece && piece.text === text).length !== 1) {
      throw invalidTokenizer(`${field}.pair`, "must contain each of the Sequences A and B once");
    }
  }
  return pieces;
}

function namedId(processor: JsonObject, field: string, name: "cls" | "sep"): number {
  return requireId(requireArray(processor[name], `${field}.${name}`)[1], `${field}.${name}[1]`);
}

function requireId(value: unknown, field: string): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= 0) return value;
  throw invalidTokenizer(field, "must be the id of a token");
}
