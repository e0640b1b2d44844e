/**
 * @file Kills servers, compute workers, trainers, collections and downloads without warning at random moments, lets
 * them go on, and counts what was lost: `npm run chaos`. Everything runs on this machine, in a temporary folder.
 */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { Type } from "typebox";
import { projectRoot } from "../src/catalog/project-root.ts";
import { runCommand, type Command } from "../src/cli/run-command.ts";
import { annotations } from "../src/config/option.ts";
import { countScale, createProgress } from "../src/progress/progress.ts";
import { stopSignal } from "../src/progress/stop-signal.ts";
import { uniform } from "../src/random/philox.ts";
import { catalogOf, serveFolder } from "./chaos/file-server.ts";
import { resumable } from "./chaos/resumable.ts";
import type { Scenario } from "./chaos/scenario.ts";
import { serving } from "./chaos/serving.ts";

const model = join("models", "teddy-sft");
/** Draws that a round may use. */
const drawsOfRound = 16;
const pulledFiles = ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"];

/** Prompts of a collection, and conversations to train on. */
function writeData(folder: string): { prompts: string; conversations: string } {
  const [prompts, conversations] = ["prompts.jsonl", "conversations.jsonl"].map((name) => join(folder, name)) as [string, string];
  const colours = ["brown", "black", "white", "grey", "golden", "red", "blue", "green"];
  const questions = colours.map((colour) => `My ${colour} plush bear Bruno is dusty. How do I wash him?`);
  const lines = (rows: readonly object[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join("");
  writeFileSync(prompts, lines(questions.map((prompt) => ({ prompt }))));
  const answer = { role: "assistant", content: "Wash him by hand in cool water, and dry him in the shade." };
  writeFileSync(conversations, lines(questions.map((content) => ({ messages: [{ role: "user", content }, answer] }))));
  return { prompts, conversations };
}

/** @param url the server of files to pull @param catalog the file of its catalog */
function scenariosIn(folder: string, url: string, catalog: string): Scenario[] {
  const environment = { XDG_CACHE_HOME: join(folder, "cache"), HF_ENDPOINT: url, TMPDIR: join(folder, "tmp") };
  const { prompts, conversations } = writeData(folder);
  const resume = (isResumed: boolean): string[] => (isResumed ? ["--resume"] : []);
  const main = "src/cli/main.ts";
  const training = ["--model", model, "--dataset", conversations, "--max-steps", "6", "--save-steps", "1", "--max-length", "64"];
  const collecting = ["--prompts", prompts, "--model", model, "--samples", "2", "--max-tokens", "24", "--judge", "length"];
  return [
    serving("server", model, folder, environment),
    serving("worker", model, folder, environment),
    resumable(
      {
        name: "training",
        about: "--resume ends with the same weights, metrics and checkpoints",
        environment,
        words: (output, isResumed) => [main, "train:sft", ...training, "--output-dir", output, ...resume(isResumed)],
        isCompared: (path) =>
          path.endsWith(".safetensors") || path === "metrics.jsonl" || path.includes(".work") || path.endsWith(".partial"),
      },
      folder,
    ),
    resumable(
      {
        name: "collecting",
        about: "--resume ends with the same journal and preferences",
        environment,
        words: (output, isResumed) => [main, "collect", ...collecting, "--output-dir", output, ...resume(isResumed)],
        isCompared: (path) => path !== "report.md",
      },
      folder,
    ),
    resumable(
      {
        name: "pulling",
        about: "the next pull goes on from what has arrived, and the files are the source's",
        environment,
        words: (output) => ["scripts/chaos-pull.ts", output, catalog, "bear"],
        isCompared: () => true,
      },
      folder,
    ),
  ];
}

interface Row {
  scenario: Scenario;
  rounds: number;
  kills: number;
  losses: string[];
}

function report(rows: readonly Row[], seed: number): string {
  const [rounds, kills, losses] = (["rounds", "kills"] as const)
    .map((key) => rows.reduce((sum, row) => sum + row[key], 0))
    .concat(rows.reduce((sum, row) => sum + row.losses.length, 0)) as [number, number, number];
  const lost = rows.flatMap(({ scenario, losses: found }) => found.map((loss) => `- ${scenario.name}: ${loss.replaceAll("\n", " ")}`));
  return [
    "# Chaos\n",
    `Written from a run of \`npm run chaos -- --rounds ${rounds} --seed ${seed}\` on ${cpus()[0]?.model ?? "an unknown processor"}, Node ${process.version}.\n`,
    "Processes are killed (`kill -9`) at random moments and go on afterwards. Lost is whatever then differs from a run that nobody disturbed.\n",
    "| killed | compared | rounds | kills | lost |",
    "| --- | --- | ---: | ---: | ---: |",
    ...rows.map((row) => `| ${row.scenario.name} | ${row.scenario.about} | ${row.rounds} | ${row.kills} | ${row.losses.length} |`),
    `| all | | ${rounds} | ${kills} | ${losses} |`,
    ...(lost.length === 0 ? [] : ["\nWhat was lost:\n", ...lost]),
    "",
  ].join("\n");
}

/** @returns the exit status: 0 where nothing was lost */
async function chaos(rounds: number, seed: number, output: string): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "bonsai-chaos-"));
  const stop = stopSignal("Stopped at once.");
  const progress = createProgress(process.stderr, console.error, countScale("rounds", 2));
  const source = join(projectRoot(), model);
  const { url, server } = await serveFolder(source);
  try {
    mkdirSync(join(folder, "tmp"));
    const catalog = join(folder, "catalog.json");
    writeFileSync(catalog, JSON.stringify(catalogOf("bear", source, pulledFiles)));
    const rows = scenariosIn(folder, url, catalog).map((scenario): Row => ({ scenario, rounds: 0, kills: 0, losses: [] }));
    for (const { scenario } of rows.slice(0, rounds)) await scenario.prepare();
    for (let round = 0; round < rounds && !stop.signal.aborted; round++) {
      const row = rows[round % rows.length]!;
      const own = join(folder, `round-${round}`);
      mkdirSync(own);
      const outcome = await row.scenario.round((purpose) => uniform(seed, round * drawsOfRound + purpose), own);
      row.rounds++;
      row.kills += outcome.kills;
      row.losses.push(...outcome.losses.map((loss) => `round ${round}: ${loss}`));
      if (outcome.losses.length === 0) rmSync(own, { recursive: true });
      progress.update("chaos", round + 1, rounds);
    }
    progress.end();
    const text = report(rows, seed);
    if (output === "") console.log(text);
    else writeFileSync(output, text);
    return rows.every(({ losses }) => losses.length === 0) ? 0 : 1;
  } finally {
    progress.end();
    server.closeAllConnections();
    server.close();
    stop.release();
    rmSync(folder, { recursive: true, force: true });
  }
}

const annotate = annotations<"Options">();
const ChaosSchema = Type.Object({
  rounds: Type.Integer({
    minimum: 1,
    maximum: 100_000,
    ...annotate({ group: "Options", description: "Rounds, the scenarios in turn", default: 200 }),
  }),
  seed: Type.Integer({
    minimum: 0,
    maximum: 2 ** 31,
    ...annotate({ group: "Options", description: "Seed of the moments of the kills", default: 1 }),
  }),
  output: Type.String(
    annotate({ group: "Options", metavar: "FILE", description: "Where the table goes; '' prints it", default: "docs/CHAOS.md" }),
  ),
});

const command: Command<typeof ChaosSchema> = {
  name: "chaos",
  about: "Kill servers, workers, trainers, collections and downloads at random moments, and count what was lost.",
  usage: ["[options]"],
  schema: ChaosSchema,
  run: async ({ rounds, seed, output }) => chaos(rounds, seed, output),
};

process.exitCode = await runCommand(command, process.argv.slice(2));
