/** @file The events of a response, in the shapes of OpenAI. */

import { Type, type Static, type TSchema } from "typebox";
import { BestOfProgress } from "../best-of-response.ts";
import { words } from "../schema.ts";
import { OutputLogprob, OutputMessage, OutputText, ResponseObject } from "./response.ts";

/** The place of an event about the one part of the one message. */
const place = { item_id: Type.String(), output_index: Type.Literal(0), content_index: Type.Literal(0) };

const eventOf = <const T extends string, P extends Record<string, TSchema>>(types: readonly T[], properties: P) =>
  Type.Object({ type: words(types), sequence_number: Type.Integer(), ...properties });

export const ResponseEvent = Type.Union([
  // The official client's streaming helper throws at a type that it does not know, so progress of Best-of-N comes as
  // more events of in_progress.
  eventOf(["response.created", "response.in_progress", "response.completed", "response.incomplete", "response.failed"], {
    response: ResponseObject,
    best_of: Type.Optional(BestOfProgress),
  }),
  eventOf(["response.output_item.added", "response.output_item.done"], { output_index: Type.Literal(0), item: OutputMessage }),
  eventOf(["response.content_part.added", "response.content_part.done"], { ...place, part: OutputText }),
  eventOf(["response.output_text.delta"], { ...place, delta: Type.String(), logprobs: Type.Array(OutputLogprob) }),
  eventOf(["response.output_text.done"], { ...place, text: Type.String(), logprobs: Type.Array(OutputLogprob) }),
]);
export type ResponseEvent = Static<typeof ResponseEvent>;
