/** @file The words of a trainer's command line as its options, checked one by one and then together, and its --help. */

import type { Static, TObject } from "typebox";
import { BonsaiError } from "../errors/bonsai-error.ts";
import { readFlags } from "./command-line.ts";
import { optionLines } from "./describe.ts";
import { defaultsOf, optionsOf } from "./option.ts";
import { supportedDevices } from "./options.ts";
import type { TrainingOptions } from "./training-options.ts";

/** Options that every trainer has; what it has beside them its own schema says. */
export type SharedTrainingOptions = Omit<TrainingOptions, "packingStrategy">;

/** What the command line asks for. */
export type TrainingInvocation<Options> = { kind: "help" } | { kind: "version" } | { kind: "run"; options: Options };

/**
 * @param schema whose options are the shared ones and more.
 * @throws BonsaiError `usage`, naming the flag at fault and what would be right.
 */
export function readTrainingOptions<Schema extends TObject>(schema: Schema, args: readonly string[]): TrainingInvocation<Static<Schema>> {
  const listed = optionsOf(schema.properties);
  const flags = readFlags(args, listed);
  if (flags.kind !== "values") return flags;
  const read = { ...defaultsOf(listed), ...flags.values };
  const options = read as unknown as SharedTrainingOptions;
  const refuse = (flag: string, message: string): never => {
    throw new BonsaiError("usage", message, { param: flag });
  };
  if (options.model === "") refuse("--model", "Name the model to train: --model DIR.");
  // Rounds make their own data.
  const hasRounds = ((read as { rounds?: number }).rounds ?? 0) > 0;
  if (options.dataset.length === 0 && !hasRounds) refuse("--dataset", "Name the data to train on: --dataset FILE.");
  if (options.outputDir === "") refuse("--output-dir", "Name the folder of what is trained: --output-dir DIR.");
  if (!supportedDevices.includes(options.device))
    refuse("--device", `--device ${options.device} is not supported by this version: use ${supportedDevices.join(" or ")}.`);
  if (options.optim === "sgd") {
    for (const [flag, name] of [
      ["--adam-beta1", "adamBeta1"],
      ["--adam-beta2", "adamBeta2"],
      ["--adam-epsilon", "adamEpsilon"],
    ] as const)
      // prettier-ignore
      if (name in flags.values) refuse(flag, `${flag} is of AdamW: leave it out with --optim sgd.`);
  }
  const trainsAdapter = options.loraR > 0 || options.adapter !== "";
  for (const [flag, name] of [
    ["--lora-alpha", "loraAlpha"],
    ["--lora-dropout", "loraDropout"],
    ["--lora-target-modules", "loraTargetModules"],
    ["--load-in-8bit", "loadIn8bit"],
  ] as const) {
    // prettier-ignore
    if (!trainsAdapter && name in flags.values) refuse(flag, `${flag} is of an adapter: give --lora-r as well.`);
  }
  if (options.adapter !== "") {
    for (const [flag, name] of [
      ["--lora-r", "loraR"],
      ["--lora-alpha", "loraAlpha"],
      ["--lora-target-modules", "loraTargetModules"],
    ] as const)
      // prettier-ignore
      if (name in flags.values) refuse(flag, `${flag} is what the adapter of --adapter has: give one of the two.`);
  }
  return { kind: "run", options: read as Static<Schema> };
}

/** The options by their flags, as a record of a run keeps them. */
export function trainingFlags<Schema extends TObject>(schema: Schema, options: Static<Schema>): Record<string, unknown> {
  const values = options as Record<string, unknown>;
  return Object.fromEntries(optionsOf(schema.properties).map(({ name, flag }) => [`--${flag}`, values[name]]));
}

/** The text of --help. */
export function trainingHelp(schema: TObject, about: readonly string[], command: string): string {
  const listed = optionsOf(schema.properties);
  const groups = [...new Set(listed.map(({ group }) => group))];
  const lines = [
    ...about,
    "",
    `Usage: npm run ${command} -- --model DIR --dataset FILE --output-dir DIR [options]`,
    ...optionLines(groups, listed, { withVariables: false, others: [] }),
  ];
  return `${lines.join("\n")}\n`;
}
