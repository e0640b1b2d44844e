/**
 * @file reward.json, which makes a model folder or adapter a reward model: what its outputs mean, how they become one
 * reward, and its scale.
 */

import { join } from "node:path";
import Type from "typebox";
import Value from "typebox/value";
import { didYouMean } from "../config/suggestion.ts";
import {
  rewardForms,
  type LengthPenalty,
  type Normalization,
  type PrefixMeasurement,
  type RewardDescription,
} from "../engine/contract/reward-description.ts";
import { BonsaiError } from "../errors/bonsai-error.ts";
import { inspectJson, readJsonObject, readTextFile } from "../formats/json-file.ts";
import { pathInFolder } from "../formats/safetensors/safetensors-weights.ts";
import { writeJsonFile } from "../formats/written-file.ts";

export const rewardConfigFile = "reward.json";

export interface RewardConfig extends RewardDescription {
  /**
   * The policy whose hidden states a policy-head reads, or the tuned policy of the form implicit. Absent otherwise.
   */
  policy?: PolicyReference | undefined;
  /**
   * The model that the policy of the form implicit was tuned from, and the factor of the difference of
   * log-probabilities. Absent otherwise.
   */
  reference?: PolicyReference | undefined;
  beta?: number | undefined;
}

export interface PolicyReference {
  /** As `--model` takes it: a name, or a folder seen from the reward model's. */
  name: string;
  /** `ModelFile.contentHash` of the policy that it was trained on; a head fits no other one. */
  sha256: string;
}

const largestFileBytes = 2 ** 20;
const mostDimensions = 64;
const mostPrefixLengths = 64;
/** Beyond any trained model's outputs; keeps sums and quotients finite. */
const largestNumber = 1e9;
const smallestDeviation = 1e-9;

const Numbers = Type.Array(Type.Number({ minimum: -largestNumber, maximum: largestNumber }), { maxItems: mostDimensions });
const Deviation = Type.Number({ minimum: smallestDeviation, maximum: largestNumber });
const closed = { additionalProperties: false } as const;

const PolicyReferenceFile = Type.Object(
  { name: Type.String({ minLength: 1, maxLength: 1000 }), sha256: Type.String({ pattern: "^[0-9a-f]{64}$" }) },
  closed,
);

/** The file, with the keys that it has on disk. */
const RewardFile = Type.Object(
  {
    form: Type.Union([
      Type.Literal("decoder"),
      Type.Literal("encoder"),
      Type.Literal("policy-head"),
      Type.Literal("implicit"),
      Type.Literal("value"),
    ]),
    // Names become keys of the wire's answers and of id2label.
    dimensions: Type.Array(Type.String({ pattern: "^[A-Za-z][A-Za-z0-9_-]{0,63}$" }), { minItems: 1, maxItems: mostDimensions }),
    weights: Numbers,
    normalization: Type.Object(
      {
        mean: Numbers,
        deviation: Type.Array(Deviation, { maxItems: mostDimensions }),
        holistic: Type.Object({ mean: Type.Number({ minimum: -largestNumber, maximum: largestNumber }), deviation: Deviation }, closed),
        reference: Type.String({ maxLength: 1000 }),
      },
      closed,
    ),
    length_penalty: Type.Optional(
      Type.Object(
        {
          per_100_characters: Type.Number({ minimum: -largestNumber, maximum: largestNumber }),
          reference: Type.String({ maxLength: 1000 }),
        },
        closed,
      ),
    ),
    max_length: Type.Integer({ minimum: 1, maximum: 2 ** 20 }),
    prefixes: Type.Optional(
      Type.Object(
        {
          reference: Type.String({ maxLength: 1000 }),
          value_model: Type.Optional(Type.String({ minLength: 1, maxLength: 1000 })),
          mean_tokens: Type.Number({ exclusiveMinimum: 0, maximum: 2 ** 20 }),
          correlations: Type.Array(
            Type.Object(
              { tokens: Type.Integer({ minimum: 1, maximum: 2 ** 20 }), correlation: Type.Number({ minimum: -1, maximum: 1 }) },
              closed,
            ),
            { minItems: 1, maxItems: mostPrefixLengths },
          ),
        },
        closed,
      ),
    ),
    policy: Type.Optional(PolicyReferenceFile),
    reference: Type.Optional(PolicyReferenceFile),
    beta: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: largestNumber })),
  },
  closed,
);
type RewardFile = Type.Static<typeof RewardFile>;

