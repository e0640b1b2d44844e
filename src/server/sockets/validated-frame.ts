/** @file Frames are held to their schemas by the validator of the routes, with the same errors. */

import type { FastifyRequest } from "fastify";
import type { ClientFrame } from "../../protocol/wire/frames.ts";
import { invalidRequest } from "../../protocol/wire/invalid-request.ts";

/**
 * The frame, which is then what the schema says.
 * @param request The upgrade of the connection; it keeps the compiled schema.
 * @throws BonsaiError naming the field at fault
 */
export function validatedFrame(request: FastifyRequest, schema: object, frame: ClientFrame): unknown {
  const validate = request.compileValidationSchema(schema);
  if (validate(frame)) return frame;
  throw invalidRequest(validate.errors ?? [], frame);
}
