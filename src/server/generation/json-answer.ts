/** @file A whole answer as JSON; a large one is written in pieces, between which the server answers others. */

import { Readable } from "node:stream";
import { setImmediate } from "node:timers/promises";
import type { FastifyReply } from "fastify";
import { inPieces, jsonParts, pieceLength } from "../../protocol/wire/json-pieces.ts";

export function sendJson(reply: FastifyReply, answer: object): FastifyReply {
  const pieces = inPieces(jsonParts(answer));
  const first = pieces.next().value ?? "";
  reply.type("application/json; charset=utf-8");
  if (first.length < pieceLength) return reply.send(first);
  const text = async function* (): AsyncGenerator<string, void, undefined> {
    yield first;
    for (const piece of pieces) {
      await setImmediate();
      yield piece;
    }
  };
  return reply.send(Readable.from(text()));
}
