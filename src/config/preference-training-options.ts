/** @file The options that the trainers on preferences share: those of every trainer, with a length of whole answers. */

import { Type } from "typebox";
import { annotations } from "./option.ts";
import { trainingProperties } from "./training-options.ts";

const annotate = annotations<"Model and data">();

interface PreferenceDefaults {
  modelDescription: string;
  datasetDescription: string;
  /** What becomes of an answer that is longer than --max-length. */
  maxLengthDescription: string;
  epochs: number;
  learningRate: number;
}

/** Answers are never cut in two by the end of a row, so that there is one way to pack them. */
export function preferenceTrainingProperties({ maxLengthDescription, ...defaults }: PreferenceDefaults) {
  const { packingStrategy: _, ...shared } = trainingProperties({
    ...defaults,
    schedule: "linear",
    weightDecay: 0,
    packing: false,
    packingStrategy: "bfd",
  });
  const maxLength = Type.Integer({
    minimum: 0,
    maximum: 1 << 20,
    ...annotate({
      group: "Model and data",
      unit: "tokens",
      description: maxLengthDescription,
      default: 0,
      defaultText: "1024 tokens, or the model's context where that is shorter",
    }),
  });
  return { ...shared, maxLength };
}
