/** @file `npm run collect`: samples answers to prompts, has them judged, and writes preferences. Stopped or killed, it goes on where it was. */

import { setMaxListeners } from "node:events";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { defaultConfig } from "../../config/options.ts";
import type { Engine } from "../../engine/contract/request.ts";
import { startEngine } from "../../engine/worker/start-engine.ts";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import type { JsonObject } from "../../formats/json-file.ts";
import { onDisk, writeWholeFile } from "../../formats/written-file.ts";
import type { CandidateSources, PromptRow } from "../../preferences/candidates.ts";
import { collectionReport } from "../../preferences/collection-report.ts";
import { collectPrompt, type CollectedPrompt, type CollectionPlan } from "../../preferences/collection.ts";
import { PreferenceWriter } from "../../preferences/preference-writing.ts";
import { openWorkFolder } from "../../training/run/work-folder.ts";
import { judgeIdentity, makeJudge, readJudgeWord } from "./collect-judges.ts";
import { collectHelp, readCollectOptions, type CollectOptions } from "./collect-options.ts";
import { readPrompts } from "../../preferences/collect-prompts.ts";
import { CollectionJournal } from "../../preferences/collection-journal.ts";
import { quotedWord } from "./command-arguments.ts";
import { judgeMaterial, modelsOfJudges, namesInThisProcess, textModelAt, type ModelPlace } from "./judge-material.ts";
import { defaultCacheDir } from "./load-engine.ts";
import { createProgress } from "../../progress/progress.ts";
import { promptScale } from "./prompt-samples.ts";
import { resolveModels } from "../../catalog/resolve-models.ts";
import { runSplitCommand } from "./split.ts";

/** Requests in flight: enough that the engine always has rows to compute, few enough that its queue takes them. */
const sequencesInFlight = 128;

/** @returns the exit status: 0, 1 when it failed, 2 for wrong usage, 130 when it was interrupted. */
export async function runCollectCommand(args: readonly string[]): Promise<number> {
  try {
    if (args[0] === "split") return await runSplitCommand(args.slice(1));
    const options = readCollectOptions(args);
    if (options !== undefined) return await collect(options, args);
    console.log(collectHelp);
    return 0;
  } catch (error) {
    if (!(error instanceof BonsaiError)) throw error;
    console.error(`collect: ${error.message}`);
    return error.code === "usage" ? 2 : 1;
  }
}

async function collect(options: CollectOptions, args: readonly string[]): Promise<number> {
  const stop = new AbortController();
  const onSignal = (): void => stop.abort();
  process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
  try {
    const command = ["npm run collect --", ...args.filter((word) => word !== "--resume").map(quotedWord)].join(" ");
    const { collected, prompts } = await collectPreferences(options, command, stop.signal);
    if (collected === prompts) return 0;
    console.error(`Stopped after ${collected} of ${prompts} prompts: the same command with --resume goes on from there.`);
    return 130;
  } finally {
    // Until everything is put away, a signal does not cut it short.
    process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
  }
}

/**
 * Collects, and writes the rows and the report once all prompts are done.
 * @param command for the report: what a person would type
 * @param stop ends it after the prompts that are done
 * @returns prompts that are done, of how many. @throws BonsaiError for what is asked wrongly; `write_failed`; of models and judges
 */
