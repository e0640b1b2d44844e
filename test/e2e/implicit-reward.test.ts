/**
 * @file The teddy models from training to Best-of-N: teddy-sft is tuned with its implicit reward, and the server scores
 * and chooses by that, equal to the slow twin; and it knows which reward model is a policy's own where several are
 * served.
 */

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, mock, test } from "node:test";
import type { Static } from "typebox";
import { readDecoderConfig } from "../../src/architectures/decoder/decoder-config.ts";
import { defaultModelsFolder } from "../../src/catalog/project-root.ts";
import { runDpoCommand } from "../../src/cli/commands/train.ts";
import { mergeAdapter } from "../../src/formats/merged-adapter.ts";
import { openModel } from "../../src/formats/open-model.ts";
import { readPeftAdapter } from "../../src/formats/peft-adapter.ts";
import type { ChatCompletion } from "../../src/protocol/wire/chat/response.ts";
import type { ModelList } from "../../src/protocol/wire/models.ts";
import type { Rewards } from "../../src/protocol/wire/rewards.ts";
import { readRewardConfig } from "../../src/reward/reward-config.ts";
import { bestAnswer } from "../../src/teddy/writer/answer.ts";
import type { Message } from "../../src/text/conversation/message.ts";
import { prompt } from "../../src/teddy/writer/demonstration.ts";
import { RandomStream } from "../../src/random/random-stream.ts";
import { readQuestion } from "../../src/teddy/world/read-question.ts";
import { RowEncoder } from "../../src/training/data/documents.ts";
import { NaiveDecoder } from "../architectures/naive-decoder.ts";
import { naiveLogProbability } from "../training/preference/naive-log-probability.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { startServeProgram, type RunningServer } from "./program.ts";

const folder = temporaryFolder();
const [kind, taste] = [join(folder, "kind"), join(folder, "taste")];
const sft = join(defaultModelsFolder(), "teddy-sft");

const questions = Array.from({ length: 24 }, (_, index) => prompt(3, index, "training").messages);
const good = (messages: readonly Message[], index: number): string =>
  bestAnswer(readQuestion(messages)!, new RandomStream(3, "other", index));

describe("the implicit reward of a tuned teddy-sft", () => {
  let server: RunningServer;

  before(async () => {
    const pairs = join(folder, "pairs.jsonl");
    const row = (messages: readonly Message[], index: number): string =>
      `${JSON.stringify({ prompt: messages, chosen: good(messages, index), rejected: "Throw it away." })}\n`;
    writeFileSync(pairs, questions.map(row).join(""));
    const told = mock.method(console, "log", () => undefined);
    const args = `--model ${sft} --dataset ${pairs} --output-dir ${kind} --implicit-reward-dir ${taste} --lora-r 4 --learning-rate 5e-3 --max-steps 6 --batch-size 4 --max-length 256`;
    assert.equal(await runDpoCommand(args.split(" ")), 0);
    told.mock.restore();
    const models = [sft, join(defaultModelsFolder(), "teddy-rm"), kind, taste].flatMap((path) => ["--model", path]);
    server = await startServeProgram([...models, "--quantization", "fp32", "--cache-dir", join(folder, "cache"), "--log-level", "warn"]);
  });
  after(async () => {
    assert.equal((await server.stop()).status, 0);
  });

  const post = async <T>(route: string, body: object): Promise<T> => {
    const response = await fetch(`${server.url}${route}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    const text = await response.text();
    assert.equal(response.status, 200, text);
    return JSON.parse(text) as T;
  };
  const rewardsOf = async (messages: readonly Message[], answers: readonly string[]): Promise<Static<typeof Rewards>["data"]> => {
    const input = answers.map((content) => ({ messages: [...messages, { role: "assistant", content }] }));
    return (await post<Static<typeof Rewards>>("/v1/rewards", { model: "taste", input })).data;
  };

  test("is what the slow twin finds between policy and reference, and prefers what was chosen", async () => {
    const file = openModel(sft);
    const config = readDecoderConfig(file.config, file.path);
    const decoders = [mergeAdapter(file.weights, readPeftAdapter(kind, "llama")), file.weights].map(
      (weights) => new NaiveDecoder(config, weights),
    );
    const encoder = new RowEncoder(file);
    const { beta } = readRewardConfig(taste);
    let preferred = 0;
    for (const [index, messages] of questions.slice(0, 6).entries()) {
      const answers = [good(messages, index), "Throw it away."];
      const found = await rewardsOf(messages, answers);
      if (found[0]!.reward > found[1]!.reward) preferred++;
      // The twin takes seconds for each answer.
      if (index >= 2) continue;
      for (const [at, content] of answers.entries()) {
        const { ids, trained } = encoder.encode({
          form: "conversational completion",
          prompt: [...messages],
          completion: [{ role: "assistant", content }],
        });
        const [start, end] = [trained.indexOf(true), trained.lastIndexOf(true) + 1];
        const [own, other] = decoders.map((decoder) => naiveLogProbability(decoder, ids.slice(0, start), ids.slice(start, end)));
        const expected = beta! * (own! - other!);
        const raw = found[at]!.raw;
        assert.ok(Math.abs(raw - expected) < 2e-3 * (1 + Math.abs(expected)), `${raw} is not ${expected}`);
      }
    }
    file.weights.close();
    assert.equal(preferred, 6);
  });

  test("chooses among answers of any policy, by the rewards that /v1/rewards gives them", async () => {
    for (const model of ["teddy-sft", "kind"]) {
      const options = { reward_model: "taste", return_candidates: true };
      const { choices, best_of: block } = await post<ChatCompletion>("/v1/chat/completions", { model, messages: questions[0], best_of: 8, best_of_options: options, seed: 5, max_tokens: 60 }); // prettier-ignore
      assert.deepEqual([block!.reward_model, block!.rewards.length], ["taste", 8]);
      const rewards = (await rewardsOf(questions[0]!, block!.rewards.map(({ text }) => text!))).map(({ reward }) => reward); // prettier-ignore
      for (const [at, { reward }] of block!.rewards.entries())
        assert.ok(Math.abs(reward! - rewards[at]!) < 1e-6, `${reward} ${rewards[at]}`);
      assert.equal(rewards[0], Math.max(...rewards));
      assert.equal(choices[0]!.message.content, block!.rewards[0]!.text);
    }
  });

  test("is not what a request gets that names no reward model: that is the one that the policy's folder names", async () => {
    const { data } = (await (await fetch(`${server.url}/v1/models`)).json()) as ModelList;
    const own = Object.fromEntries(data.map(({ id, card }) => [id, card.reward_model]));
    assert.deepEqual(own, { "teddy-sft": "teddy-rm", "teddy-rm": undefined, kind: "teddy-rm", taste: undefined });
    for (const model of ["teddy-sft", "kind", "teddy-sft:bo3"]) {
      const { best_of: block } = await post<ChatCompletion>("/v1/chat/completions", { model, messages: questions[1], best_of: 3, seed: 1, max_tokens: 20 }); // prettier-ignore
      assert.equal(block!.reward_model, "teddy-rm");
    }
  });
});
