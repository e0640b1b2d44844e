/**
 * @file What a run can measure: models, prompts and other engines. What is absent is left out, with a line that says
 * what to do.
 */

import { readCatalog } from "../src/catalog/catalog.ts";
import { defaultModelsFolder } from "../src/catalog/project-root.ts";
import { BonsaiError } from "../src/errors/bonsai-error.ts";
import { readQuestion } from "../src/teddy/world/read-question.ts";
import type { Message } from "../src/text/conversation/message.ts";
import { sharedDataPath, smolLM2Absent, smolLM2Path } from "./measurement/real-files.ts";
import { findPeers, type Peer } from "./peers/peers.ts";
import type { Plan, WaysPlan } from "./plan.ts";
import { missingParts, presentModels } from "./present-models.ts";
import { heldOutPrompt, promptsOfFile, questionsOfFile } from "./prompts.ts";
import { measuredEnsembles, smolLM2Models, teddyModels, type Ensemble, type MeasuredModel } from "./variants.ts";

/** The parts of a run; each can be measured alone. */
export const parts = ["teddy", "smollm2", "peers"] as const;
export type Part = (typeof parts)[number];

export interface TeddyPart {
  /** At least one. */
  models: readonly MeasuredModel[];
  /** Ensembles that choose among the judged candidates. */
  ensembles: readonly Ensemble[];
  /** Whether the prompts have a true score. */
  isJudged: boolean;
}

export interface SmolLM2Part {
  /** At least one. */
  models: readonly MeasuredModel[];
  ways: WaysPlan;
  prompts: readonly Message[][];
}

export interface PeersPart {
  /** At least one. */
  peers: readonly Peer[];
  /** Path of the model's file. */
  smolLM2: string;
}

/** What can be measured; a part is undefined where it is not wanted or something that it needs is absent. */
export interface Surroundings {
  /** Prompts of the teddy models; also a server's first requests, which warm it up. */
  prompts: readonly Message[][];
  teddy: TeddyPart | undefined;
  smolLM2: SmolLM2Part | undefined;
  peers: PeersPart | undefined;
}

/** Chat prompts that none of these models was trained on. */
const questionsPath = "prompts/vicuna_question.jsonl";

/**
 * @param wanted undefined for all parts
 * @param file of prompts for the teddy models; undefined for held-out ones
 * @throws BonsaiError `usage` where there is nothing to measure
 */
export async function findSurroundings(
  plan: Plan,
  wanted: Part | undefined,
  file: string | undefined,
  say: (line: string) => void,
): Promise<Surroundings> {
  const isWanted = (part: Part): boolean => wanted === undefined || wanted === part;
  const catalog = Object.keys(await readCatalog());
  const count = Math.max(plan.qualityPrompts, plan.prunedPrompts);
  const prompts = file === undefined ? Array.from({ length: count }, (_, index) => heldOutPrompt(index)) : promptsOfFile(file, count);
  const teddy = isWanted("teddy") ? findTeddy(prompts, catalog, say) : undefined;
  if (isWanted("teddy") && teddy?.isJudged === false) say(`${file} holds more than questions of the teddy world: quality is not judged.`);
  const smolLM2 = isWanted("smollm2") && plan.smolLM2 !== undefined ? findSmolLM2(plan.smolLM2, catalog, say) : undefined;
  const peers = isWanted("peers") && plan.peerRounds > 0 ? findPeersPart(say) : undefined;
  if (isWanted("teddy") && teddy === undefined)
    throw new BonsaiError("usage", "None of the models to measure is there: npm run recipe -- teddy makes them.");
  if (teddy === undefined && smolLM2 === undefined && peers === undefined)
    throw new BonsaiError("usage", `Nothing of ${wanted} can be measured here${plan.peerRounds > 0 ? "" : " by the quick profile"}.`);
  return { prompts, teddy, smolLM2, peers };
}

function findTeddy(prompts: readonly Message[][], catalog: readonly string[], say: (line: string) => void): TeddyPart | undefined {
  const { present, absent } = presentModels(teddyModels, defaultModelsFolder(), catalog);
  for (const line of absent) say(line);
  if (present.length === 0) return undefined;
  const ensembles = measuredEnsembles.filter(({ members }) =>
    members.every((name) => missingParts(name, defaultModelsFolder()).length === 0),
  );
  return { models: present, ensembles, isJudged: prompts.every((messages) => readQuestion(messages) !== undefined) };
}

function findSmolLM2(ways: WaysPlan, catalog: readonly string[], say: (line: string) => void): SmolLM2Part | undefined {
  const { present, absent } = presentModels(smolLM2Models, defaultModelsFolder(), catalog);
  for (const line of absent) say(line);
  const path = sharedDataPath(questionsPath);
  if (path === undefined) say(`SmolLM2 and its adapter are left out: ../shared/data/${questionsPath} is absent.`);
  if (path === undefined || present.length === 0) return undefined;
  const most = Math.max(ways.qualityPrompts, ways.prunedPrompts, ...ways.counts.map(ways.latencyRequests));
  return { models: present, ways, prompts: questionsOfFile(path, most) };
}

function findPeersPart(say: (line: string) => void): PeersPart | undefined {
  const peers = findPeers(say);
  const smolLM2 = smolLM2Path();
  if (peers.length > 0 && smolLM2 === undefined) say(`Other engines are left out: ${smolLM2Absent}`);
  return peers.length === 0 || smolLM2 === undefined ? undefined : { peers, smolLM2 };
}
