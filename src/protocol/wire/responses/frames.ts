/**
 * @file The frames of OpenAI's WebSocket mode on GET /v1/responses: response.create from the client, the events of
 * responses to it.
 */

import { Type, type Static } from "typebox";
import type { BonsaiError } from "../../../errors/bonsai-error.ts";
import { ErrorBody, toErrorBody } from "../errors.ts";
import { StreamId } from "../frames.ts";
import { ignored, type RequestLimits, unsupported } from "../schema.ts";
import { responseRequest } from "./request.ts";

const OptionalStreamId = Type.Optional({ ...StreamId, description: "The client's own name of the response; one at a time may have none." });

/** Asks for a response: a request of POST /v1/responses, always streamed. */
export const responseCreateFrame = (limits: RequestLimits) =>
  Type.Object(
    {
      ...responseRequest(limits).properties,
      type: Type.Literal("response.create"),
      stream_id: OptionalStreamId,
      stream: ignored("responses over WebSocket are always streamed", { type: ["boolean", "null"] }),
      generate: unsupported("a prefix is cached once it has been computed", { enum: [true, null] }),
    },
    { additionalProperties: false, title: "ResponseCreateFrame" },
  );
export type ResponseCreateFrame = Static<ReturnType<typeof responseCreateFrame>>;

/** Ends a response, which an error of code `cancelled` confirms. Nothing happens when it has ended already. */
export const ResponseCancelFrame = Type.Object(
  { type: Type.Literal("response.cancel"), stream_id: OptionalStreamId },
  { additionalProperties: false, title: "ResponseCancelFrame" },
);

/** OpenAI's guide has the error within; the client's types have its fields beside the type. Both are there. */
export const ResponseErrorFrame = Type.Object(
  {
    type: Type.Literal("error"),
    stream_id: Type.Optional(Type.String()),
    status: Type.Integer({ description: "What the error would be over HTTP." }),
    sequence_number: Type.Integer(),
    code: Type.String(),
    message: Type.String(),
    param: Type.Union([Type.String(), Type.Null()]),
    ...ErrorBody.properties,
  },
  { title: "ResponseErrorFrame" },
);
export type ResponseErrorFrame = Static<typeof ResponseErrorFrame>;

export function toResponseErrorFrame(failure: BonsaiError, streamId: string | undefined): ResponseErrorFrame {
  const { error } = toErrorBody(failure);
  const { code, message, param } = error;
  return {
    type: "error",
    ...(streamId === undefined ? {} : { stream_id: streamId }),
    status: failure.status,
    sequence_number: 0,
    code,
    message,
    param,
    error,
  };
}
