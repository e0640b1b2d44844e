/** @file The command line of the load test: its flags, its exit status, and what Control-C does. */

import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArguments } from "../src/cli/command-arguments.ts";
import { defaultModelsFolder, projectRoot } from "../src/cli/project-root.ts";
import { BonsaiError } from "../src/errors/bonsai-error.ts";
import { readQuestion } from "../src/teddy/read-question.ts";
import type { Message } from "../src/teddy/conversation.ts";
import { isMet } from "../test/bench/report/bench-result.ts";
import { readConditions, type Conditions } from "../test/bench/report/conditions.ts";
import { docsFolder, writeTables } from "../test/bench/report/keep.ts";
import { smolLM2Path, withoutSmolLM2 } from "../test/fixtures/real-models.ts";
import { findLlama } from "../test/bench/peers/llama.ts";
import { KeptResults } from "./kept-results.ts";
import { planIdentity, plans, type Plan } from "./plan.ts";
import { heldOutPrompt, promptsOfFile } from "./prompts.ts";
import { loadTests } from "./report/chapter.ts";
import { writeReport } from "./report/write-report.ts";
import { runScenarios } from "./run-scenarios.ts";
import { scenariosOf, type Surroundings } from "./scenario-list.ts";
import { presentModels } from "./variants.ts";

const help = `Measure what Best-of-N costs and what it buys, beside tuned models, and write docs/LOADTEST.md.

Usage: npm run loadtest -- [options]

  --quick          a smoke test of a minute or less: printed, not kept, and its numbers mean nothing
  --out DIR        write into DIR instead of docs/ (also a quick one)
  --fresh          forget what an interrupted run has measured
  --tables         write docs/LOADTEST.md again from what was kept in docs/loadtest, and measure nothing
  --prompts FILE   ask these, JSON Lines of {"prompt": [messages]}, instead of held-out questions of the teddy world;
                   quality is judged only where all are questions of that world
  --help, -h

Control-C stops it: what was measured is kept, and the same command goes on from there.
BONSAI_LLAMA_BIN, the folder of llama-server, sets it beside us where SmolLM2 has been pulled.`;

const flags = {
  help: { type: "boolean", short: "h" },
  quick: { type: "boolean", default: false },
  fresh: { type: "boolean", default: false },
  tables: { type: "boolean", default: false },
  out: { type: "string" },
  prompts: { type: "string" },
} as const;

const say = (line: string): void => console.error(line);

/** @returns the exit status: 0, 1 when it failed or a promise was missed, 2 for wrong usage, 130 when it was interrupted. */
export async function runLoadTest(args: readonly string[]): Promise<number> {
  const interrupt = new AbortController();
  const onSignal = (): void => interrupt.abort(new Error("interrupted"));
  process.once("SIGINT", onSignal).once("SIGTERM", onSignal);
  try {
    const { values, positionals } = parseArguments(args, flags);
    if (positionals.length > 0) throw new BonsaiError("usage", `loadtest takes flags alone, and not ${positionals[0]}. See --help.`);
    if (values.help === true) {
      console.log(help);
      return 0;
    }
    if (values.tables) {
      writeTables(values.out ?? docsFolder, loadTests);
      return 0;
    }
    const profile = values.quick ? "quick" : "full";
    return await measure({ ...values, profile }, interrupt.signal);
  } catch (error) {
    if (interrupt.signal.aborted) {
      say(`Interrupted.${args.includes("--quick") ? "" : " What was measured is kept: the same command goes on from there."}`);
      return 130;
    }
    if (!(error instanceof BonsaiError)) throw error;
    say(`loadtest: ${error.message}`);
    return error.code === "usage" ? 2 : 1;
  } finally {
    process.removeListener("SIGINT", onSignal).removeListener("SIGTERM", onSignal);
  }
}

interface Options {
  profile: Conditions["profile"];
  fresh: boolean;
  out?: string | undefined;
  prompts?: string | undefined;
}

async function measure({ profile, fresh, out, prompts: file }: Options, signal: AbortSignal): Promise<number> {
  const plan = plans[profile];
  const { present, ensembles, absent } = presentModels(defaultModelsFolder());
  for (const line of absent) say(line);
  if (present.length === 0) throw new BonsaiError("usage", "None of the models to measure is there: npm run recipe -- teddy makes them.");
  const peer = plan.peerRounds === 0 ? undefined : findPeer();
  const prompts = promptsFor(plan, file);
  const isJudged = prompts.every((messages) => readQuestion(messages) !== undefined);
  if (!isJudged) say(`${file} holds more than questions of the teddy world: quality is not judged.`);
  const conditions = readConditions(profile, peer === undefined ? {} : { "llama.cpp": peer.llama.version });
  const scenarios = scenariosOf(present, plan, { isJudged, ensembles, peer });
  const { processor, cores, versions } = conditions;
  const identity = {
    plan: planIdentity(plan),
    processor,
    cores,
    versions,
    prompts,
    scenarios: scenarios.map(({ id, flags: server }) => [id, server]),
  };
  // A smoke test that only reads results would test nothing, and several may run at a time.
  const folder = profile === "quick" ? mkdtempSync(join(tmpdir(), "bonsai-loadtest-")) : join(projectRoot(), ".cache", "loadtest");
  const kept = new KeptResults(folder, identity);
  if (fresh) kept.remove();
  const results = await runScenarios(scenarios, { plan, prompts, signal, kept, say, fromSource: profile === "quick" }).finally(() => {
    if (profile === "quick") kept.remove();
  });
  const docs = out ?? (profile === "quick" ? undefined : docsFolder);
  const command = ["npm run loadtest", ...(profile === "quick" ? ["-- --quick"] : [])].join(" ");
  const written = await writeReport({ results, plan, models: present, ensembles, prompts, isJudged, conditions, command }, docs);
  console.log(written.text);
  if (docs !== undefined) say(`Kept in ${docs}.`);
  kept.remove();
  const missed = written.checks.filter((check) => !isMet(check));
  for (const { claim, measured, bound, limit, unit } of missed) say(`Missed: ${claim}: ${measured} ${unit}, not ${bound} ${limit}.`);
  return missed.length === 0 ? 0 : 1;
}

function findPeer(): Surroundings["peer"] {
  const llama = findLlama(say);
  const smolLM2 = smolLM2Path();
  if (llama !== undefined && smolLM2 === undefined) say(`llama-server is left out: ${withoutSmolLM2}`);
  return llama === undefined || smolLM2 === undefined ? undefined : { llama, smolLM2 };
}

function promptsFor(plan: Plan, file: string | undefined): Message[][] {
  const count = Math.max(plan.qualityPrompts, plan.prunedPrompts);
  return file === undefined ? Array.from({ length: count }, (_, index) => heldOutPrompt(index)) : promptsOfFile(file, count);
}
