/**
 * @file Answers that reward models of each form score in a second, and what scoring the 16 answers of a Best-of-16 adds
 * to sampling them.
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defaultConfig } from "../../src/config/options.ts";
import { uniform } from "../../src/random/philox.ts";
import type { Engine } from "../../src/engine/contract/request.ts";
import type { ScoreInput } from "../../src/engine/contract/score-request.ts";
import { startEngine, type EngineOptions } from "../../src/engine/worker/start-engine.ts";
import { calibrationTexts } from "../../src/runtime/artifacts/calibration-texts.ts";
import { requireSmolLM2 } from "../../loadtest/measurement/real-files.ts";
import { miniLMPath, withoutMiniLM } from "../fixtures/real-models.ts";
import { wholeRun } from "./load/engine-streams.ts";
import { promptDealer } from "./load/prompts.ts";
import { fixedLengthRequest } from "./load/requests.ts";
import { adapterOver, encoderOf, headOver, ownDecoder } from "./load/reward-models.ts";
import { runBench } from "./report/run-bench.ts";
import { Samples } from "./report/samples.ts";

const candidates = 16;
const plans = {
  full: { rounds: 5, prompts: 4, words: 64, answerTokens: 128 },
  quick: { rounds: 1, prompts: 1, words: 16, answerTokens: 8 },
};
type Plan = (typeof plans)["full"];

const forms = {
  own: "decoder with weights of its own (SmolLM2-135M)",
  adapter: "LoRA adapter of rank 16 over the policy",
  head: "head over the policy's hidden states",
  encoder: "encoder (all-MiniLM-L6-v2)",
} as const;
type Form = keyof typeof forms;

await runBench(import.meta.url, async ({ profile, say }) => {
  const policy = requireSmolLM2();
  const encoder = miniLMPath();
  if (encoder === undefined) say(`Without the encoder: ${String(withoutMiniLM)}.`);
  const plan = plans[profile];
  const samples = new Samples();
  const scratch = mkdtempSync(join(tmpdir(), "bonsai-reward-"));
  const folder = (form: Form): string => join(scratch, form);
  try {
    const made: Partial<Record<Form, EngineOptions["models"]>> = {
      head: headOver(policy, folder("head")),
      adapter: adapterOver(policy, folder("adapter")),
      own: ownDecoder(policy, folder("own")),
      ...(encoder === undefined ? {} : { encoder: encoderOf(encoder, folder("encoder")) }),
    };
    for (const [form, models] of Object.entries(made) as [Form, EngineOptions["models"]][]) {
      say(forms[form]);
      const engine = await startEngine({ ...defaultConfig(), models, cacheDir: join(scratch, "cache"), log: say });
      try {
        await measure(engine, form, plan, samples);
      } finally {
        await engine.close();
      }
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  const measured = (Object.keys(forms) as Form[]).filter((form) => form !== "encoder" || encoder !== undefined);
  return {
    title: "Reward models",
    about: [
      `In the default mode, through the engine. Texts are ${plan.words} words of a prompt and as many of an answer; rewards have two dimensions, and heads are random. Answers are scored in requests of ${candidates}, all at once.`,
      "Every round has texts of its own: what is shared is shared within it.",
    ].join("\n"),
    tables: [
      {
        title: "Answers scored",
        note: `${candidates} answers share each of ${plan.prompts} prompts, as in Best-of-N, or each has a prompt of its own, as documents of many queries. Tokens are those of prompts and answers, shared ones counted for each answer.`,
        columns: [
          { heading: "reward model" },
          { heading: "answers/s, shared prompts" },
          { heading: "answers/s, prompts of their own" },
          { heading: "tokens/answer", digits: 0 },
        ],
        rows: measured.map((form) => [
          forms[form],
          samples.cell(`${form} shared`),
          samples.cell(`${form} distinct`),
          samples.median(`${form} tokens`),
        ]),
      },
      {
        title: `What scoring adds to a Best-of-${candidates}`,
        note: `${candidates} answers of ${plan.answerTokens} tokens to one prompt are sampled from SmolLM2-135M-Instruct, then scored by the reward model. A head reads the policy's hidden states again here; while the policy decodes they are there already.`,
        columns: [
          { heading: "reward model" },
          { heading: "sampling (ms)", digits: 0 },
          { heading: "scoring (ms)", digits: 0 },
          { heading: "added", digits: 3 },
        ],
        rows: measured.map((form) => [
          forms[form],
          samples.cell("sampling"),
          samples.cell(`${form} best-of`),
          samples.median(`${form} best-of`) / samples.median("sampling"),
        ]),
      },
    ],
    checks: [],
    raw: samples,
  };
});

/** One form's rounds. Every round has texts of its own, so that no cache answers one. */
async function measure(engine: Engine, form: Form, plan: Plan, samples: Samples): Promise<void> {
  const deal = textDealer();
  await score(engine, answersTo(deal, 1, plan.words));
  for (let round = 0; round < plan.rounds; round++) {
    const shared = Array.from({ length: plan.prompts }, () => answersTo(deal, 1, plan.words));
    const distinct = Array.from({ length: plan.prompts }, () => answersTo(deal, candidates, plan.words));
    for (const [name, requests] of Object.entries({ shared, distinct })) {
      const startMs = performance.now();
      const tokens = await Promise.all(requests.map(async (inputs) => score(engine, inputs)));
      const answers = plan.prompts * candidates;
      samples.add(`${form} ${name}`, answers / ((performance.now() - startMs) / 1000));
      if (name === "shared") samples.add(`${form} tokens`, tokens.reduce((sum, count) => sum + count, 0) / answers);
    }
    const best = answersTo(deal, 1, plan.words);
    const startMs = performance.now();
    await score(engine, best);
    samples.add(`${form} best-of`, performance.now() - startMs);
    if (form === "head") {
      const vocabSize = engine.models.find(({ kind }) => kind === "policy")?.vocabSize ?? 0;
      const request = fixedLengthRequest("policy", promptDealer(vocabSize, round)(2 * plan.words), plan.answerTokens, 0.8, candidates);
      samples.add("sampling", 1000 * (await wholeRun(engine, [request])).seconds);
    }
  }
}

/** @returns tokens of all inputs */
async function score(engine: Engine, inputs: ScoreInput[]): Promise<number> {
  const { scores } = await engine.score({ model: "reward", inputs, truncate: true });
  return scores.reduce((sum, { tokens }) => sum + tokens, 0);
}

/** Sixteen conversations with this many different prompts, 1 or one for each. */
function answersTo(deal: (words: number) => string, prompts: number, words: number): ScoreInput[] {
  const asked = Array.from({ length: prompts }, () => [{ role: "user", content: deal(words) }]);
  return Array.from({ length: candidates }, (_, index) => ({
    prompt: asked[index % prompts]!,
    answer: { role: "assistant", content: deal(words) },
    param: `input[${index}]`,
  }));
}

/** Texts of random words of plain English, no two alike, and the same in every run. */
function textDealer(): (words: number) => string {
  const vocabulary = calibrationTexts.join(" ").match(/\b[A-Za-z]{2,}\b/g) ?? [];
  let position = 0;
  return (words) =>
    Array.from({ length: words }, () => vocabulary[Math.floor(uniform(3, position++) * vocabulary.length)] as string).join(" ");
}
