/** @file What the judges of a command line need of the program: models in this process, or behind an address. */

import type { Engine } from "../engine/contract/request.ts";
import { httpTextModel } from "../judges/text-model-http.ts";
import { engineTextModel, type TextModel } from "../judges/text-model.ts";
import { readJudgeWord, type JudgeMaterial } from "./judge-words.ts";
import { servedId } from "../catalog/resolve-models.ts";
import { rewardModelOf } from "../catalog/start-models.ts";

export interface ModelPlace {
  name: string;
  /** Absent for a model in this process. */
  url?: string | undefined;
}

/** What judges are told on the command line, beside their names. */
export interface JudgeOptions {
  /** Where language models that judge are served; absent for this process. */
  judgeUrl?: string | undefined;
  criterion?: string | undefined;
  judgeTokens: number;
  equalBelow: number;
  seed: number;
}

/** The models that judges of these names ask. */
export function modelsOfJudges(judges: readonly string[], judgeUrl: string | undefined): ModelPlace[] {
  return judges.map(readJudgeWord).flatMap(({ kind, argument }): ModelPlace[] => {
    if (kind === "llm") return [{ name: argument!, url: judgeUrl }];
    return kind === "reward" ? [{ name: argument! }] : [];
  });
}

/** Names of those that this process holds, each once. */
export function namesInThisProcess(places: readonly ModelPlace[]): string[] {
  return [...new Set(places.filter(({ url }) => url === undefined).map(({ name }) => name))];
}

/** @param engine holds the models without an address. A key for those with one is taken from OPENAI_API_KEY. */
export function textModelAt({ name, url }: ModelPlace, engine: Engine | undefined): TextModel {
  const key = process.env["OPENAI_API_KEY"];
  return url === undefined
    ? engineTextModel(engine!, servedId(name))
    : httpTextModel({ baseUrl: url, model: name, apiKey: key === "" ? undefined : key });
}

/** @param engine holds the models that judges ask in this process; undefined where there are none */
export function judgeMaterial(
  engine: Engine | undefined,
  { judgeUrl, criterion, judgeTokens, equalBelow, seed }: JudgeOptions,
  signal: AbortSignal,
): JudgeMaterial {
  return {
    languageModel: (name) => textModelAt({ name, url: judgeUrl }, engine),
    rewardModel: (name) => rewardModelOf(engine!, name),
    criterion,
    judgeTokens,
    equalBelow,
    seed,
    signal,
  };
}
