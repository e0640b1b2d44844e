/** @file Carries errors from the compute worker to the server's thread with their codes. */

import { BonsaiError } from "../../errors/bonsai-error.ts";
import type { WireError } from "./messages.ts";

export function toWire(error: unknown): WireError {
  const known = error instanceof BonsaiError ? error : undefined;
  const { message, stack } = error instanceof Error ? error : { message: String(error), stack: undefined };
  return { code: known?.code, message, param: known?.param, retryAfterSeconds: known?.retryAfterSeconds, stack };
}

/** Errors that nobody raised on purpose become `internal`, with the worker's stack as their cause. */
export function fromWire(wire: WireError): BonsaiError {
  const cause = Object.assign(new Error(wire.message), { stack: wire.stack });
  return new BonsaiError(wire.code ?? "internal", wire.message, { param: wire.param, retryAfterSeconds: wire.retryAfterSeconds, cause });
}
