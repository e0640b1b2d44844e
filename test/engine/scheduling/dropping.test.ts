/**
 * @file Single sequences of a running request that end before the others: dropped, or failed alone; and the
 * log-probabilities that tell them apart.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { EngineLoop } from "../../../src/engine/scheduling/engine-loop.ts";
import type { Model } from "../../../src/engine/loading/model.ts";
import { candidateSeed } from "../../../src/random/philox.ts";
import type { GenerateEvent, GenerateRequest } from "../../../src/engine/contract/request.ts";
import { plainSampling } from "../../../src/engine/sampling/sampler.ts";
import { startEngine } from "../../../src/engine/worker/start-engine.ts";
import { BonsaiError } from "../../../src/errors/bonsai-error.ts";
import { temporaryFolder } from "../../fixtures/temporary-folder.ts";
import { writeTinyModel } from "../../fixtures/tiny-model.ts";
import { AnswerCollector, requestFor, roomyLimits, run, start, type Answer, type RunningRequest } from "../answers.ts";
import { loadPoisoned } from "../poisoned-model.ts";
import { RandomChoices, randomRequests } from "../random-requests.ts";
import { loadTiny } from "../tiny-engine.ts";

const folder = temporaryFolder();
const sampled = { ...plainSampling, temperature: 1 };

let model: Model;
before(async () => {
  model = await loadTiny(folder, { contextLength: 1024 }, { quantization: "q8" });
});

/** Starts a request and drops sequences once it has had so many tokens of its first. */
function startDropping(loop: EngineLoop, request: GenerateRequest, afterTokens: number, indexes: readonly number[]): RunningRequest {
  let tokens = 0;
  const running: RunningRequest = start(loop, request, (event) => {
    if (event.type === "delta" && event.index === 0 && ++tokens === afterTokens) loop.drop(running.id, indexes);
  });
  return running;
}

