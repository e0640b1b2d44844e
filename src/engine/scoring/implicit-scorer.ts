/**
 * @file The implicit reward of a policy that was tuned on preferences: beta (log pi(y|x) - log pi_ref(y|x)), summed
 * over the answer's tokens (Rafailov et al. 2023, equation 5, up to what is the same for all answers to a prompt). Both
 * models read the answer chunk by chunk, one row at a time.
 */

import { createHash } from "node:crypto";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import type { PromptCache } from "../../runtime/device.ts";
import type { Sliced } from "../../text/slices.ts";
import { ConversationReader } from "./conversation-reader.ts";
import type { Model } from "../loading/model.ts";
import type { ModelInfo } from "../contract/request.ts";
import type { ImplicitRewardOptions } from "./decoder-reward.ts";
import { logSumExp } from "../sampling/token-logprobs.ts";
import type { ScoreInput } from "../contract/score-request.ts";
import type { ReadInput, ScoredRow, Scorer } from "./scorer.ts";

interface ImplicitRow extends ScoredRow {
  /** The prompt caches of policy and reference, in this order, present from the first run on. */
  prompts: PromptCache[];
  /** log p of the tokens so far, of each. */
  sums: [policy: number, reference: number];
}

/**
 * A reward model over two of the models. @throws BonsaiError `invalid_model_file` where one is absent or another than
 * it was.
 */
export function openImplicitReward(options: ImplicitRewardOptions, models: readonly Model[]): ImplicitScorer {
  const found = (["policy", "reference"] as const).map((part) => {
    const { id, sha256 } = options[part];
    const model = models.find(({ info }) => info.id === id);
    const problem =
      model === undefined || model.score !== undefined
        ? `${id}, which is no policy that is served`
        : model.contentHash === sha256
          ? undefined
          : `the ${id} with sha256 ${sha256.slice(0, 12)}…, and the one that is served has ${model.contentHash.slice(0, 12)}…: train again`;
    if (problem === undefined) return model!;
    throw new BonsaiError("invalid_model_file", `${options.path}: reward.json names as its ${part} ${problem}.`, {
      param: `${part}.sha256`,
    });
  }) as [Model, Model];
  const [policy, reference] = found;
  if (policy.info.vocabSize !== reference.info.vocabSize)
    throw new BonsaiError("invalid_model_file", `${options.path}: ${policy.info.id} and ${reference.info.id} have no common vocabulary.`);
  return new ImplicitScorer(options, found);
}

class ImplicitScorer implements Scorer {
  readonly #models: readonly [policy: Model, reference: Model];
  readonly #beta: number;
  readonly #reader: ConversationReader;
  readonly info: ModelInfo;

  constructor({ id, reward, beta, policy, reference }: ImplicitRewardOptions, models: readonly [Model, Model]) {
    this.#models = models;
    this.#beta = beta;
    const own = createHash("sha256")
      .update(JSON.stringify([reward, beta, policy.sha256, reference.sha256]))
      .digest("hex")
      .slice(0, 12);
    const [{ info }, { info: other }] = models;
    const { rewardModel: _, ...rest } = info;
    this.info = {
      ...rest,
      id,
      kind: "reward",
      base: info.id,
      contextLength: Math.min(info.contextLength, other.contextLength, reward.maxLength),
      fingerprint: `${info.fingerprint}-${own}`,
      reward,
    };
    const { tokenizer, template, eosTokenIds } = models[0];
    this.#reader = new ConversationReader({
      tokenizer,
      template,
      eosTokenIds,
      mostTokens: this.info.contextLength,
      // With the token that ends the answer, and nothing that the template writes after it.
      lengthOf: ({ ids, fedTokens }) => Math.min(ids.length, fedTokens + 1),
    });
  }

  /** Two caches, and the logits of a chunk. */
  bytesOf(tokens: number): number {
    const bytes = this.#models.map(({ device: { chunkTokens, bytesPerToken, config } }) => {
      const chunks = Math.ceil(tokens / chunkTokens);
      return chunks * chunkTokens * bytesPerToken + 4 * chunkTokens * config.vocabSize;
    });
    return bytes.reduce((sum, of) => sum + of, 0);
  }

  read(inputs: readonly ScoreInput[], truncate: boolean): Sliced<ReadInput[]> {
    return this.#reader.read(inputs, truncate);
  }

  open(input: ReadInput): ImplicitRow {
    return { input, cachedTokens: 0, outputs: undefined, prompts: [], sums: [0, 0] };
  }

  /** The next chunk of the first row, so that answers that are being written never wait long. */
  async advance(rows: readonly ScoredRow[]): Promise<void> {
    const row = rows[0] as ImplicitRow;
    const { ids, promptTokens } = row.input;
    // Nothing predicts the first token, and the last one predicts nothing.
    const fed = ids.slice(0, -1);
    let isRead = true;
    for (const [index, { device, adapter }] of this.#models.entries()) {
      const prompt = (row.prompts[index] ??= device.openPrompt(Math.max(1, fed.length), adapter));
      const start = prompt.length;
      const chunk = fed.slice(start, start + device.chunkTokens);
      if (chunk.length === 0) continue;
      const firstWanted = Math.max(0, promptTokens - 1 - start);
      const logits = await device.prefill(prompt, chunk, firstWanted < chunk.length);
      const { vocabSize } = device.config;
      for (let at = firstWanted; at < chunk.length; at++) {
        const of = logits!.subarray(at * vocabSize, (at + 1) * vocabSize);
        row.sums[index]! += of[ids[start + at + 1]!]! - logSumExp(of);
      }
      isRead &&= prompt.length >= fed.length;
    }
    if (!isRead) return;
    row.outputs = [this.#beta * (row.sums[0] - row.sums[1])];
    this.close(row);
  }

  close(row: ScoredRow): void {
    const { prompts } = row as ImplicitRow;
    for (const [index, prompt] of prompts.entries()) this.#models[index]!.device.closePrompt(prompt);
    prompts.length = 0;
  }
}
