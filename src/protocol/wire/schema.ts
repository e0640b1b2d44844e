/**
 * @file Building blocks of the request schemas: fields that may be null, fields without effect, and fields that are
 * refused.
 */

import { Type, type Static, type TSchema } from "typebox";

/** Most that a request may ask for; the server's configuration sets it, and the OpenAPI document states it. */
export interface RequestLimits {
  /** Sequences of one request. */
  maxN: number;
  /** Stop strings of one request. */
  maxStopSequences: number;
}

/** Keyword of a refused field's schema: why it is refused. Such a schema admits only values that ask for nothing. */
export const unsupportedKeyword = "x-unsupported";

/**
 * An optional field that may also be null, which means the same as leaving it out. Written as a list of types, so that
 * a validator names one fault and not one for each branch.
 */
export function nullable<const S extends TSchema>(schema: S) {
  const { type, enum: words, ...rest } = schema as unknown as { type: string | string[]; enum?: unknown[] };
  return Type.Optional(
    Type.Unsafe<Static<S> | null>({
      type: [type, "null"].flat(),
      ...(words === undefined ? {} : { enum: [...words, null] }),
      ...rest,
    }),
  );
}

/** A text that is one of some words. */
export const words = <const W extends readonly string[]>(list: W, options: Record<string, unknown> = {}) =>
  Type.Unsafe<W[number]>({ type: "string", enum: [...list], ...options });

/**
 * A field that asks for what the server cannot do: refused unless it is null or one of the values that ask for nothing.
 */
export const unsupported = (reason: string, harmless: Record<string, unknown> = { type: "null" }) =>
  Type.Optional(Type.Unsafe<unknown>({ ...harmless, description: `Not supported: ${reason}.`, [unsupportedKeyword]: reason }));

/** A field that is accepted for the sake of clients and changes nothing. */
export const ignored = (what: string, schema: Record<string, unknown>) =>
  Type.Optional(Type.Unsafe<unknown>({ ...schema, description: `Accepted and ignored: ${what}.` }));
