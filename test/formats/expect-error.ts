/**
 * @file Asserts that something is refused in the way every reader promises: by a BonsaiError with a code and a telling
 * message.
 */

import assert from "node:assert/strict";

import { BonsaiError } from "../../src/errors/bonsai-error.ts";
import type { ErrorCode } from "../../src/errors/registry.ts";

/** Fails unless `action` throws a BonsaiError of that code whose message matches. */
export function assertRefused(action: () => unknown, code: ErrorCode, message: RegExp): void {
  assert.throws(action, isRefusal(code, message));
}

/** Fails unless the promise rejects with a BonsaiError of that code whose message matches. */
export async function assertRejected(promise: Promise<unknown>, code: ErrorCode, message: RegExp): Promise<void> {
  await assert.rejects(promise, isRefusal(code, message));
}

function isRefusal(code: ErrorCode, message: RegExp): (error: unknown) => true {
  return (error) => {
    assert.ok(error instanceof BonsaiError, `not a BonsaiError: ${String(error)}`);
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    return true;
  };
}
