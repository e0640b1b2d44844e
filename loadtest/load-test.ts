/** @file The command line of the load test: its flags, its exit status, and what Control-C does. */

import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArguments } from "../src/cli/commands/command-arguments.ts";
import { projectRoot } from "../src/catalog/project-root.ts";
import { BonsaiError } from "../src/errors/bonsai-error.ts";
import { isMet } from "./measurement/bench-result.ts";
import { readConditions, type Conditions } from "./measurement/conditions.ts";
import { docsFolder, writeDocument } from "./measurement/kept-measurements.ts";
import { KeptResults } from "./kept-results.ts";
import { planIdentity, plans } from "./plan.ts";
import { loadTests } from "./report/chapter.ts";
import { writeReport } from "./report/write-report.ts";
import { runScenarios } from "./run-scenarios.ts";
import { scenariosOf } from "./scenario-list.ts";
import { findSurroundings, parts, type Part } from "./surroundings.ts";

const help = `Measure what Best-of-N costs and what it buys, beside tuned models, and write docs/LOADTEST.md.

Usage: npm run loadtest -- [options]

  --quick          a smoke test of a minute or less: printed, not kept, and its numbers mean nothing
  --only PART      of the run: teddy, smollm2 (SmolLM2 and its adapter), or peers (other engines); its chapters are
                   written, the others stay
  --out DIR        write into DIR instead of docs/ (also a quick one)
  --fresh          forget what an interrupted run has measured
  --tables         write docs/LOADTEST.md again from what was kept in docs/loadtest, and measure nothing
  --prompts FILE   ask these, JSON Lines of {"prompt": [messages]}, instead of held-out questions of the teddy world;
                   quality is judged only where all are questions of that world
  --help, -h

Control-C stops it: what was measured is kept, and the same command goes on from there.
Where SmolLM2 has been pulled, it is measured too, and other engines beside us that the environment names:
  BONSAI_LLAMA_BIN         the folder of llama-server
  BONSAI_SMOLLM2_ONNX      the folder that loadtest/peers/smollm2-onnx.py makes of SmolLM2, for the next two
  BONSAI_GENAI_PYTHON      a Python with onnxruntime-genai
  BONSAI_TRANSFORMERS_JS   a folder whose node_modules hold @huggingface/transformers`;

const flags = {
  help: { type: "boolean", short: "h" },
  quick: { type: "boolean", default: false },
  fresh: { type: "boolean", default: false },
  tables: { type: "boolean", default: false },
  out: { type: "string" },
  only: { type: "string" },
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
      writeDocument(values.out ?? docsFolder, loadTests);
      return 0;
    }
    const profile = values.quick ? "quick" : "full";
    return await measure({ ...values, profile, only: readPart(values.only) }, interrupt.signal);
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
  only?: Part | undefined;
  out?: string | undefined;
  prompts?: string | undefined;
}

async function measure({ profile, fresh, only, out, prompts: file }: Options, signal: AbortSignal): Promise<number> {
  const plan = plans[profile];
  const surroundings = await findSurroundings(plan, only, file, say);
  const { prompts, smolLM2, peers } = surroundings;
  const conditions = readConditions(profile, Object.fromEntries((peers?.peers ?? []).map(({ name, version }) => [name, version])));
  const scenarios = scenariosOf(surroundings, plan);
  const { processor, cores, versions } = conditions;
  const identity = {
    plan: planIdentity(plan),
    processor,
    cores,
    versions,
    prompts,
    smolLM2Prompts: smolLM2?.prompts,
    scenarios: scenarios.map(({ id, flags: server }) => [id, server]),
  };
  // A smoke test that only reads results would test nothing, and several may run at a time.
  const folder =
    profile === "quick" ? mkdtempSync(join(tmpdir(), "bonsai-loadtest-")) : join(projectRoot(), ".cache", "loadtest", only ?? "all");
  const kept = new KeptResults(folder, identity);
  if (fresh) kept.remove();
  const results = await runScenarios(scenarios, { plan, prompts, signal, kept, say, fromSource: profile === "quick" }).finally(() => {
    if (profile === "quick") kept.remove();
  });
  const docs = out ?? (profile === "quick" ? undefined : docsFolder);
  const words = [...(profile === "quick" ? ["--quick"] : []), ...(only === undefined ? [] : ["--only", only])];
  const command = ["npm run loadtest", ...(words.length === 0 ? [] : ["--", ...words])].join(" ");
  const written = await writeReport({ results, plan, surroundings, conditions, command }, docs);
  console.log(written.text);
  if (docs !== undefined) say(`Kept in ${docs}.`);
  kept.remove();
  const missed = written.checks.filter((check) => !isMet(check));
  for (const { claim, measured, bound, limit, unit } of missed) say(`Missed: ${claim}: ${measured} ${unit}, not ${bound} ${limit}.`);
  return missed.length === 0 ? 0 : 1;
}

/** @throws BonsaiError `usage` for anything but a part */
function readPart(text: string | undefined): Part | undefined {
  const part = parts.find((one) => one === text);
  if (text !== undefined && part === undefined)
    throw new BonsaiError("usage", `--only takes ${parts.join(", ")}, and not ${text}. See --help.`);
  return part;
}
