/** @file The forms of a training row, as TRL has them: text, conversation, prompt with completion. */

import { BonsaiError } from "../../errors/bonsai-error.ts";
import { isJsonObject, type JsonObject } from "../../formats/json-file.ts";
import { readJsonLines, type ReadFile } from "../../formats/json-lines.ts";
import type { Message } from "../../text/conversation/message.ts";

/** One row (TRL, "Dataset formats and types"). */
export type DatasetRow =
  | { form: "text"; text: string }
  | { form: "messages"; messages: readonly Message[] }
  | { form: "completion"; prompt: string; completion: string }
  | { form: "conversational completion"; prompt: readonly Message[]; completion: readonly Message[] };

/** Where a row stands, for errors. */
export interface RowPlace {
  path: string;
  line: number;
}

/** An error about a field of a row. `problem` is the end of a sentence about the field. */
export function rowError(place: RowPlace, field: string, problem: string): BonsaiError {
  return new BonsaiError("invalid_dataset", `${place.path}:${place.line}: ${field} ${problem}.`, { param: field });
}

/**
 * The error of a row whose conversation cannot be encoded: one that names the row where the model's chat template
 * refuses the conversation, else the error as it is.
 */
export function encodingError(error: unknown, place: RowPlace): unknown {
  if (!(error instanceof BonsaiError) || error.code !== "invalid_request") return error;
  return rowError(place, "prompt", `cannot be read by the model's chat template: ${error.message.replace(/\.$/, "")}`);
}

/** Calls `read` with every row of JSON Lines files, in order. @throws BonsaiError as `readJsonLines` */
export function eachRow(paths: readonly string[], read: (row: JsonObject, place: RowPlace) => void): ReadFile[] {
  return paths.map((path) => {
    const lines = readJsonLines(path);
    for (;;) {
      const next = lines.next();
      if (next.done === true) return next.value;
      read(next.value.row, { path, line: next.value.line });
    }
  });
}

const forms = '{"text": "…"}, {"messages": [{"role", "content"}, …]} or {"prompt", "completion"} (both texts, or both lists of messages)';

/**
 * Reads a row; keys that no form has are passed over.
 * @throws BonsaiError `invalid_dataset`, naming file, line and field and what would be right.
 */
export function readDatasetRow(row: JsonObject, place: RowPlace): DatasetRow {
  const has = (key: string): boolean => row[key] !== undefined && row[key] !== null;
  const found = ["text", "messages", "prompt"].filter(has);
  if (found.length !== 1) {
    const keys = Object.keys(row).slice(0, 10).map((key) => JSON.stringify(key.slice(0, 40))); // prettier-ignore
    const problem =
      found.length === 0
        ? `the row has ${keys.length === 0 ? "no keys" : `the keys ${keys.join(", ")}`}`
        : `the row has ${found.map((key) => JSON.stringify(key)).join(" and ")}`;
    throw new BonsaiError("invalid_dataset", `${place.path}:${place.line}: ${problem}; it must be one of ${forms}.`);
  }
  if (has("text")) return { form: "text", text: requireText(row["text"], "text", place) };
  if (has("messages")) {
    const messages = requireMessages(row["messages"], "messages", place);
    requireAssistant(messages, "messages", place);
    return { form: "messages", messages };
  }
  if (has("chosen") || has("rejected"))
    throw rowError(
      place,
      has("chosen") ? "chosen" : "rejected",
      `is of a preference, which npm run train:reward takes; right would be ${forms}`,
    );
  if (Array.isArray(row["prompt"])) {
    const prompt = requireMessages(row["prompt"], "prompt", place);
    const completion = requireMessages(row["completion"], "completion", place);
    requireAssistant(completion, "completion", place);
    return { form: "conversational completion", prompt, completion };
  }
  return {
    form: "completion",
    prompt: requireText(row["prompt"], "prompt", place),
    completion: requireText(row["completion"], "completion", place),
  };
}

/** @throws BonsaiError `invalid_dataset` for what is no text. */
export function requireText(value: unknown, field: string, place: RowPlace): string {
  if (typeof value === "string") return value;
  throw rowError(place, field, `must be a text, not ${shown(value)}`);
}

/** @throws BonsaiError `invalid_dataset` for what is no list of messages, or an empty one. */
export function requireMessages(value: unknown, field: string, place: RowPlace): Message[] {
  if (!Array.isArray(value) || value.length === 0) throw rowError(place, field, `must be a list of messages, not ${shown(value)}`);
  return value.map((message: unknown, index) => {
    const at = `${field}[${index}]`;
    if (!isJsonObject(message)) throw rowError(place, at, `must be an object with "role" and "content", not ${shown(message)}`);
    const { role, content, name } = message;
    if (typeof role !== "string" || role === "") throw rowError(place, `${at}.role`, `must be a text such as "user", not ${shown(role)}`);
    for (const key of ["tool_calls", "tool_call_id"]) {
      if (message[key] !== undefined && message[key] !== null) throw rowError(place, `${at}.${key}`, "is not supported: take it out");
    }
    if (name !== undefined && name !== null && typeof name !== "string")
      throw rowError(place, `${at}.name`, `must be a text, not ${shown(name)}`);
    return {
      role,
      content: requireText(content, `${at}.content`, place),
      ...(typeof name === "string" ? { name } : {}),
    };
  });
}

function requireAssistant(messages: readonly Message[], field: string, place: RowPlace): void {
  if (!messages.some((message) => message.role === "assistant"))
    throw rowError(place, field, 'must hold a message of role "assistant": its tokens are what is trained on');
}

/** A value's kind; its content may be private. */
export function shown(value: unknown): string {
  if (value === undefined) return "absent";
  if (value === null) return "null";
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : "a list";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}
