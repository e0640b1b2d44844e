/** @file From a JSON Schema fault to the sentence that the client reads: which field, and what would be right. */

import { didYouMean } from "../../config/suggestion.ts";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import { unsupportedKeyword } from "./schema.ts";

/** A fault, as Ajv reports it with `verbose`. */
export interface SchemaFault {
  keyword: string;
  /** JSON pointer to the value at fault. */
  instancePath: string;
  params: Record<string, unknown>;
  message?: string | undefined;
  /** The schema that holds the keyword. */
  parentSchema?: Record<string, unknown> | undefined;
}

/** A JSON pointer (RFC 6901) into a body as people write it: `/messages/0/content` as `messages[0].content`. */
export function pathOf(pointer: string, body: unknown): string {
  let path = "";
  let value = body;
  for (const token of pointer.split("/").slice(1)) {
    const key = token.replaceAll("~1", "/").replaceAll("~0", "~");
    path += Array.isArray(value) ? `[${key}]` : path === "" ? key : `.${key}`;
    value = typeof value === "object" && value !== null ? (value as Record<string, unknown>)[key] : undefined;
  }
  return path;
}

/**
 * How much a fault tells: the deeper the more, and at one depth a broken bound more than a type, which a union reports
 * for each branch.
 */
function weight(fault: SchemaFault): number {
  const depth = fault.instancePath.split("/").length * 4;
  if (fault.keyword === "anyOf") return depth;
  if (fault.keyword === "type") return depth + 1;
  return depth + (fault.keyword === "propertyNames" ? 3 : 2);
}

/**
 * The error that stands for the faults of a body: the one that tells most.
 * The message never holds the value at fault, except the names of unknown fields and content types.
 */
export function invalidRequest(faults: readonly SchemaFault[], body: unknown): BonsaiError {
  const fault = faults.reduce((best, other) => (weight(other) > weight(best) ? other : best));
  const contentPart = unsupportedContentPart(fault.instancePath, body);
  if (contentPart !== undefined) return contentPart;

  const path = pathOf(fault.instancePath, body);
  if (fault.keyword === "additionalProperties") {
    const name = shorten(String(fault.params["additionalProperty"]));
    const param = path === "" ? name : `${path}.${name}`;
    const known = Object.keys((fault.parentSchema?.["properties"] as object | undefined) ?? {});
    return new BonsaiError("unsupported_field", `Unknown field ${param}.${didYouMean(name, known)}`, { param });
  }
  if (fault.keyword === "required") {
    const name = String(fault.params["missingProperty"]);
    const param = path === "" ? name : `${path}.${name}`;
    return new BonsaiError("invalid_request", `${param} is missing.`, { param });
  }
  // A fault in any branch of completions' prompt says little of the other branches: name them all.
  if (path === "prompt" || path.startsWith("prompt[")) {
    return new BonsaiError(
      "invalid_request",
      "prompt must be a text, a list of texts, a list of token ids, or a list of lists of token ids; lists must not be empty nor longer than the server takes.",
      { param: path },
    );
  }
  const reason = fault.parentSchema?.[unsupportedKeyword];
  if (typeof reason === "string") {
    return new BonsaiError("unsupported_field", `${path} is not supported: ${reason}.`, { param: path });
  }
  if (path === "") return new BonsaiError("invalid_request", "The body must be a JSON object.");
  return new BonsaiError("invalid_request", `${path} ${demand(fault, faults)}.`, { param: path });
}

const shorten = (text: string): string => (text.length > 64 ? `${text.slice(0, 64)}…` : text);

function unsupportedContentPart(pointer: string, body: unknown): BonsaiError | undefined {
  const match = /^((?:\/input\/(\d+))?\/messages\/(\d+)\/content\/(\d+))/.exec(pointer);
  if (match === null) return undefined;
  const [, partPointer = "", input, message, part] = match;
  const inputs = (body as { input?: Conversation[] }).input;
  const conversation = input === undefined ? (body as Conversation) : inputs?.[Number(input)];
  const value = conversation?.messages[Number(message)]?.content[Number(part)];
  const type = typeof value === "object" && value !== null ? (value as { type?: unknown }).type : undefined;
  if (typeof type !== "string" || type === "text") return undefined;
  const param = pathOf(partPointer, body);
  return new BonsaiError("unsupported_field", `${param} is of type ${JSON.stringify(shorten(type))}; only text parts are supported.`, {
    param,
  });
}

interface Conversation {
  messages: { content: unknown[] }[];
}

/** What the field must be, as the end of a sentence. */
function demand(fault: SchemaFault, faults: readonly SchemaFault[]): string {
  const limit = String(fault.params["limit"]);
  switch (fault.keyword) {
    case "type":
      return `must be ${typeNames(faults.filter((other) => other.keyword === "type" && other.instancePath === fault.instancePath))}`;
    case "enum":
      return `must be one of ${(fault.params["allowedValues"] as unknown[])
        .filter((value) => value !== null)
        .map((value) => JSON.stringify(value))
        .join(", ")}`;
    case "minimum":
      return `must be at least ${limit}`;
    case "exclusiveMinimum":
      return `must be more than ${limit}`;
    case "maximum":
      return `must be at most ${limit}`;
    case "minLength":
      return limit === "1" ? "must not be empty" : `must have at least ${limit} characters`;
    case "maxLength":
      return `must have at most ${limit} characters`;
    case "minItems":
      return limit === "1" ? "must not be empty" : `must have at least ${limit} entries`;
    case "maxItems":
    case "maxProperties":
      return `must have at most ${limit} entries`;
    case "propertyNames":
    case "pattern":
      return "must have token ids as its keys";
    default:
      return fault.message ?? "is not valid";
  }
}

const articles: Readonly<Record<string, string>> = {
  string: "a text",
  number: "a number",
  integer: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "an object",
};

/** The types that would be right, over all branches of a union. */
function typeNames(faults: readonly SchemaFault[]): string {
  const types = new Set(faults.flatMap((fault) => [fault.params["type"]].flat()));
  types.delete("null");
  return [...types].map((type) => articles[String(type)] ?? String(type)).join(" or ");
}
