/** @file Fields of a tokenizer.json that are read: of the type that they must have, or an error that names them. */

import { BonsaiError } from "../../errors/bonsai-error.ts";

export type JsonObject = Record<string, unknown>;

/**
 * Ids index arrays, so a hostile file must not name a huge one. The largest vocabularies in use have about 260,000
 * tokens.
 */
const maxTokenId = 4_000_000;

export function invalidTokenizer(field: string, problem: string, cause?: unknown): BonsaiError {
  return new BonsaiError("invalid_tokenizer", `tokenizer.json: \`${field}\` ${problem}.`, { param: field, cause });
}

export function requireObject(value: unknown, field: string): JsonObject {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw invalidTokenizer(field, "must be an object");
  return value as JsonObject;
}

export function requireArray(value: unknown, field: string): unknown[] {
  if (!Array.isArray(value)) throw invalidTokenizer(field, "must be an array");
  return value;
}

export function requireTokenId(value: unknown, field: string | (() => string)): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < 0 || value > maxTokenId) {
    throw invalidTokenizer(typeof field === "string" ? field : field(), `must be a token id, an integer from 0 to ${maxTokenId}`);
  }
  return value;
}

export function optionalObject(value: unknown, field: string): JsonObject | null {
  return value === undefined || value === null ? null : requireObject(value, field);
}

export function optionalString(value: unknown, field: string): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "string") throw invalidTokenizer(field, "must be a string or null");
  return value;
}

export function optionalBoolean(value: unknown, field: string): boolean | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "boolean") throw invalidTokenizer(field, "must be true or false");
  return value;
}
