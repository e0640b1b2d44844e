/**
 * @file What every WebSocket of the server has in common: frames are JSON objects with a `type`, and answers are told
 * apart by `stream_id`.
 */

import { Type, type Static } from "typebox";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import { ErrorBody, toErrorBody } from "./errors.ts";

/** Longest name of a stream, in UTF-16 code units. */
export const streamIdLimit = 128;

export const StreamId = Type.String({
  minLength: 1,
  maxLength: streamIdLimit,
  description: "The client's own name of the answer, free again once it has ended.",
});

export const ErrorFrame = Type.Object(
  {
    type: Type.Literal("error"),
    stream_id: Type.Optional(
      Type.String({ description: "The stream that this ends; absent: a frame was refused, and nothing else changes." }),
    ),
    ...ErrorBody.properties,
  },
  { title: "ErrorFrame" },
);
export type ErrorFrame = Static<typeof ErrorFrame>;

export const toErrorFrame = (error: BonsaiError, streamId: string | undefined): ErrorFrame => ({
  type: "error",
  ...(streamId === undefined ? {} : { stream_id: streamId }),
  ...toErrorBody(error),
});

/** A frame of the client, of which only the envelope has been read. */
export interface ClientFrame extends Record<string, unknown> {
  type: string;
}

/**
 * Reads a text frame.
 * @throws BonsaiError `invalid_request` for what is no JSON object with a `type`
 */
export function parseFrame(text: string): ClientFrame {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new BonsaiError("invalid_request", "The frame is not valid JSON.", { cause });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new BonsaiError("invalid_request", "The frame must be a JSON object.");
  const { type } = value as { type?: unknown };
  if (typeof type !== "string") throw new BonsaiError("invalid_request", "type is missing: it must be a text.", { param: "type" });
  return value as ClientFrame;
}

/**
 * The frame's `stream_id`; undefined without one.
 * @throws BonsaiError `invalid_request` for what is no name
 */
export function streamIdOf({ stream_id: streamId }: ClientFrame): string | undefined {
  if (streamId === undefined || streamId === null) return undefined;
  if (typeof streamId === "string" && streamId !== "" && streamId.length <= streamIdLimit) return streamId;
  throw new BonsaiError("invalid_request", `stream_id must be a text of 1 to ${streamIdLimit} characters.`, { param: "stream_id" });
}
