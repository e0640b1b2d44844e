/** @file The command line of `npm run pull`: fetches models of the catalog; Control-C keeps what has arrived. */

import { Type } from "typebox";
import { readCatalog, type Catalog } from "../../catalog/catalog.ts";
import { defaultModelsFolder } from "../../catalog/project-root.ts";
import { pullModel } from "../../catalog/pull.ts";
import { annotations } from "../../config/option.ts";
import { stopSignal } from "../../progress/stop-signal.ts";
import { exitStatusOf, runCommand, type Command } from "../run-command.ts";

const annotate = annotations<"Options">();

const PullSchema = Type.Object({
  modelsDir: Type.Optional(
    Type.String(
      annotate({
        group: "Options",
        metavar: "DIR",
        description: "Where models lie, one folder each",
        defaultText: defaultModelsFolder(),
      }),
    ),
  ),
});

/** @returns the exit status: 0, 1 when it failed, 2 for wrong usage, 130 when it was interrupted. */
export async function runPullCommand(args: readonly string[]): Promise<number> {
  return exitStatusOf("pull", async () => runCommand(pullCommand(await readCatalog()), args));
}

function pullCommand(catalog: Catalog): Command<typeof PullSchema> {
  return {
    name: "pull",
    about: "Fetch models of the catalog: resumes where it stopped, and checks sizes and SHA-256.",
    usage: ["NAME… [options]"],
    words: {
      metavar: "NAME…",
      description: "Models of the catalog, listed below.",
      minimum: 1,
      maximum: Infinity,
      whenWrong: `Name a model to pull: ${Object.keys(catalog).join(", ")}.`,
    },
    schema: PullSchema,
    notes: [
      ["Models:", ...modelLines(catalog)].join("\n"),
      "Environment:\n  HF_ENDPOINT  origin of a Hugging Face mirror (default https://huggingface.co)\n  pip's own variables and configuration hold for Python packages",
    ],
    run: async ({ modelsDir }, { words }) => pullAll(words, modelsDir, catalog),
  };
}

async function pullAll(names: readonly string[], modelsFolder: string | undefined, catalog: Catalog): Promise<number> {
  const interrupt = stopSignal("Stopped at once: the same command goes on from what has arrived.");
  try {
    for (const name of names) await pullModel(name, console.log, { catalog, modelsFolder, signal: interrupt.signal });
    return 0;
  } catch (error) {
    if (!interrupt.signal.aborted) throw error;
    console.error("Interrupted. What has arrived is kept: the same command goes on from there.");
    return 130;
  } finally {
    interrupt.release();
  }
}

function modelLines(catalog: Catalog): string[] {
  return Object.entries(catalog).flatMap(([name, { files, license, description }]) => {
    const megabytes = Math.round(files.reduce((sum, file) => sum + file.bytes, 0) / 1e6);
    return [`  ${name} (${megabytes} MB, ${license})`, `      ${description}`];
  });
}