/**
 * Reads `folder`'s reward.json.
 * @throws BonsaiError `file_not_found`; `invalid_model_file`, naming file and key.
 */
export function readRewardConfig(folder: string): RewardConfig {
  const path = pathInFolder(folder, rewardConfigFile);
  const value = readJsonObject(path, largestFileBytes);
  const { duplicateKey } = inspectJson(readTextFile(path, largestFileBytes));
  if (duplicateKey !== undefined) throw refusal(path, duplicateKey, "is there twice");
  return fromFile(checkedFile(path, value));
}

/**
 * Writes `folder`'s reward.json, whole or not at all; the folder exists.
 * @throws BonsaiError `invalid_model_file` naming the key where the config is not one that `readRewardConfig` takes;
 * `write_failed`.
 */
export function writeRewardConfig(folder: string, config: RewardConfig): void {
  const path = join(folder, rewardConfigFile);
  const file = toFile(config);
  checkedFile(path, file);
  writeJsonFile(path, file);
}

/** The scale of a model that was not measured on any reference: rewards are its raw outputs. */
export function rawNormalization(outputs: number): Normalization {
  return {
    dimensions: Array.from({ length: outputs }, () => ({ mean: 0, deviation: 1 })),
    holistic: { mean: 0, deviation: 1 },
    reference: "none: rewards are the model's raw outputs",
  };
}

function checkedFile(path: string, value: object): RewardFile {
  if (!Value.Check(RewardFile, value)) throw refusalOfShape(path, value);
  const { dimensions, weights, normalization, form, policy } = value;
  const repeated = dimensions.find((name, index) => dimensions.indexOf(name) !== index);
  if (repeated !== undefined) throw refusal(path, "dimensions", `names ${JSON.stringify(repeated)} twice`);
  const lists = { weights, "normalization.mean": normalization.mean, "normalization.deviation": normalization.deviation };
  for (const [key, list] of Object.entries(lists)) {
    if (list.length === dimensions.length) continue;
    throw refusal(path, key, `has ${list.length} numbers and there are ${dimensions.length} dimensions; give one for each`);
  }
  if (weights.every((weight) => weight === 0)) throw refusal(path, "weights", "are all 0, so that no answer would be better than another");
  const lengths = value.prefixes?.correlations.map(({ tokens }) => tokens) ?? [];
  const unordered = lengths.findIndex((tokens, at) => at > 0 && tokens <= lengths[at - 1]!);
  if (unordered >= 0) throw refusal(path, `prefixes.correlations.${unordered}.tokens`, "must be more than the one before it");
  if (form === "policy-head" && policy === undefined) {
    throw refusal(path, "policy", 'is missing; the form "policy-head" needs the name and sha256 of the policy that its head reads');
  }
  if (form !== "policy-head" && form !== "implicit" && policy !== undefined) {
    throw refusal(path, "policy", `belongs to the forms "policy-head" and "implicit" only, and the form is ${JSON.stringify(form)}`);
  }
  for (const key of ["policy", "reference", "beta"] as const) {
    if (form === "implicit" && value[key] === undefined)
      throw refusal(path, key, 'is missing; the form "implicit" needs policy, reference and beta');
    if (form !== "implicit" && key !== "policy" && value[key] !== undefined)
      throw refusal(path, key, `belongs to the form "implicit" only, and the form is ${JSON.stringify(form)}`);
  }
  if (form === "implicit" && dimensions.length > 1)
    throw refusal(path, "dimensions", 'names several, and the form "implicit" has one output');
  return value;
}

