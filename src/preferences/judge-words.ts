/** @file From the words of --judge to judges. */

import { BonsaiError } from "../errors/bonsai-error.ts";
import { judgeByGold } from "../teddy/judge/gold-judge.ts";
import { judgeByLanguageModel } from "../judges/language-model.ts";
import { judgeByPeople } from "../judges/people.ts";
import { judgeByRaters } from "../teddy/judge/rater-judges.ts";
import { judgeByRewardModel } from "../judges/reward-model.ts";
import { judgeByBleu, judgeByFormat, judgeByLength, judgeByLexicon, judgeByRewriting, judgeByRougeL } from "../judges/rules.ts";
import type { Judge } from "../judges/judges.ts";
import type { RewardModel } from "../reward/reward-model.ts";
import type { TextModel } from "../judges/text-model.ts";
import { raterIds } from "../teddy/judge/raters.ts";
import { sha256OfFile } from "../catalog/partial-file.ts";
import { readLexicon, readRatings } from "./judge-files.ts";

/** A judge as the command line names it. */
export interface JudgeWord {
  kind: string;
  /** What follows the first "=". */
  argument: string | undefined;
}

/** What judges need of the program. */
export interface JudgeMaterial {
  languageModel: (name: string) => TextModel;
  /** Throws for what is no reward model. */
  rewardModel: (name: string) => RewardModel;
  criterion: string | undefined;
  judgeTokens: number;
  equalBelow: number;
  seed: number;
  signal: AbortSignal;
}

type JudgeMaker = (word: { name: string; argument: string }, material: JudgeMaterial) => Judge;

/** By kind: whether it takes something after "=", and the judge. */
const makers: Readonly<Record<string, { argument: "none" | "may" | "must"; make: JudgeMaker }>> = {
  raters: { argument: "may", make: ({ name, argument }, { seed }) => judgeByRaters(name, argument === "" ? 1 : panelOf(argument), seed) },
  rater: {
    argument: "must",
    make: ({ name, argument }, { seed }) => {
      const rater = raterIds.find((known) => known === argument);
      if (rater === undefined) throw wrongJudge(name, `there is no such rater; use one of ${raterIds.join(", ")}`);
      return judgeByRaters(name, rater, seed);
    },
  },
  gold: { argument: "none", make: (_, { equalBelow }) => judgeByGold(equalBelow) },
  llm: {
    argument: "must",
    make: ({ name, argument }, { languageModel, criterion, judgeTokens: maxTokens, seed, signal }) =>
      judgeByLanguageModel(name, { model: languageModel(argument), criterion, maxTokens, seed, signal }),
  },
  reward: {
    argument: "must",
    make: ({ name, argument }, { rewardModel, equalBelow, signal }) =>
      judgeByRewardModel(name, rewardModel(argument), { equalBelow, signal }),
  },
  people: {
    argument: "must",
    make: ({ name, argument }, { equalBelow }) => ({ ...judgeByPeople(readRatings(argument), equalBelow), name }),
  },
  bleu: { argument: "none", make: (_, { equalBelow }) => judgeByBleu(equalBelow) },
  "rouge-l": { argument: "none", make: (_, { equalBelow }) => judgeByRougeL(equalBelow) },
  length: {
    argument: "may",
    make: ({ name, argument }, { equalBelow }) => {
      const target = argument === "" ? undefined : Number(argument);
      if (target !== undefined && !(target >= 0)) throw wrongJudge(name, "a number of words would be right");
      return { ...judgeByLength(target, equalBelow), name };
    },
  },
  format: {
    argument: "may",
    make: ({ name, argument }, { equalBelow }) => ({
      ...judgeByFormat(argument === "" ? undefined : patternOf(name, argument), equalBelow),
      name,
    }),
  },
  lexicon: {
    argument: "must",
    make: ({ name, argument }, { equalBelow }) => ({ ...judgeByLexicon(readLexicon(argument), equalBelow), name }),
  },
  rewrite: { argument: "none", make: () => judgeByRewriting() },
};

/** @throws BonsaiError `usage` for a judge that is not known, or named without what it needs. */
export function readJudgeWord(name: string): JudgeWord {
  const at = name.indexOf("=");
  const [kind, argument] = at < 0 ? [name, undefined] : [name.slice(0, at), name.slice(at + 1)];
  const maker = Object.hasOwn(makers, kind) ? makers[kind] : undefined;
  if (maker === undefined) throw wrongJudge(name, `there is no such judge; use one of ${Object.keys(makers).join(", ")}`);
  if (maker.argument === "must" && (argument === undefined || argument === "")) throw wrongJudge(name, `${kind}=… would be right`);
  if (maker.argument === "none" && argument !== undefined) throw wrongJudge(name, `${kind} alone would be right`);
  return { kind, argument };
}

/** @throws BonsaiError as `readJudgeWord`, and what reading its files throws. */
export function makeJudge(name: string, material: JudgeMaterial): Judge {
  const { kind, argument = "" } = readJudgeWord(name);
  return makers[kind]!.make({ name, argument }, material);
}

/** What a judge's verdicts follow from beside its name: the content of its file. */
export async function judgeIdentity(name: string): Promise<{ name: string; sha256?: string }> {
  const { kind, argument } = readJudgeWord(name);
  if (kind !== "people" && kind !== "lexicon") return { name };
  try {
    return { name, sha256: await sha256OfFile(argument!) };
  } catch (cause) {
    throw new BonsaiError("file_not_found", `The file ${argument} cannot be read: ${(cause as Error).message}.`, {
      param: "--judge",
      cause,
    });
  }
}

function panelOf(argument: string): number {
  const count = Number(argument);
  if (Number.isInteger(count) && count >= 1 && count <= raterIds.length) return count;
  throw wrongJudge(`raters=${argument}`, `a number from 1 to ${raterIds.length} would be right`);
}

function patternOf(name: string, source: string): RegExp {
  try {
    return new RegExp(source, "su");
  } catch (cause) {
    throw new BonsaiError("usage", `--judge ${name}: it is no regular expression: ${(cause as Error).message}.`, {
      param: "--judge",
      cause,
    });
  }
}

function wrongJudge(name: string, problem: string): BonsaiError {
  return new BonsaiError("usage", `--judge ${name}: ${problem}.`, { param: "--judge" });
}
