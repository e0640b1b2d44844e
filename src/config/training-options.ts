/**
 * @file Every option of the trainers as TypeBox schemas: names and defaults are TRL's and transformers', in kebab case.
 */

import { Type, type Static } from "typebox";
import { annotations, oneOf } from "./option.ts";
import { supportedDevices } from "./options.ts";

/** The headings under which --help lists the options. */
const annotate = annotations<"Model and data" | "Length of the run" | "Optimiser" | "LoRA" | "Output" | "Operation">();

/** What differs between the commands. */
interface Defaults {
  modelDescription: string;
  datasetDescription: string;
  epochs: number;
  learningRate: number;
  schedule: "constant" | "linear" | "cosine";
  weightDecay: number;
  packing: boolean;
  packingStrategy: "bfd" | "wrapped";
}

const largeCount = { maximum: 1_000_000_000 };

function modelAndData(defaults: Defaults) {
  return {
    model: Type.String(
      annotate({
        group: "Model and data",
        metavar: "NAME|DIR",
        description: defaults.modelDescription,
        default: "",
        defaultText: "none, it must be given",
      }),
    ),
    dataset: Type.Array(
      Type.String({ minLength: 1 }),
      annotate({
        group: "Model and data",
        metavar: "FILE",
        description: defaults.datasetDescription,
        default: [],
        defaultText: "none, it must be given",
      }),
    ),
    evalDataset: Type.Array(
      Type.String({ minLength: 1 }),
      annotate({
        group: "Model and data",
        metavar: "FILE",
        description: "Held-out rows of the same forms. May be repeated",
        default: [],
        defaultText: "none",
      }),
    ),
    maxLength: Type.Integer({
      minimum: 0,
      maximum: 1 << 24,
      ...annotate({
        group: "Model and data",
        unit: "tokens",
        description: "Longest row; a longer one is cut at its end, and counted",
        default: 0,
        defaultText: "1024 tokens, or the model's context where that is shorter",
      }),
    }),
    packing: Type.Boolean(
      annotate({
        group: "Model and data",
        description: "Pack several documents in one row; each attends only to itself",
        default: defaults.packing,
      }),
    ),
    packingStrategy: oneOf(
      ["bfd", "wrapped"] as const,
      annotate({
        group: "Model and data",
        description: "bfd: whole documents, by best-fit decreasing; wrapped: one stream of tokens, cut at the end of each row",
        default: defaults.packingStrategy,
      }),
    ),
    shuffle: Type.Boolean(
      annotate({ group: "Model and data", description: "Shuffle the rows in each epoch; --no-shuffle keeps their order", default: true }),
    ),
  };
}

function lengthOfRun(defaults: Defaults) {
  return {
    maxSteps: Type.Integer({
      minimum: 0,
      ...largeCount,
      ...annotate({
        group: "Length of the run",
        unit: "steps",
        description: "Optimiser steps in all; 0 takes --num-train-epochs",
        default: 0,
      }),
    }),
    numTrainEpochs: Type.Number({
      exclusiveMinimum: 0,
      maximum: 1_000_000,
      ...annotate({
        group: "Length of the run",
        unit: "epochs",
        description: "Passes over the data; may be a fraction",
        default: defaults.epochs,
      }),
    }),
    batchSize: Type.Integer({
      minimum: 1,
      maximum: 65536,
      ...annotate({ group: "Length of the run", unit: "rows", description: "Rows of a batch", default: 8 }),
    }),
    gradientAccumulationSteps: Type.Integer({
      minimum: 1,
      maximum: 65536,
      ...annotate({ group: "Length of the run", description: "Batches of an optimiser step", default: 1 }),
    }),
  };
}

function optimiser(defaults: Defaults) {
  return {
    optim: oneOf(
      ["adamw", "sgd"] as const,
      annotate({
        group: "Optimiser",
        description: "adamw stores two moments of each weight; sgd stores none, and needs much larger learning rates",
        default: "adamw",
      }),
    ),
    learningRate: Type.Number({
      exclusiveMinimum: 0,
      maximum: 100,
      ...annotate({ group: "Optimiser", description: "Highest learning rate", default: defaults.learningRate }),
    }),
    lrSchedulerType: oneOf(
      ["constant", "linear", "cosine"] as const,
      annotate({
        group: "Optimiser",
        description: "Course of the learning rate after the warm-up; linear and cosine end at 0",
        default: defaults.schedule,
      }),
    ),
    warmupSteps: Type.Integer({
      minimum: 0,
      ...largeCount,
      ...annotate({ group: "Optimiser", unit: "steps", description: "Steps over which the rate rises from 0", default: 0 }),
    }),
    weightDecay: Type.Number({
      minimum: 0,
      maximum: 100,
      ...annotate({ group: "Optimiser", description: "Decoupled weight decay of matrices", default: defaults.weightDecay }),
    }),
    adamBeta1: Type.Number({
      minimum: 0,
      maximum: 0.999999,
      ...annotate({ group: "Optimiser", flag: "adam-beta1", description: "Decay of AdamW's mean of gradients", default: 0.9 }),
    }),
    adamBeta2: Type.Number({
      minimum: 0,
      maximum: 0.999999,
      ...annotate({ group: "Optimiser", flag: "adam-beta2", description: "Decay of AdamW's mean of squared gradients", default: 0.999 }),
    }),
    adamEpsilon: Type.Number({
      exclusiveMinimum: 0,
      maximum: 1,
      ...annotate({ group: "Optimiser", description: "Added to the root of AdamW's mean of squares", default: 1e-8 }),
    }),
    maxGradNorm: Type.Number({
      minimum: 0,
      maximum: 1e9,
      ...annotate({
        group: "Optimiser",
        description: "Largest norm of a step's gradient; a larger gradient is scaled down to it; 0 never scales",
        default: 1,
      }),
    }),
  };
}

