/** @file The command line of the load test: its flags, its exit status, and what Control-C does. */

import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Type } from "typebox";
import { runCommand, type Command } from "../src/cli/run-command.ts";
import { annotations, oneOf } from "../src/config/option.ts";
import { projectRoot } from "../src/catalog/project-root.ts";
import { stopSignal } from "../src/progress/stop-signal.ts";
import { missedChecks } from "./measurement/bench-result.ts";
import { readConditions, type Conditions } from "./measurement/conditions.ts";
import { docsFolder, writeDocument } from "./measurement/kept-measurements.ts";
import { KeptResults } from "./kept-results.ts";
import { planIdentity, plans } from "./plan.ts";
import { loadTests } from "./report/chapter.ts";
import { writeReport } from "./report/write-report.ts";
import { runScenarios } from "./run-scenarios.ts";
import { scenariosOf } from "./scenario-list.ts";
import { findSurroundings, parts, type Part } from "./surroundings.ts";

const annotate = annotations<"Options">();

const LoadTestSchema = Type.Object({
  quick: Type.Boolean(
    annotate({
      group: "Options",
      description: "A smoke test of a minute or less: printed, not kept, and its numbers mean nothing",
      default: false,
    }),
  ),
  only: Type.Optional(
    oneOf(
      parts,
      annotate({
        group: "Options",
        description:
          "Measure this part of the run alone: teddy, smollm2 (SmolLM2 and its adapter) or peers (other engines). Its chapters are written, the others stay",
        defaultText: "all parts",
      }),
    ),
  ),
  out: Type.Optional(
    Type.String(
      annotate({
        group: "Options",
        metavar: "DIR",
        description: "Folder to write into, also for a quick run",
        defaultText: "docs/, and nothing is written for a quick run",
      }),
    ),
  ),
  fresh: Type.Boolean(annotate({ group: "Options", description: "Forget what an interrupted run has measured", default: false })),
  tables: Type.Boolean(
    annotate({
      group: "Options",
      description: "Write docs/LOADTEST.md again from what is kept in docs/loadtest, and measure nothing",
      default: false,
    }),
  ),
  prompts: Type.Optional(
    Type.String(
      annotate({
        group: "Options",
        metavar: "FILE",
        description:
          'Prompts to ask, JSON Lines of {"prompt": [messages]}; quality is judged only where all are questions of the teddy world',
        defaultText: "held-out questions of the teddy world",
      }),
    ),
  ),
});

const loadTest: Command<typeof LoadTestSchema> = {
  name: "loadtest",
  about: "Measure what Best-of-N costs and what it gains, beside tuned models, and write docs/LOADTEST.md.",
  usage: ["[options]"],
  schema: LoadTestSchema,
  notes: [
    `Control-C stops it: what was measured is kept, and the same command goes on from there.
Where SmolLM2 has been pulled, it is measured too, and other engines beside us that the environment names:
  BONSAI_LLAMA_BIN         the folder of llama-server
  BONSAI_SMOLLM2_ONNX      the folder that loadtest/peers/smollm2-onnx.py makes of SmolLM2, for the next two
  BONSAI_GENAI_PYTHON      a Python with onnxruntime-genai
  BONSAI_TRANSFORMERS_JS   a folder whose node_modules hold @huggingface/transformers`,
  ],
  run: async (options) => {
    if (!options.tables) return measureUntilInterrupted({ ...options, profile: options.quick ? "quick" : "full" });
    writeDocument(options.out ?? docsFolder, loadTests);
    return 0;
  },
};

const say = (line: string): void => console.error(line);

/**
 * @returns the exit status: 0, 1 when it failed or a check missed its bound, 2 for wrong usage, 130 when it was
 * interrupted.
 */
export async function runLoadTest(args: readonly string[]): Promise<number> {
  return runCommand(loadTest, args);
}

async function measureUntilInterrupted(options: Options): Promise<number> {
  const interrupt = stopSignal("Stopped at once.");
  try {
    return await measure(options, interrupt.signal);
  } catch (error) {
    if (!interrupt.signal.aborted) throw error;
    say(`Interrupted.${options.profile === "quick" ? "" : " What was measured is kept: the same command goes on from there."}`);
    return 130;
  } finally {
    interrupt.release();
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
  // A quick run never reads kept results, and several may run at a time.
  const folder =
    profile === "quick" ? mkdtempSync(join(tmpdir(), "bonsai-loadtest-")) : join(projectRoot(), ".cache", "loadtest", only ?? "all");
  const kept = new KeptResults(folder, identity);
  if (fresh) kept.remove();
  const results = await runScenarios(scenarios, { plan, prompts, signal, kept, say, fromSource: profile === "quick" }).finally(() => {
    if (profile === "quick") kept.remove();
  });
  const docs = out ?? (profile === "quick" ? undefined : docsFolder);
  const flagsGiven = [...(profile === "quick" ? ["--quick"] : []), ...(only === undefined ? [] : ["--only", only])];
  const command = ["npm run loadtest", ...(flagsGiven.length === 0 ? [] : ["--", ...flagsGiven])].join(" ");
  const written = await writeReport({ results, plan, surroundings, conditions, command }, docs);
  console.log(written.text);
  if (docs !== undefined) say(`Kept in ${docs}.`);
  kept.remove();
  const missed = missedChecks(written.checks);
  for (const line of missed) say(line);
  return missed.length === 0 ? 0 : 1;
}
