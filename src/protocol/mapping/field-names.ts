/** @file Errors of the engine name the field of the request that was sent, where routes have other names for it. */

import { BonsaiError } from "../../errors/bonsai-error.ts";

/** Fields that stand for the same thing in other routes, or beside each other in one. */
const otherNames: Readonly<Record<string, readonly string[]>> = {
  messages: ["prompt", "input"],
  prompt: ["messages", "input"],
  max_tokens: ["max_completion_tokens", "max_output_tokens"],
  n: ["best_of"],
};

const has = (body: object, name: string): boolean => ((body as Record<string, unknown>)[name] ?? undefined) !== undefined;

/**
 * The error, about the field that the request has.
 * @param body of the request; anything else leaves the error as it is
 */
export function inFieldsOf(body: unknown, error: BonsaiError): BonsaiError {
  const { param } = error;
  if (typeof body !== "object" || body === null || param === undefined || has(body, param)) return error;
  const sent = otherNames[param]?.find((name) => has(body, name));
  if (sent === undefined) return error;
  const message = error.message.replaceAll(/\bmax_tokens\b/g, (name) => (name === param ? sent : name));
  return new BonsaiError(error.code, message, { param: sent, retryAfterSeconds: error.retryAfterSeconds, cause: error });
}
