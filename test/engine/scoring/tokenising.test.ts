/**
 * @file Scoring tokenises in bounded slices between decode steps, once for a prompt, and never what could not be read.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { ScoreInput, ScoreRequest, ScoreResult } from "../../../src/engine/contract/score-request.ts";
import type { Model } from "../../../src/engine/loading/model.ts";
import { EngineLoop } from "../../../src/engine/scheduling/engine-loop.ts";
import { PrefixCache } from "../../../src/engine/scheduling/prefix-cache.ts";
import { DecoderScorer, type ScoringModel } from "../../../src/engine/scoring/decoder-scorer.ts";
import { mostCharacters } from "../../../src/engine/scoring/readable-text.ts";
import type { Scorer } from "../../../src/engine/scoring/scorer.ts";
import { Scoring } from "../../../src/engine/scoring/scoring.ts";
import { BonsaiError } from "../../../src/errors/bonsai-error.ts";
import { readRewardConfig } from "../../../src/reward/reward-config.ts";
import { answersTo } from "../../../src/reward/reward-model.ts";
import { charactersOfStep, runSlices, sliceCharacters, type Sliced } from "../../../src/text/slices.ts";
import { goldenPath } from "../../architectures/goldens.ts";
import { temporaryFolder } from "../../fixtures/temporary-folder.ts";
import { requestFor, roomyLimits, start } from "../answers.ts";
import { loadWithAdapters } from "../tiny-engine.ts";

const cacheDir = temporaryFolder();
const rewardPath = fileURLToPath(new URL("../../oracle/rewards/llama", import.meta.url));
const [rewardModel] = (await loadWithAdapters(rewardPath, cacheDir, { id: "reward", reward: readRewardConfig(rewardPath) })) as [
  ScoringModel,
];
const [policy] = await loadWithAdapters(goldenPath("llama"), join(cacheDir, "policy"), { id: "policy" });
after(() => Promise.all([rewardModel.device.dispose(), policy.device.dispose()]));

const most = mostCharacters(rewardModel.info.contextLength, rewardModel.tokenizer);
const prose = (characters: number): string =>
  "sew the ear on, in and out, until it holds. ".repeat(characters / 44 + 1).slice(0, characters);
const question = (characters: number): ScoreInput["prompt"] => [{ role: "user", content: prose(characters) }];

/** A scorer, and how many characters it has tokenised. */
class CountedScorer {
  readonly #scorer = new DecoderScorer(rewardModel, new PrefixCache(0));
  characters = 0;

  get scorer(): Scorer {
    const own = this.#scorer;
    return {
      info: own.info,
      bytesOf: (tokens) => own.bytesOf(tokens),
      read: (inputs, truncate) => this.#counted(own.read(inputs, truncate)),
      open: (input) => own.open(input),
      advance: (rows) => own.advance(rows),
      close: (row) => own.close(row),
    };
  }

  *#counted<Result>(work: Sliced<Result>): Sliced<Result> {
    for (;;) {
      const step = work.next();
      if (step.done === true) return step.value;
      this.characters += step.value;
      yield step.value;
    }
  }
}

/** Characters that reading a request takes, and what is read. */
function read(inputs: readonly ScoreInput[]): {
  characters: number;
  rows: ReturnType<DecoderScorer["read"]> extends Sliced<infer R> ? R : never;
} {
  const counted = new CountedScorer();
  const rows = runSlices(counted.scorer.read(inputs, true));
  return { characters: counted.characters, rows };
}

