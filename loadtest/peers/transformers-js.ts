/**
 * @file transformers.js beside us: from the folder with node_modules that BONSAI_TRANSFORMERS_JS names, or the
 * project's own.
 */

import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { projectRoot } from "../../src/catalog/project-root.ts";
import { startAnswerProcess, type AnswerProcess } from "./answer-process.ts";
import { findSmolLM2Onnx } from "./smollm2-onnx.ts";

export interface TransformersJs {
  /** The package's file for Node. */
  entry: string;
  version: string;
  /** The folder of its model. */
  folder: string;
}

const packageName = "@huggingface/transformers";

/** Undefined, and a line that says what to do, where it or its model is absent. */
export function findTransformersJs(say: (line: string) => void): TransformersJs | undefined {
  const named = process.env["BONSAI_TRANSFORMERS_JS"];
  const isNamed = named !== undefined && named !== "";
  const home = isNamed ? resolve(named) : projectRoot();
  const packageFile = join(home, "node_modules", packageName, "package.json");
  if (!existsSync(packageFile)) {
    if (isNamed) throw new Error(`BONSAI_TRANSFORMERS_JS: ${packageFile} does not exist.`);
    say(`transformers.js is left out: set BONSAI_TRANSFORMERS_JS to a folder where \`npm install ${packageName}\` has run.`);
    return undefined;
  }
  const folder = findSmolLM2Onnx("transformers-js", "transformers.js", say);
  if (folder === undefined) return undefined;
  const require = createRequire(packageFile);
  const versionIn = (file: string): string => (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
  const runtime = versionIn(require.resolve("onnxruntime-node/package.json"));
  return { entry: require.resolve(packageName), version: `${versionIn(packageFile)} (onnxruntime-node ${runtime})`, folder };
}

export async function startTransformersJs({ entry, folder }: TransformersJs): Promise<AnswerProcess> {
  const program = fileURLToPath(new URL("./transformers-js-answers.ts", import.meta.url));
  return startAnswerProcess(process.execPath, ["--import", "tsx", program, entry, folder, String(availableParallelism())]);
}
