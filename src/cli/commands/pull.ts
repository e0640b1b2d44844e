/** @file The command line of `bonsai pull`: its arguments, help, exit status and what Control-C does. */

import { BonsaiError } from "../../errors/bonsai-error.ts";
import { parseArguments } from "./command-arguments.ts";
import { readCatalog, type Catalog } from "../../catalog/catalog.ts";
import { pullModel } from "../../catalog/pull.ts";
import { defaultModelsFolder } from "../../catalog/project-root.ts";

/**
 * Runs `pull` with the arguments after the command's name.
 * @returns the exit status: 0, 1 when it failed, 2 for wrong usage, 130 when it was interrupted.
 */
export async function runPullCommand(argv: readonly string[]): Promise<number> {
  const interrupt = new AbortController();
  const onSignal = (): void => interrupt.abort(new Error("interrupted"));
  process.once("SIGINT", onSignal).once("SIGTERM", onSignal);
  try {
    const { values, positionals } = parseArguments(argv, { help: { type: "boolean", short: "h" }, "models-dir": { type: "string" } });
    const catalog = await readCatalog();
    if (values.help === true) {
      console.log(helpText(catalog));
      return 0;
    }
    if (positionals.length === 0) throw new BonsaiError("usage", `Name a model to pull: ${Object.keys(catalog).join(", ")}.`);
    for (const name of positionals)
      await pullModel(name, console.log, { catalog, modelsFolder: values["models-dir"], signal: interrupt.signal });
    return 0;
  } catch (error) {
    if (interrupt.signal.aborted) {
      console.error("Interrupted. What has arrived is kept: the same command goes on from there.");
      return 130;
    }
    if (!(error instanceof BonsaiError)) throw error;
    console.error(`pull: ${error.message}`);
    return error.code === "usage" ? 2 : 1;
  } finally {
    process.removeListener("SIGINT", onSignal).removeListener("SIGTERM", onSignal);
  }
}

function helpText(catalog: Catalog): string {
  const models = Object.entries(catalog).map(([name, model]) => {
    const megabytes = Math.round(model.files.reduce((sum, file) => sum + file.bytes, 0) / 1e6);
    return `  ${name} (${megabytes} MB, ${model.license})\n      ${model.description}`;
  });
  return [
    "npm run pull -- [--models-dir DIR] NAME…",
    "",
    "Fetches models into DIR/NAME: resumes where it stopped, and checks sizes and SHA-256.",
    "",
    "Models:",
    ...models,
    "",
    "Options:",
    `  --models-dir DIR  where models lie, one folder each (default ${defaultModelsFolder()})`,
    "",
    "Environment:",
    "  HF_ENDPOINT  origin of a Hugging Face mirror (default https://huggingface.co)",
    "  pip's own variables and configuration hold for Python packages",
  ].join("\n");
}
