/** @file The options that say how the answers of an evaluation are sampled. */

import { Type } from "typebox";
import { annotations } from "../config/option.ts";

const annotate = annotations<"Sampling">();

export const samplingOptions = {
  temperature: Type.Number({
    minimum: 0,
    ...annotate({ group: "Sampling", metavar: "T", description: "Temperature of the samples", default: 1 }),
  }),
  maxTokens: Type.Integer({
    minimum: 1,
    ...annotate({ group: "Sampling", unit: "tokens", description: "Longest answer", default: 160 }),
  }),
  seed: Type.Integer({
    minimum: 0,
    maximum: Number.MAX_SAFE_INTEGER,
    ...annotate({ group: "Sampling", description: "Seed of the samples", default: 0 }),
  }),
};
