/**
 * @file The official `openai` client and Best-of-N: extra fields pass through, extra chunks are skipped, over the whole
 * program with a reward model.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import OpenAI from "openai";
import type { BestOf, BestOfDone } from "../../src/protocol/wire/best-of-response.ts";
import { preparedModels } from "../fixtures/prepared-models.ts";
import { smolLM2Path, withoutSmolLM2 } from "../fixtures/real-models.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { writeTinyModel } from "../fixtures/tiny-model.ts";
import { startServeProgram, type RunningServer } from "./program.ts";

const messages: OpenAI.ChatCompletionMessageParam[] = [{ role: "user", content: "Name three colours." }];
const rewardPath = fileURLToPath(new URL("../oracle/rewards/llama", import.meta.url));

type Answer = OpenAI.ChatCompletion & { best_of?: BestOf; choices: { reward?: number | null }[] };

/** Fields that the client's types do not know. */
const extra = (fields: object): object => fields;

function suite(name: string, skip: string | false, modelPath: (folder: string) => string, options: string[]): void {
  describe(`the official client's best_of over ${name}`, { skip }, () => {
    const folder = temporaryFolder();
    const model = "served";
    let server: RunningServer;
    let client: OpenAI;

    before(async () => {
      const models = ["--model", `${model}=${modelPath(folder)}`, "--model", `reward=${rewardPath}`];
      server = await startServeProgram([...models, "--cache-dir", preparedModels(), "--log-level", "warn", ...options]);
      client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: "none", maxRetries: 0 });
    });
    after(async () => {
      assert.equal((await server.stop()).status, 0);
    });

    const chat = async (fields: object = {}): Promise<Answer> =>
      client.chat.completions.create({ model, messages, max_tokens: 16, seed: 1, ...fields });
    const metric = async (metricName: string): Promise<number> => {
      const text = await (await fetch(`${server.url}/metrics`)).text();
      return Number(new RegExp(`^${metricName} (\\S+)$`, "m").exec(text)![1]);
    };
    const untilIdle = async (): Promise<void> => {
      while ((await metric("bonsai_sequences_running")) + (await metric("bonsai_scoring_inputs")) > 0)
        await new Promise((resolve) => setTimeout(resolve, 10));
    };

    test("gives the winner, its reward and what it cost", async () => {
      const answer = await chat({ best_of: 6, best_of_options: { return_candidates: true } });
      const { best_of: block, choices, usage } = answer;
      assert.equal(choices.length, 1);
      assert.deepEqual([block!.sampled, block!.strategy, block!.reward_model], [6, "max", "reward"]);
      assert.equal(choices[0]!.reward, block!.rewards[0]!.reward);
      assert.equal(choices[0]!.message.content, block!.rewards[0]!.text);
      assert.equal(usage!.completion_tokens, block!.tokens_generated);
      assert.ok(block!.tokens_generated >= block!.tokens_returned);
    });

    test("gives each candidate again to a request for one answer with its seed, while others come and go", async () => {
      const others = Array.from({ length: 3 }, async (_, seed) => chat({ n: 3, seed: 50 + seed, max_tokens: 10 + seed }));
      const group = await chat({ best_of: 6, best_of_options: { return_candidates: true } });
      for (const { seed, text } of group.best_of!.rewards) {
        const [alone, plain] = await Promise.all([
          chat({ best_of: 1, best_of_options: {}, seed }),
          chat({ seed }),
          chat({ n: 2, seed: seed % 1000 }),
        ]);
        assert.equal(alone.choices[0]!.message.content, text);
        assert.equal(plain.choices[0]!.message.content, text);
      }
      await Promise.all(others);
    });

    test("is asked for by the model's name as well", async () => {
      const named = await chat({ model: `${model}:bo4` });
      const asked = await chat({ best_of: 4 });
      assert.deepEqual([named.choices, named.best_of!.rewards], [asked.choices, asked.best_of!.rewards]);
      assert.equal(named.model, model);
    });

    test("works for every strategy, the same each time", async () => {
      for (const strategy of ["max", "soft", "majority", "mbr", "knockout", "logprob"]) {
        const fields = { best_of: 4, n: 2, best_of_options: { strategy } };
        const [one, other] = await Promise.all([chat(fields), chat(fields)]);
        assert.deepEqual(one.choices, other.choices);
        assert.equal(one.best_of!.strategy, strategy);
        assert.equal(one.choices.length, 2);
      }
    });

    test("streams progress that the client's helper skips, and the message that it puts together", async () => {
      const whole = await chat({ best_of: 4 });
      const params = { model, messages, max_tokens: 16, seed: 1, ...extra({ best_of: 4 }) };
      assert.equal((await client.chat.completions.stream(params).finalMessage()).content, whole.choices[0]!.message.content);
      let done: BestOfDone | undefined;
      let usage: OpenAI.CompletionUsage | null | undefined;
      const stream = await client.chat.completions.create({ ...params, stream: true, stream_options: { include_usage: true } });
      for await (const chunk of stream) {
        const block = (chunk as { best_of?: BestOfDone }).best_of;
        if (block?.phase === "done") done = block;
        usage = chunk.usage;
      }
      assert.deepEqual(done!.rewards, whole.best_of!.rewards);
      assert.equal(usage!.completion_tokens, whole.usage!.completion_tokens);
    });

    test("prunes and says how much that saved", async () => {
      const prune = [
        { at: 0.25, keep: 0.5 },
        { at: 0.5, keep: 0.5 },
      ];
      const fields = { best_of: 8, max_tokens: 32, ignore_eos: true };
      const pruned = await chat({ ...fields, best_of_options: { prune } });
      assert.deepEqual([pruned.best_of!.pruned, pruned.best_of!.finished], [6, 2]);
      assert.ok(pruned.best_of!.tokens_generated < 8 * 32);
      assert.deepEqual((await chat({ ...fields, best_of_options: { prune } })).choices, pruned.choices);
    });

    test("of completions means the highest mean log-probability, as OpenAI has it", async () => {
      const params = { model, prompt: "Once", max_tokens: 8, seed: 3 };
      const answer = (await client.completions.create({ ...params, best_of: 5 })) as OpenAI.Completion & { best_of?: BestOf };
      const all = await client.completions.create({ ...params, n: 5, logprobs: 0 });
      const means = all.choices.map(({ logprobs }) => {
        const values = logprobs!.token_logprobs!;
        return values.reduce((sum, value) => sum + value, 0) / values.length;
      });
      const notBlank = [...means.keys()].filter((index) => all.choices[index]!.text.trim() !== "");
      const best = notBlank.reduce((one, other) => (means[other]! > means[one]! ? other : one));
      assert.equal(answer.choices[0]!.text, all.choices[best]!.text);
      assert.equal(answer.best_of!.rewards[0]!.index, best);
    });

    test("that makes no sense is a BadRequestError with the field's name", async () => {
      for (const [fields, param] of [
        [{ best_of: 2, n: 3 }, "best_of"],
        [{ best_of: 4, best_of_options: { strategy: "worst" } }, "best_of_options.strategy"],
        [{ best_of: 9, best_of_options: { strategy: "mbr" } }, "best_of"],
      ] as const) {
        await assert.rejects(chat(fields), (error) => error instanceof OpenAI.BadRequestError && error.param === param);
      }
    });

    test("frees everything when the client leaves", async () => {
      const stream = await client.chat.completions.create({ model, messages, stream: true, ...extra({ best_of: 8, ignore_eos: true }) });
      for await (const _ of stream) break;
      stream.controller.abort();
      await untilIdle();
      assert.ok((await chat({ best_of: 8 })).choices[0]!.message.content!.length > 0);
    });
  });
}

// Eight candidates are the most that run at once.
const short = ["--max-sequences", "8", "--max-queued-sequences", "64"];

suite(
  "a tiny model",
  false,
  (folder) => {
    writeTinyModel(join(folder, "tiny"), { contextLength: 1024 });
    return join(folder, "tiny");
  },
  ["--quantization", "fp32", ...short],
);
suite("SmolLM2", withoutSmolLM2, () => smolLM2Path()!, short);