describe("tokenising what is scored", () => {
  test("takes at most a bounded number of characters in one step, whatever the request", async () => {
    const counted = new CountedScorer();
    const scoring = new Scoring([counted.scorer], roomyLimits);
    const request: ScoreRequest = {
      model: "reward",
      inputs: answersTo(
        question(6000),
        Array.from({ length: 16 }, (_, index) => `${index} ${prose(3000)}`),
      ),
      truncate: true,
    };
    const results: ScoreResult[] = [];
    scoring.start(1, request, {
      scored: (scored) => results.push(scored),
      failed: (error) => assert.fail(String(error)),
    });
    assert.equal(counted.characters, 0, "nothing is tokenised where the request is queued");
    let tokenisingSteps = 0;
    for (let before = 0; results.length === 0; before = counted.characters) {
      await scoring.step();
      const inStep = counted.characters - before;
      assert.ok(inStep <= charactersOfStep + 2 * sliceCharacters, `${inStep} characters in one step`);
      if (inStep > 0) tokenisingSteps++;
    }
    assert.equal(results[0]!.scores.length, 16);
    assert.ok(tokenisingSteps >= 5, `${tokenisingSteps} steps`);
  });

  test("leaves a decode step between two of its own", async () => {
    const loop = new EngineLoop([policy, rewardModel] as Model[], roomyLimits);
    const deltas: unknown[] = [];
    const { done } = start(loop, requestFor("policy", { maxTokens: 100, ignoreEos: true }), (event) => {
      if (event.type === "delta") deltas.push(event);
    });
    while (deltas.length === 0) await new Promise((resolve) => setImmediate(resolve));
    const inputs = answersTo(
      question(100),
      Array.from({ length: 16 }, () => prose(6000)),
    );
    const before = deltas.length;
    await new Promise<ScoreResult>((resolve, reject) =>
      loop.score(2, { model: "reward", inputs, truncate: true }, { scored: resolve, failed: reject }),
    );
    const { characters } = read(inputs);
    assert.ok(
      deltas.length - before >= Math.floor(characters / (charactersOfStep + 2 * sliceCharacters)),
      `${deltas.length - before} decode steps`,
    );
    assert.equal((await done).error, undefined);
  });

  test("reads a prompt once for all answers to it", () => {
    const prompt = question(5000);
    const answers = Array.from({ length: 16 }, (_, index) => `${index} in and out`);
    const together = read(answersTo(prompt, answers));
    const alone = answers.map((answer) => read(answersTo(prompt, [answer])));
    assert.deepEqual(
      together.rows,
      alone.map(({ rows }) => rows[0]),
    );
    const answerCharacters = answers.reduce((sum, answer) => sum + answer.length, 0);
    assert.ok(together.characters < alone[0]!.characters + 2 * answerCharacters + 16 * 200, `${together.characters} characters`);
    assert.ok(alone.reduce((sum, { characters }) => sum + characters, 0) > 10 * together.characters);
  });

  test("leaves alone what could not be read, and reads the same end as of the whole text", () => {
    const end = prose(2 * most);
    const [row] = read(answersTo(question(10), [end])).rows;
    const long = read(answersTo(question(1_900_000), [`${prose(1_900_000)}${end}`]));
    assert.ok(long.characters <= 6 * most + 2000, `${long.characters} characters for ${most} that can be read`);
    assert.deepEqual(long.rows[0]!.ids, row!.ids);
    assert.ok(long.rows[0]!.cutTokens > row!.cutTokens + 1_900_000 / rewardModel.tokenizer.maxTokenBytes);
    // Nothing is cut of what fits.
    assert.equal(read(answersTo(question(10), ["in and out"])).rows[0]!.cutTokens, 0);
  });

  test("does not begin for a request that the queue has no room for", () => {
    const counted = new CountedScorer();
    const scoring = new Scoring([counted.scorer], { ...roomyLimits, maxSequences: 2, maxQueuedSequences: 2 });
    const refused: unknown[] = [];
    const request: ScoreRequest = { model: "reward", inputs: answersTo(question(10), ["a", "b"]), truncate: true };
    for (let id = 0; id < 3; id++) scoring.start(id, request, { scored: () => {}, failed: (error) => refused.push(error) });
    assert.ok(refused.length === 1 && refused[0] instanceof BonsaiError && refused[0].code === "overloaded");
    assert.equal(counted.characters, 0);
  });
});