const lora = {
  loraR: Type.Integer({
    minimum: 0,
    maximum: 4096,
    ...annotate({
      group: "LoRA",
      flag: "lora-r",
      description: "Rank of the adapter that is trained; 0 trains all weights of the model",
      default: 0,
    }),
  }),
  loraAlpha: Type.Number({
    exclusiveMinimum: 0,
    maximum: 65536,
    ...annotate({ group: "LoRA", description: "Scale of the adapter, which is divided by the rank", default: 32 }),
  }),
  loraDropout: Type.Number({
    minimum: 0,
    maximum: 0.99,
    ...annotate({ group: "LoRA", description: "Share of an adapter's inputs that is dropped in training", default: 0.05 }),
  }),
  loraTargetModules: Type.Array(
    Type.String({ minLength: 1 }),
    annotate({
      group: "LoRA",
      metavar: "NAME",
      description: "Linear layer that gets an adapter, such as q_proj, or all-linear. May be repeated",
      default: ["all-linear"],
      defaultText: "all-linear",
    }),
  ),
  adapter: Type.String(
    annotate({
      group: "LoRA",
      metavar: "DIR",
      description: "PEFT adapter to begin with; its own rank, scale and layers are used",
      default: "",
      defaultText: "a new one",
    }),
  ),
  loadIn8bit: Type.Boolean(
    annotate({
      group: "LoRA",
      flag: "load-in-8bit",
      description: "Store the frozen weights under the adapter in 8-bit blocks",
      default: false,
    }),
  ),
};

const output = {
  outputDir: Type.String(
    annotate({
      group: "Output",
      metavar: "DIR",
      description: "Folder of the trained model, its metrics and checkpoints",
      default: "",
      defaultText: "none, it must be given",
    }),
  ),
  saveSteps: Type.Integer({
    minimum: 0,
    ...largeCount,
    ...annotate({
      group: "Output",
      unit: "steps",
      description: "Steps between checkpoints; the last step always has one; 0: no other",
      default: 500,
    }),
  }),
  saveTotalLimit: Type.Integer({
    minimum: 1,
    ...largeCount,
    ...annotate({ group: "Output", description: "Number of checkpoints to keep, the newest ones", default: 2 }),
  }),
  resume: Type.Boolean(
    annotate({ group: "Output", description: "Continue the run in the output folder from its newest checkpoint", default: false }),
  ),
  evalSteps: Type.Integer({
    minimum: 0,
    ...largeCount,
    ...annotate({
      group: "Output",
      unit: "steps",
      description: "Steps between evaluations; there is always one before the first step and one after the last; 0: no other",
      default: 100,
    }),
  }),
  saveDtype: oneOf(
    ["float32", "bfloat16", "float16"] as const,
    annotate({ group: "Output", description: "Type of the weights that are written; training is in float32", default: "float32" }),
  ),
};

const operation = {
  seed: Type.Integer({
    minimum: 0,
    maximum: Number.MAX_SAFE_INTEGER,
    ...annotate({ group: "Operation", description: "Seed of shuffling, initial weights and dropout", default: 42 }),
  }),
  device: oneOf(
    ["cpu", "webgpu", "cuda"] as const,
    annotate({
      group: "Operation",
      description: `Where the model is trained; this version has ${supportedDevices.join(", ")} only`,
      default: "cpu",
    }),
  ),
  threads: Type.Integer({
    minimum: 0,
    maximum: 1024,
    ...annotate({ group: "Operation", description: "Compute threads; 0 takes one for each core", default: 0 }),
  }),
  gradientCheckpointing: Type.Boolean(
    annotate({
      group: "Operation",
      description: "Compute activations twice instead of storing them: less memory, more time",
      default: false,
    }),
  ),
};

/** The options that all trainers have, by the groups of --help. */
export function trainingProperties(defaults: Defaults) {
  return { ...modelAndData(defaults), ...lengthOfRun(defaults), ...optimiser(defaults), ...lora, ...output, ...operation };
}

function trainingSchema(defaults: Defaults) {
  return Type.Object(trainingProperties(defaults), { additionalProperties: false });
}

/** `npm run pretrain`. */
export const PretrainSchema = trainingSchema({
  modelDescription: "Folder with config.json and a tokenizer; training continues from its weights, or from random ones where it has none",
  datasetDescription: 'JSON Lines of {"text"}, or of another form of row. May be repeated',
  epochs: 1,
  learningRate: 1e-3,
  schedule: "cosine",
  weightDecay: 0.1,
  packing: true,
  packingStrategy: "wrapped",
});

/** `npm run train:sft`. */
export const SftSchema = trainingSchema({
  modelDescription: "Model to train: a name of the catalog, a GGUF file or a Hugging Face folder",
  datasetDescription: 'JSON Lines of {"messages"}, {"prompt", "completion"} or {"text"}. May be repeated',
  epochs: 3,
  learningRate: 2e-5,
  schedule: "linear",
  weightDecay: 0,
  packing: false,
  packingStrategy: "bfd",
});

/** Every option of a trainer with its value. */
export type TrainingOptions = Static<ReturnType<typeof trainingSchema>>;