describe("a dropped sequence", () => {
  const request = requestFor("tiny", { n: 5, maxTokens: 20, ignoreEos: true, sampling: sampled, stop: ["zz"], logprobs: 2 });

  test("ends before the next step, is announced, and leaves the others as they would have been to the bit", async () => {
    const whole = await run(new EngineLoop([model], roomyLimits), request);
    const loop = new EngineLoop([model], roomyLimits);
    const answer = await startDropping(loop, request, 7, [1, 3, 4]).done;
    assert.equal(answer.ended, true);
    for (const index of [0, 2]) assert.deepEqual(answer.sequences[index], whole.sequences[index]);
    for (const index of [1, 3, 4]) {
      const { tokenIds, finishReason, completionTokens, text } = answer.sequences[index]!;
      assert.deepEqual([finishReason, completionTokens, tokenIds], ["dropped", 7, whole.sequences[index]!.tokenIds.slice(0, 7)]);
      assert.ok(whole.sequences[index]!.text.startsWith(text));
    }
    assert.equal(loop.stats().decodeRows, 5 * 7 + 2 * 13);
    assert.deepEqual([loop.stats().runningSequences, loop.stats().kvTokensReserved], [0, 0]);
  });

  test("gives its row to another request in the same step", async () => {
    const loop = new EngineLoop([model], { ...roomyLimits, maxSequences: 5 });
    const rowsOfSteps: number[] = [];
    let statsBefore = loop.stats();
    const note = (): void => {
      const { decodeSteps, decodeRows } = loop.stats();
      if (decodeSteps > statsBefore.decodeSteps)
        rowsOfSteps.push((decodeRows - statsBefore.decodeRows) / (decodeSteps - statsBefore.decodeSteps));
      statsBefore = loop.stats();
    };
    const running = startDropping(loop, request, 7, [1, 2]);
    const others = [1, 2].map((n) =>
      start(loop, requestFor("tiny", { n, maxTokens: 30, ignoreEos: true, prompt: { kind: "tokens", ids: [5] } }), note),
    );
    for (const { done } of [running, ...others]) assert.equal((await done).ended, true);
    // Eight sequences, of which two are dropped: none of the five rows is empty in the steps about the seventh.
    assert.ok(
      rowsOfSteps.slice(2, 20).every((rows) => rows === 5),
      rowsOfSteps.join(" "),
    );
    const { runningSequences, waitingSequences } = loop.stats();
    assert.deepEqual([runningSequences, waitingSequences], [0, 0]);
  });

  test("that has not begun is announced after the start; all of them end their request", async () => {
    const loop = new EngineLoop([model], roomyLimits);
    const events: GenerateEvent[] = [];
    const running = start(loop, { ...request, n: 3 }, (event) => events.push(event));
    loop.drop(running.id, [2, 0]);
    const { sequences } = await running.done;
    assert.deepEqual(
      sequences.map(({ finishReason, completionTokens }) => [finishReason, completionTokens]),
      [
        ["dropped", 0],
        ["length", 20],
        ["dropped", 0],
      ],
    );
    assert.deepEqual(
      events.slice(0, 3).map(({ type }) => type),
      ["start", "finish", "finish"],
    );
    assert.deepEqual(sequences[1], (await run(new EngineLoop([model], roomyLimits), { ...request, n: 2 })).sequences[1]);
    const all = start(loop, { ...request, n: 2 });
    loop.drop(all.id, [0, 1]);
    assert.equal((await all.done).ended, true);
    assert.equal((await startDropping(loop, request, 3, [0, 1, 2, 3, 4]).done).ended, true);
    assert.deepEqual([loop.stats().runningSequences, loop.stats().kvTokensReserved], [0, 0]);
  });

  test("that has ended, or never was, changes nothing", async () => {
    const loop = new EngineLoop([model], roomyLimits);
    const whole = await run(loop, request);
    let id = 0;
    const running = start(loop, request, (event) => {
      if (event.type === "finish") loop.drop(id, [event.index, 99, -1]);
    });
    ({ id } = running);
    loop.drop(123_456_789, [0]);
    assert.deepEqual((await running.done).sequences, whole.sequences);
    loop.drop(id, [0]);
    assert.equal((await run(loop, request)).ended, true);
  });

  test("leaves every answer of a busy engine as it is alone, whoever is dropped when", async () => {
    const choices = new RandomChoices(77);
    const loop = new EngineLoop([model], { ...roomyLimits, maxSequences: 16 });
    const requests = randomRequests(78, 24, { model: "tiny", vocabSize: model.info.vocabSize, longestPrompt: 150, longestAnswer: 50 }).map(
      (timed) => timed.request,
    );
    const dropped = requests.map(({ n }) => Array.from({ length: n }, (_, index) => index).filter(() => choices.chance(0.4)));
    const answers = await Promise.all(requests.map((one, at) => startDropping(loop, one, choices.integer(1, 30), dropped[at]!).done));
    for (const [at, one] of requests.entries()) {
      const alone = await run(new EngineLoop([model], roomyLimits), one);
      answers[at]!.sequences.forEach((sequence, index) => {
        if (sequence.finishReason !== "dropped") assert.deepEqual(sequence, alone.sequences[index]);
        else {
          assert.ok(dropped[at]!.includes(index));
          assert.deepEqual(sequence.tokenIds, alone.sequences[index]!.tokenIds.slice(0, sequence.tokenIds.length));
        }
      });
    }
    assert.ok(answers.some(({ sequences }) => sequences.some(({ finishReason }) => finishReason === "dropped")));
    assert.deepEqual([loop.stats().runningSequences, loop.stats().kvTokensReserved], [0, 0]);
  });

  test("is dropped through the worker as well", async () => {
    const path = join(folder, "model");
    writeTinyModel(path, { contextLength: 4096 });
    const engine = await startEngine({
      ...roomyLimits,
      models: [{ id: "tiny", path }],
      quantization: "q8",
      cacheDir: join(folder, "cache"),
      threads: 1,
      log: () => {},
    });
    try {
      const generating = engine.generate(requestFor("tiny", { n: 3, maxTokens: 2000, ignoreEos: true, sampling: sampled }));
      const collector = new AnswerCollector(3);
      for await (const event of generating) {
        collector.add(event);
        if (event.type === "delta" && event.index === 1) generating.drop([0, 1, 2]);
      }
      for (const { finishReason, completionTokens, tokenIds } of collector.answer.sequences) {
        assert.deepEqual([finishReason, completionTokens], ["dropped", tokenIds.length]);
        assert.ok(tokenIds.length < 2000);
      }
      generating.drop([0]);
    } finally {
      await engine.close();
    }
  });
});

