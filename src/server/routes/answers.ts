/** @file What the routes' schemas say of their failures. */

import { ErrorBody } from "../../protocol/errors.ts";

const descriptions = {
  400: "A field is wrong or not supported; `param` names it.",
  401: "The API key is missing or wrong.",
  404: "No such model or route.",
  408: "The request did not arrive in time.",
  413: "The body is larger than the server takes.",
  415: "The body is not JSON.",
  429: "The queue is full; Retry-After says when to come back.",
  500: "A bug in the server.",
  503: "The models are loading or the server is shutting down.",
} as const;

/** Response schemas of failures, by status. */
export const failures = (...statuses: (keyof typeof descriptions)[]): Record<number, object> =>
  Object.fromEntries(
    statuses.map((status) => [status, { description: descriptions[status], content: { "application/json": { schema: ErrorBody } } }]),
  );

/** The failures of every route that generates. */
export const generationFailures = failures(400, 401, 404, 408, 413, 415, 429, 500, 503);
