/** @file The error that the program raises on purpose: a code of the registry, a message, and what to do about it. */

import { printable } from "./printable.ts";
import { registry, type ErrorCode } from "./registry.ts";

export interface ErrorDetails {
  /** The request field, command flag or file part at fault, as its user spells it. */
  param?: string | undefined;
  cause?: unknown;
  /** Seconds after which a retry makes sense; becomes the Retry-After header. */
  retryAfterSeconds?: number | undefined;
  /** Whether the message has several lines; else a line break in it is a stranger's, and is escaped. */
  keepLines?: boolean | undefined;
}

/**
 * An error with a code from the registry. Its message is a whole sentence for the person at fault and names the field,
 * file, offset or tensor; it never carries prompt text or keys. What a file or client put into it is made printable.
 */
export class BonsaiError extends Error {
  override readonly name = "BonsaiError";
  readonly code: ErrorCode;
  readonly param: string | undefined;
  readonly retryAfterSeconds: number | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(printable(message, { keepLines: details.keepLines }), details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.param = details.param;
    this.retryAfterSeconds = details.retryAfterSeconds;
  }

  /** HTTP status of the code (RFC 9110). */
  get status(): number {
    return registry[this.code].status;
  }

  /** OpenAI's `error.type`. */
  get type(): string {
    return registry[this.code].type;
  }
}