describe("sums of log-probabilities", () => {
  const sumsOf = async (request: GenerateRequest): Promise<{ answer: Answer; sums: number[][] }> => {
    const sums: number[][] = Array.from({ length: request.n }, () => []);
    const loop = new EngineLoop([model], roomyLimits);
    const answer = await start(loop, request, (event) => {
      if (event.type === "delta" && event.logprobSum !== undefined) sums[event.index]!.push(event.logprobSum);
    }).done;
    return { answer, sums };
  };

  test("are those that logprobs tells, at any temperature, and change nothing else", async () => {
    for (const temperature of [0, 0.6, 1, 1.5]) {
      const request = requestFor("tiny", { n: 3, maxTokens: 12, ignoreEos: true, sampling: { ...plainSampling, temperature, topP: 0.9 } });
      const plain = await sumsOf(request);
      const summed = await sumsOf({ ...request, sumLogprobs: true });
      const told = await sumsOf({ ...request, logprobs: 0 });
      assert.deepEqual(plain.sums, [[], [], []]);
      assert.deepEqual(summed.answer, plain.answer);
      assert.deepEqual(
        summed.sums,
        told.answer.sequences.map(({ logprobs }) => logprobs.map(({ logprob }) => logprob)),
      );
      assert.equal(summed.sums[0]!.length, 12);
    }
  });
});

describe("a sequence whose numbers are none", () => {
  const request = requestFor("tiny", {
    n: 6,
    maxTokens: 12,
    ignoreEos: true,
    sampling: { ...plainSampling, temperature: 1, logitBias: [[50, 3]] },
    prompt: { kind: "tokens", ids: [60, 61, 62] },
    seed: 5,
  });

  test("ends alone where the request wants it so, and the others are as they would have been", async () => {
    const poisoned = await loadPoisoned(folder, 50);
    const answer = await run(new EngineLoop([poisoned], roomyLimits), { ...request, failAlone: true });
    const failed = answer.sequences.filter(({ finishReason }) => finishReason === "failed");
    assert.ok(failed.length > 0 && failed.length < 6, `${failed.length} of 6 failed`);
    for (const { tokenIds } of failed) assert.equal(tokenIds.at(-1), 50);
    for (const [index, sequence] of answer.sequences.entries()) {
      if (sequence.finishReason === "failed") continue;
      const alone = { ...request, n: 1, seed: candidateSeed(request.seed, index) };
      assert.deepEqual(sequence, (await run(new EngineLoop([poisoned], roomyLimits), alone)).sequences[0]);
    }
    const strict = await start(new EngineLoop([poisoned], roomyLimits), request).done;
    assert.ok(strict.error instanceof BonsaiError && strict.error.code === "internal");
  });

  test("ends the request when it was the last", async () => {
    const loop = new EngineLoop([await loadPoisoned(folder, 50)], roomyLimits);
    const always = { ...request, n: 3, failAlone: true, sampling: { ...request.sampling, logitBias: [[50, 100]] as [number, number][] } };
    const { error, sequences } = await start(loop, always).done;
    assert.ok(error instanceof BonsaiError && error.code === "internal");
    assert.deepEqual(
      sequences.map(({ finishReason }) => finishReason),
      ["failed", "failed", undefined],
    );
    assert.deepEqual([loop.stats().runningSequences, loop.stats().kvTokensReserved], [0, 0]);
  });
});