export async function collectPreferences(
  options: CollectOptions,
  command: string,
  stop: AbortSignal,
): Promise<{ collected: number; prompts: number }> {
  const identities = await Promise.all(options.judges.map(judgeIdentity));
  const repeated = options.judges.find((name, at) => options.judges.indexOf(name) !== at);
  if (repeated !== undefined) throw new BonsaiError("usage", `--judge ${repeated} is given twice.`, { param: "--judge" });
  const { rows, sha256 } = readPrompts(options.prompts, options.limit);
  onDisk(options.outputDir, () => mkdirSync(options.outputDir, { recursive: true }));
  const work = await openWorkFolder(options.outputDir);
  // Every request in flight listens to it.
  setMaxListeners(0, stop);
  let engine: Engine | undefined;
  let journal: CollectionJournal | undefined;
  try {
    const local = namesInThisProcess(modelsOf(options));
    engine = local.length === 0 ? undefined : await startModels(local, options);
    const settings = { ...settingsOf(options, engine, sha256), judges: identities };
    const plan = planOf(options, engine, stop);
    journal = CollectionJournal.open(join(options.outputDir, "journal.jsonl"), settings, options.resume);
    if (await collectAll(rows, plan, journal, stop)) writePreferences(rows, journal.collected.slice(0, rows.length), options, command);
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
  signal: AbortSignal,
): Promise<boolean> {
  const progress = createProgress(process.stderr, console.error, promptScale);
  const inFlight = Math.max(2, Math.floor(sequencesInFlight / Math.max(1, plan.sources.policy?.samples ?? 1)));
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
function modelsOf({ policy, rewriter, judges, judgeUrl }: CollectOptions): ModelPlace[] {
  return [...[policy, rewriter].filter((place) => place !== undefined), ...modelsOfJudges(judges, judgeUrl)];
}

async function startModels(names: readonly string[], { quantization }: CollectOptions): Promise<Engine> {
  return startEngine({
    ...defaultConfig(),
    quantization,
    models: await resolveModels(names, console.error),
    cacheDir: defaultCacheDir(),
    log: console.error,
  });
}

/** All that what is collected follows from; how it is written is not among it. */
function settingsOf(options: CollectOptions, engine: Engine | undefined, promptsHash: string): JsonObject {
  const { policy, rewriter, judgeUrl, criterion, judgeTokens, form, pairs, equalBelow, seed, judges } = options;
  const asksModel = judges.some((name) => readJudgeWord(name).kind === "llm");
  const settings: JsonObject = {
    version: 1,
    prompts: promptsHash,
    policy,
    rewriter,
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
  const { policy, rewriter, seed, form, pairs: pairsPerPrompt } = options;
  const maxTokens = policy?.maxTokens ?? 160;
  const sources: CandidateSources = {
    policy: policy === undefined ? undefined : { ...policy, model: textModelAt(policy, engine) },
    rewriter:
      rewriter === undefined
        ? undefined
        : { ...rewriter, model: textModelAt(rewriter, engine), temperature: policy?.temperature ?? 1, maxTokens },
    seed,
    signal,
  };
  const material = judgeMaterial(engine, options, signal);
  return { sources, judges: options.judges.map((name) => makeJudge(name, material)), form, pairsPerPrompt, seed };
}

/** Writes the rows and the report: functions of journal and options alone. */
function writePreferences(
  rows: readonly PromptRow[],
  collected: readonly CollectedPrompt[],
  options: CollectOptions,
  command: string,
): void {
  const { outputDir, scale, ties, noise, threshold, selection, seed, judges, form } = options;
  const writing = { judge: judges[0]!, scale, ties, noise, threshold, selection, seed };
  const writer = new PreferenceWriter(writing, collected);
  const path = join(outputDir, "preferences.jsonl");
  const lines = function* (): Generator<string> {
    for (const one of collected) for (const row of writer.rowsOf(rows[one.index]!, one)) yield `${JSON.stringify(row)}\n`;
  };
  writeWholeFile(path, lines());
  const report = collectionReport({ form, judges, writing, setup: setupOf(options), command }, collected, writer);
  writeWholeFile(join(outputDir, "report.md"), [report]);
  console.log(`${writer.counts.rows} rows are in ${path}, and what they are in ${join(outputDir, "report.md")}.`);
}

function setupOf({ policy, rewriter, prompts, judges, seed }: CollectOptions): string[] {
  const at = ({ name, url }: ModelPlace): string => (url === undefined ? name : `${name} at ${url}`);
  return [
    policy === undefined
      ? `The answers came with the prompts of ${prompts}.`
      : `${policy.samples} answers to each prompt of ${prompts} were sampled from ${at(policy)} at temperature ${policy.temperature}, of at most ${policy.maxTokens} tokens, with seed ${seed}.`,
    ...(rewriter === undefined ? [] : [`Each was rewritten by ${at(rewriter)}: "${rewriter.instruction}"`]),
    `The labels are of ${judges[0]}${judges.length > 1 ? `; beside it judged ${judges.slice(1).join(", ")}` : ""}.`,
  ];
}
