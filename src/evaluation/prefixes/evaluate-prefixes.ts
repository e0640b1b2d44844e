/**
 * @file Measures how well a reward model's scores of prefixes tell those of whole answers, and what pruning by them
 * saves.
 */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { allServed } from "../../catalog/attach-models.ts";
import { resolveModels, servedId } from "../../catalog/resolve-models.ts";
import { startModels } from "../../catalog/start-models.ts";
import type { PrefixMeasurement } from "../../engine/contract/reward-description.ts";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import { conversationOf } from "../../preferences/candidates.ts";
import { readPrompts } from "../../preferences/collect-prompts.ts";
import type { TaskContext } from "../../progress/task-context.ts";
import { readRewardConfig, rewardConfigFile, writeRewardConfig } from "../../reward/reward-config.ts";
import { writeCardSection } from "../card-section.ts";
import { measuredBy } from "../measured-by.ts";
import { measurePrefixes, perfectPrefixes } from "./prefix-correlation.ts";
import type { PrefixOptions } from "./prefix-options.ts";
import { perfectReport, prefixReport, prunedRows } from "./prefix-report.ts";
import { measuredAnswers, recordAnswers, type SampledGroup } from "./recorded-answers.ts";

/**
 * Prints the report; with `write` it keeps the measurement in the model's folder. @throws BonsaiError `usage`; of files
 * and models
 */
export async function evaluatePrefixes(options: PrefixOptions, context: TaskContext): Promise<void> {
  const prompts = readPrompts(options.prompts, options.limit).rows.map(({ prompt }) => conversationOf(prompt));
  const named = [options.model, options.rewardModel, ...(options.valueModel === undefined ? [] : [options.valueModel])];
  const served = await resolveModels(named, context.log);
  const rewardModelId = servedId(options.rewardModel);
  const folder = allServed(served).find(({ id }) => id === rewardModelId)!.path;
  const config = existsSync(join(folder, rewardConfigFile)) ? readRewardConfig(folder) : undefined;
  if (options.write && config === undefined)
    throw new BonsaiError(
      "usage",
      `--write keeps the measurement in the reward model's ${rewardConfigFile}, and ${rewardModelId} has none: leave --write out, or name a folder that has one.`,
      { param: "--write" },
    );
  const engine = await startModels(served, { quantization: "fp32", log: context.log });
  let groups: SampledGroup[];
  try {
    groups = await recordAnswers(engine, prompts, options, context);
  } finally {
    await engine.close();
  }
  const reference = `${prompts.length} prompts, ${options.samples} answers of ${servedId(options.model)} to each at temperature ${options.temperature}`;
  const answers = groups.map((group) => measuredAnswers(group, options.lengths));
  const measured: PrefixMeasurement = {
    ...measurePrefixes(answers, options.lengths, reference),
    ...(options.valueModel === undefined ? {} : { valueModel: servedId(options.valueModel) }),
  };
  const sizes = [4, 8, 16, 32].filter((size) => size <= options.samples);
  const report = [
    ...prefixReport(measured, prunedRows(groups, measured, sizes)),
    ...(options.continuations === 0
      ? []
      : ["", ...perfectReport(perfectPrefixes(answers, options.lengths, measured), sizes, options.continuations)]),
    "",
    measuredBy(context.command),
  ];
  context.print(report.join("\n"));
  if (config === undefined || !options.write) return;
  writeRewardConfig(folder, { ...config, prefixes: measured.correlations.length === 0 ? undefined : measured });
  const card = join(folder, "README.md");
  if (existsSync(card)) writeCardSection(card, "Prefixes", report);
}
