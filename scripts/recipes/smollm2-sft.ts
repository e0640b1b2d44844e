/**
 * @file smollm2-135m-sft: a LoRA adapter of SmolLM2-135M-Instruct, tuned on demonstrations that people and models
 * wrote. They stay where they are, beside the project, and so does the adapter in the recipe's folder: it answers much
 * as its base does. What is kept is its card, whose held-out loss shows that tuning works.
 */

import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { writeWholeFile } from "../../src/formats/written-file.ts";
import { BonsaiError } from "../../src/errors/bonsai-error.ts";
import { flagWords, workFolder, type Recipe, type Stage } from "./stage.ts";

const name = "smollm2-135m-sft";
const dataFolder = join("..", "shared", "data", "sft");
const files = ["alpaca_en_demo.json", "user_oriented_instructions.jsonl", "seed_tasks.jsonl"].map((file) => join(dataFolder, file));
/** One instruction in so many is held out. */
const heldOutEvery = 20;
/** Where cards lie whose models are not kept. */
const cardFolder = join("docs", "recipes", name);

interface Demonstration {
  instruction: string;
  input: string;
  output: string;
}

/**
 * Writes conversations to train on and held-out ones. @throws BonsaiError `file_not_found`; `invalid_dataset`, naming
 * file, row and field.
 */
function writeConversations(): void {
  const missing = files.filter((path) => !existsSync(path));
  if (missing.length > 0) {
    const where = "The demonstrations are not part of the project; ../shared/data/README.md names their sources";
    throw new BonsaiError("file_not_found", `${missing.join(", ")} ${missing.length === 1 ? "is" : "are"} not there. ${where}.`);
  }
  const conversations = files.flatMap(readDemonstrations).map((demonstration) => ({
    heldOut: isHeldOut(demonstration),
    line: `${JSON.stringify({ messages: conversation(demonstration) })}\n`,
  }));
  for (const [file, heldOut] of [
    ["train.jsonl", false],
    ["held-out.jsonl", true],
  ] as const)
    // prettier-ignore
    writeWholeFile(join(workFolder, name, file), conversations.filter((one) => one.heldOut === heldOut).map(({ line }) => line));
}

/**
 * Rows of {instruction, input, output}, or of {instruction, instances: [{input, output}]}; a JSON array or JSON Lines.
 */
function readDemonstrations(path: string): Demonstration[] {
  const text = readFileSync(path, "utf8");
  const rows = (
    path.endsWith(".json")
      ? JSON.parse(text)
      : text
          .trim()
          .split("\n")
          .map((line) => JSON.parse(line) as unknown)
  ) as {
    instruction?: unknown;
    instances?: readonly { input?: unknown; output?: unknown }[];
    input?: unknown;
    output?: unknown;
  }[];
  return rows.flatMap((row, at) => {
    const instances = row.instances ?? [row];
    return instances.map(({ input, output }) => {
      const demonstration = { instruction: row.instruction, input, output };
      const wrong = Object.entries(demonstration).find(([, value]) => typeof value !== "string");
      if (wrong !== undefined)
        throw new BonsaiError("invalid_dataset", `${path}, row ${at + 1}: ${wrong[0]} must be a text.`, { param: wrong[0] });
      return demonstration as Demonstration;
    });
  });
}

function conversation({ instruction, input, output }: Demonstration): { role: string; content: string }[] {
  const content = [instruction, input]
    .map((part) => part.trim())
    .filter((part) => part !== "")
    .join("\n\n");
  return [
    { role: "user", content },
    { role: "assistant", content: output.trim() },
  ];
}

/** Decides by the instruction alone, so that no instruction is on both sides. */
function isHeldOut({ instruction }: Demonstration): boolean {
  return createHash("sha256").update(instruction).digest().readUInt32LE() % heldOutEvery === 0;
}

function stages(): Stage[] {
  const inWork = (...names: string[]): string => join(workFolder, name, ...names);
  const trained = inWork(name);
  return [
    { name: "conversations", work: { here: writeConversations }, from: { value: heldOutEvery, files } },
    {
      name: "train",
      trains: trained,
      work: {
        command: "train:sft",
        args: flagWords({
          model: "smollm2-135m-instruct",
          dataset: inWork("train.jsonl"),
          "eval-dataset": inWork("held-out.jsonl"),
          "eval-steps": 0,
          "max-steps": 40,
          "save-steps": 10,
          "batch-size": 4,
          "max-length": 512,
          packing: true,
          "learning-rate": 0.0005,
          "warmup-steps": 4,
          "lora-r": 8,
          "lora-alpha": 16,
          "lora-dropout": 0,
          "save-dtype": "bfloat16",
          "output-dir": trained,
        }),
      },
      from: { files: [inWork("train.jsonl"), inWork("held-out.jsonl")] },
    },
    {
      name: "card",
      work: {
        here: () => {
          mkdirSync(cardFolder, { recursive: true });
          for (const file of ["README.md", "curves.svg", "metrics.jsonl", "training.json"])
            cpSync(join(trained, file), join(cardFolder, file));
        },
      },
      from: { files: [join(trained, "README.md")] },
    },
  ];
}

export const smollm2SftRecipes: Readonly<Record<string, Recipe>> = {
  [name]: {
    about: `a LoRA adapter of SmolLM2-135M-Instruct, tuned on demonstrations (${dataFolder}); its card goes to ${cardFolder}`,
    stages,
  },
};