/** The sentence for the first thing that the schema refuses. */
function refusalOfShape(path: string, value: object): BonsaiError {
  // A key that does not belong is first reported as one whose schema is false.
  const first = Value.Errors(RewardFile, value).find(({ keyword }) => keyword !== "boolean");
  const place = (first?.instancePath ?? "").slice(1).replaceAll("/", ".");
  const parameters = first?.params as { requiredProperties?: string[]; additionalProperties?: string[] } | undefined;
  const inPlace = (name: string): string => (place === "" ? name : `${place}.${name}`);
  const missing = parameters?.requiredProperties?.[0];
  if (missing !== undefined) return refusal(path, inPlace(missing), "is missing");
  const unknown = parameters?.additionalProperties?.[0];
  if (unknown !== undefined) {
    const known = place === "" ? Object.keys(RewardFile.properties) : [];
    return refusal(path, inPlace(unknown.slice(0, 64)), `is no key of it.${didYouMean(unknown, known)}`);
  }
  if (place === "form") return refusal(path, place, `must be one of ${rewardForms.map((form) => JSON.stringify(form)).join(", ")}`);
  return refusal(path, place, first?.message ?? "is not valid");
}

function refusal(path: string, key: string, problem: string): BonsaiError {
  return new BonsaiError("invalid_model_file", `${path}: ${key} ${problem}${problem.endsWith("?") || problem.endsWith(".") ? "" : "."}`, {
    param: key,
  });
}

function fromFile(file: RewardFile): RewardConfig {
  const { mean, deviation, holistic, reference } = file.normalization;
  return {
    form: file.form,
    dimensions: file.dimensions,
    weights: file.weights,
    normalization: {
      dimensions: mean.map((value, index) => ({ mean: value, deviation: deviation[index] as number })),
      holistic,
      reference,
    },
    ...(file.length_penalty === undefined ? {} : { lengthPenalty: fromPenalty(file.length_penalty) }),
    maxLength: file.max_length,
    policy: file.policy,
    ...(file.reference === undefined ? {} : { reference: file.reference }),
    ...(file.beta === undefined ? {} : { beta: file.beta }),
    ...(file.prefixes === undefined ? {} : { prefixes: fromPrefixes(file.prefixes) }),
  };
}

function fromPenalty({ per_100_characters: perHundred, reference }: NonNullable<RewardFile["length_penalty"]>): LengthPenalty {
  return { perHundred, reference };
}

function toPenalty({ perHundred, reference }: LengthPenalty): NonNullable<RewardFile["length_penalty"]> {
  return { per_100_characters: perHundred, reference };
}

type PrefixesFile = NonNullable<RewardFile["prefixes"]>;

function fromPrefixes({ reference, value_model: valueModel, mean_tokens: meanTokens, correlations }: PrefixesFile): PrefixMeasurement {
  return { reference, ...(valueModel === undefined ? {} : { valueModel }), meanTokens, correlations };
}

function toPrefixes({ reference, valueModel, meanTokens, correlations }: PrefixMeasurement): PrefixesFile {
  return {
    reference,
    ...(valueModel === undefined ? {} : { value_model: valueModel }),
    mean_tokens: meanTokens,
    correlations: correlations.map(({ tokens, correlation }) => ({ tokens, correlation })),
  };
}

function toFile({
  form,
  dimensions,
  weights,
  normalization,
  lengthPenalty,
  maxLength,
  policy,
  prefixes,
  reference,
  beta,
}: RewardConfig): RewardFile {
  return {
    form,
    dimensions: [...dimensions],
    weights: [...weights],
    normalization: {
      mean: normalization.dimensions.map(({ mean }) => mean),
      deviation: normalization.dimensions.map(({ deviation }) => deviation),
      holistic: { mean: normalization.holistic.mean, deviation: normalization.holistic.deviation },
      reference: normalization.reference,
    },
    ...(lengthPenalty === undefined ? {} : { length_penalty: toPenalty(lengthPenalty) }),
    max_length: maxLength,
    ...(policy === undefined ? {} : { policy: { name: policy.name, sha256: policy.sha256 } }),
    ...(prefixes === undefined ? {} : { prefixes: toPrefixes(prefixes) }),
    ...(reference === undefined ? {} : { reference: { name: reference.name, sha256: reference.sha256 } }),
    ...(beta === undefined ? {} : { beta }),
  };
}
