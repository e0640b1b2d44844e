/**
 * @file Samples answers to prompts, has them judged, and writes preferences. A collection that was stopped or killed
 * goes on where it was.
 */

import { setMaxListeners } from "node:events";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { resolveModels } from "../catalog/resolve-models.ts";
import { startModels } from "../catalog/start-models.ts";
import type { Engine } from "../engine/contract/request.ts";
import type { JsonObject } from "../formats/json-file.ts";
import { onDisk, writeWholeFile } from "../formats/written-file.ts";
import { countScale } from "../progress/progress.ts";
import type { TaskContext } from "../progress/task-context.ts";
import { openWorkFolder } from "../training/run/work-folder.ts";
import type { CandidateSources, PromptRow } from "./candidates.ts";
import { checkCollectOptions, policyOf, rewriterOf, selectionOf, type CollectOptions } from "./collect-options.ts";
import { readPrompts } from "./collect-prompts.ts";
import { CollectionJournal } from "./collection-journal.ts";
import { collectionReport } from "./collection-report.ts";
import { collectPrompt, type CollectedPrompt, type CollectionPlan } from "./collection.ts";
import { judgeMaterial, modelsOfJudges, namesInThisProcess, textModelAt, type ModelPlace } from "./judge-models.ts";
import { judgeIdentity, makeJudge, readJudgeWord } from "./judge-words.ts";
import { PreferenceWriter } from "./preference-writing.ts";

/** Requests in flight: enough that the engine always has rows to compute, few enough that its queue takes them. */
const sequencesInFlight = 128;

export interface CollectionOutcome {
  /** Prompts that are done, of how many. */
  collected: number;
  prompts: number;
}

/**
 * Collects, and writes the rows and the report once all prompts are done.
 * @param stop ends it after the prompts that are done
 * @throws BonsaiError `usage` for options that contradict each other; `write_failed`; what models and judges throw
 */
export async function collectPreferences(options: CollectOptions, context: TaskContext, stop: AbortSignal): Promise<CollectionOutcome> {
  const identities = await Promise.all(options.judge.map(judgeIdentity));
  checkCollectOptions(options);
  const { rows, sha256 } = readPrompts(options.prompts, options.limit);
  onDisk(options.outputDir, () => mkdirSync(options.outputDir, { recursive: true }));
  const work = await openWorkFolder(options.outputDir);
  // Every request in flight listens to it.
  setMaxListeners(0, stop);
  let engine: Engine | undefined;
  let journal: CollectionJournal | undefined;
  try {
    const local = namesInThisProcess(modelsOf(options));
    const { quantization } = options;
    const { log } = context;
    engine = local.length === 0 ? undefined : await startModels(await resolveModels(local, log), { quantization, log });
    const settings = { ...settingsOf(options, engine, sha256), judges: identities };
    const plan = planOf(options, engine, stop);
    journal = CollectionJournal.open(join(options.outputDir, "journal.jsonl"), settings, plan, options.resume);
    if (await collectAll(rows, plan, journal, context, stop))
      writePreferences(rows, journal.collected.slice(0, rows.length), options, context);
    return { collected: Math.min(rows.length, journal.collected.length), prompts: rows.length };
  } finally {
    journal?.close();
    await engine?.close();
    await work.remove();
  }
}

