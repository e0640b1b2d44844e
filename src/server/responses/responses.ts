/** @file One request of the Responses API as the chat that it is, and the conversation that it leaves behind. */

import { randomBytes } from "node:crypto";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import { asResponseError, inputMessages, toChatRequest, type PlainMessage } from "../../protocol/mapping/responses/request.ts";
import type { ResponseRequest } from "../../protocol/wire/responses/request.ts";
import { ResponseEncoder } from "../../protocol/mapping/responses/events.ts";
import type { ResponseEvent } from "../../protocol/wire/responses/events.ts";
import { beginResponse } from "../../protocol/mapping/responses/response.ts";
import { openChat } from "../generation/chat.ts";
import type { ServerContext } from "../context.ts";
import type { ResponseStore } from "./response-store.ts";

export interface OpenResponse {
  encoder: ResponseEncoder;
  /** In order; the response of the encoder is whole when they have ended. */
  events: AsyncIterable<ResponseEvent[]>;
}

const randomId = (kind: "resp" | "msg"): string => `${kind}_${randomBytes(24).toString("hex")}`;

/**
 * @param client Whose stored responses it may continue, and to whose it adds.
 * @param own Of a connection: keeps its responses whatever `store` says, since they go with it.
 * @param signal Ends the events.
 * @throws BonsaiError as `openChat` does, and `previous_response_not_found`
 */
export function openResponse(
  context: ServerContext,
  body: ResponseRequest,
  { client, signal, own }: { client: string; signal: AbortSignal; own?: ResponseStore },
): OpenResponse {
  const stores = [...(own === undefined ? [] : [own]), context.responses];
  const conversation = [...previousMessages(body, stores, client), ...inputMessages(body)];
  const { model, asked, events } = inTermsOfResponses(() => openChat(context, toChatRequest(body, conversation), signal));
  const head = { id: randomId("resp"), created: Math.floor(Date.now() / 1000), model: model.id, system_fingerprint: model.fingerprint };
  const encoder = new ResponseEncoder(beginResponse(head, body), randomId("msg"), asked?.returnCandidates);

  const keep = (): void => {
    const whole: PlainMessage[] = [...conversation, { role: "assistant", content: encoder.text }];
    if (body.store ?? true) context.responses.keep(head.id, whole, client);
    own?.keep(head.id, whole, client);
  };
  async function* told(): AsyncGenerator<ResponseEvent[], void, undefined> {
    try {
      for await (const event of events) {
        // Who hears that it is complete may continue it at once.
        if (event.type === "end") keep();
        yield encoder.encode(event);
      }
    } catch (error) {
      throw asResponseError(error);
    }
  }
  return { encoder, events: told() };
}

function previousMessages(
  { previous_response_id: id }: ResponseRequest,
  stores: readonly ResponseStore[],
  client: string,
): readonly PlainMessage[] {
  if (id === undefined || id === null) return [];
  for (const store of stores) {
    const found = store.find(id, client);
    if (found !== undefined) return found;
  }
  throw new BonsaiError(
    "previous_response_not_found",
    "The server has no such response of yours: it was not stored, or it was a while ago.",
    {
      param: "previous_response_id",
    },
  );
}

function inTermsOfResponses<T>(open: () => T): T {
  try {
    return open();
  } catch (error) {
    throw asResponseError(error);
  }
}
