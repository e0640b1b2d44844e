/** @file What the routes' schemas say of failures and of event streams. */

import { ErrorBody } from "../../protocol/wire/errors.ts";

const descriptions = {
  400: "A field is wrong or not supported; `param` names it.",
  401: "The API key is missing or wrong.",
  403: "The page's origin is not on the allow-list.",
  404: "No such model or route.",
  408: "The request did not arrive in time.",
  413: "The body is larger than the server takes.",
  415: "The body is not JSON.",
  421: "The request is for another host; --allowed-host adds a name.",
  426: "The request asks for no upgrade to WebSocket.",
  429: "The queue is full; Retry-After says when to come back.",
  500: "A bug in the server.",
  503: "The models are loading or the server is shutting down.",
} as const;

/** Response schemas of failures, by status. Every route refuses a foreign Host. */
export const failures = (...statuses: (keyof typeof descriptions)[]): Record<number, object> =>
  Object.fromEntries(
    [...statuses, 421 as const].map((status) => [
      status,
      { description: descriptions[status], content: { "application/json": { schema: ErrorBody } } },
    ]),
  );

/** The failures of every route that generates. */
export const generationFailures = failures(400, 401, 404, 408, 413, 415, 429, 500, 503);

/** Schema of each event of a stream, by the name of what it carries. */
export const eventStreamEvent = (chunk: string): object => ({
  type: "object",
  required: ["data"],
  properties: {
    data: { type: "string", description: `A ${chunk} as JSON, an Error as JSON when the answer breaks off, or [DONE] at the end.` },
  },
});

/**
 * The answers of a route that speaks WebSocket. OpenAPI has no words for frames, so the schemas of both directions
 * stand at the upgrade's answer.
 */
export const upgradeAnswers = (title: string, client: object, server: object): Record<number, object> => ({
  101: {
    description:
      "Upgraded to WebSocket. The server closes a connection with 1000 when it was idle, 1001 when the server shuts down, 1002 for what is no WebSocket frame, 1003 for a binary frame, 1007 for text that is no UTF-8, 1009 for a frame larger than --body-limit, 1011 after a bug, and 1013 when as many connections are open as the server takes.",
    content: {
      "application/json": {
        schema: { type: "object", title, description: "Text frames.", properties: { client, server } },
      },
    },
  },
  ...failures(400, 401, 403, 426, 429, 500, 503),
});