/** @returns whether all prompts were collected; false where the signal ended it before. */
async function collectAll(
  rows: readonly PromptRow[],
  plan: CollectionPlan,
  journal: CollectionJournal,
  { startProgress }: TaskContext,
  signal: AbortSignal,
): Promise<boolean> {
  const progress = startProgress(countScale("prompts"));
  const inFlight = Math.max(2, Math.floor(sequencesInFlight / Math.max(1, plan.sources.policy?.samples ?? 1)));
  // A window and no pool: what is done waits in memory for the prompts before it, so no more than this much may be
  // lost.
  const running: Promise<CollectedPrompt>[] = [];
  let next = journal.collected.length;
  try {
    while (journal.collected.length < rows.length && !signal.aborted) {
      for (; next < rows.length && running.length < inFlight; next++) {
        const prompt = collectPrompt(rows[next]!, next, plan);
        // It is awaited in its turn; until then its failure waits, too.
        prompt.catch(() => undefined);
        running.push(prompt);
      }
      journal.add(await running.shift()!);
      progress.update("collect", journal.collected.length, rows.length);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    progress.end();
  }
  return journal.collected.length >= rows.length;
}

/** All models that are asked for answers or verdicts. */
function modelsOf(options: CollectOptions): ModelPlace[] {
  const places = [policyOf(options), rewriterOf(options)].filter((place) => place !== undefined);
  return [...places, ...modelsOfJudges(options.judge, options.judgeUrl)];
}

/** All that what is collected follows from; how it is written is not among it. */
function settingsOf(options: CollectOptions, engine: Engine | undefined, promptsHash: string): JsonObject {
  const { judgeUrl, criterion, judgeTokens, form, pairs, equalBelow, seed, judge: judges } = options;
  const asksModel = judges.some((name) => readJudgeWord(name).kind === "llm");
  const settings: JsonObject = {
    version: 1,
    prompts: promptsHash,
    policy: policyOf(options),
    rewriter: rewriterOf(options),
    ...(asksModel ? { judgeUrl, criterion, judgeTokens } : {}),
    form,
    pairs,
    equalBelow,
    seed,
    models: Object.fromEntries((engine?.models ?? []).map(({ id, fingerprint }) => [id, fingerprint])),
  };
  // As it comes back from the file: without what is undefined.
  return JSON.parse(JSON.stringify(settings)) as JsonObject;
}

function planOf(options: CollectOptions, engine: Engine | undefined, signal: AbortSignal): CollectionPlan {
  const { seed, form, pairs: pairsPerPrompt } = options;
  const [policy, rewriter] = [policyOf(options), rewriterOf(options)];
  const sources: CandidateSources = {
    policy: policy && { ...policy, model: textModelAt(policy, engine) },
    rewriter: rewriter && {
      ...rewriter,
      model: textModelAt(rewriter, engine),
      temperature: policy?.temperature ?? 1,
      maxTokens: policy?.maxTokens ?? 160,
    },
    seed,
    signal,
  };
  const material = judgeMaterial(engine, options, signal);
  return { sources, judges: options.judge.map((name) => makeJudge(name, material)), form, pairsPerPrompt, seed };
}

/** Writes the rows and the report: functions of journal and options alone. */
function writePreferences(
  rows: readonly PromptRow[],
  collected: readonly CollectedPrompt[],
  options: CollectOptions,
  { command, print }: TaskContext,
): void {
  const { outputDir, scale, ties, labelNoise, threshold, seed, judge: judges, form } = options;
  const writing = { judge: judges[0]!, scale, ties, noise: labelNoise, threshold, selection: selectionOf(options), seed };
  const writer = new PreferenceWriter(writing, collected);
  const path = join(outputDir, "preferences.jsonl");
  const lines = function* (): Generator<string> {
    for (const one of collected) for (const row of writer.rowsOf(rows[one.index]!, one)) yield `${JSON.stringify(row)}\n`;
  };
  writeWholeFile(path, lines());
  const report = collectionReport({ form, judges, writing, setup: setupOf(options), command }, collected, writer);
  writeWholeFile(join(outputDir, "report.md"), [report]);
  print(`${writer.counts.rows} rows are in ${path}, and what they are in ${join(outputDir, "report.md")}.`);
}

function setupOf(options: CollectOptions): string[] {
  const { prompts, judge: judges, seed } = options;
  const [policy, rewriter] = [policyOf(options), rewriterOf(options)];
  const at = ({ name, url }: ModelPlace): string => (url === undefined ? name : `${name} at ${url}`);
  return [
    policy === undefined
      ? `The answers came with the prompts of ${prompts}.`
      : `${policy.samples} answers to each prompt of ${prompts} were sampled from ${at(policy)} at temperature ${policy.temperature}, of at most ${policy.maxTokens} tokens, with seed ${seed}.`,
    ...(rewriter === undefined ? [] : [`Each was rewritten by ${at(rewriter)}: "${rewriter.instruction}"`]),
    `The labels are of ${judges[0]}${judges.length > 1 ? `; beside it judged ${judges.slice(1).join(", ")}` : ""}.`,
  ];
}
