/** @file OpenAI's error body. */

import { Type, type Static } from "typebox";
import type { BonsaiError } from "../../errors/bonsai-error.ts";

export const ErrorBody = Type.Object(
  {
    error: Type.Object({
      message: Type.String({ description: "What is wrong and what would be right." }),
      type: Type.String(),
      param: Type.Union([Type.String(), Type.Null()], { description: "The field at fault." }),
      code: Type.String({ description: "One of docs/ERRORS.md." }),
    }),
  },
  { title: "Error" },
);
export type ErrorBody = Static<typeof ErrorBody>;

export const toErrorBody = (error: BonsaiError): ErrorBody => ({
  error: { message: error.message, type: error.type, param: error.param ?? null, code: error.code },
});
