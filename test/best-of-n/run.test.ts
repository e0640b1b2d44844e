/**
 * @file Best-of-N over a real engine and reward model: who wins, at what cost, at any load, and what becomes of it when
 * something goes wrong.
 */

import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { after, before, describe, test } from "node:test";
import type { RewardAnswers } from "../../src/best-of-n/reward-requests.ts";
import type { Engine, GenerateRequest } from "../../src/engine/contract/request.ts";
import { BonsaiError } from "../../src/errors/bonsai-error.ts";
import { uniform } from "../../src/random/philox.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { warningsDuring } from "../fixtures/warnings.ts";
import { candidatesOf, endless, eventsOf, outcomeOf, rewardsBy, startSmallEngine, type Outcome } from "./serving.ts";

const folder = temporaryFolder();
let engine: Engine;
before(async () => {
  engine = await startSmallEngine(folder);
});
after(() => engine.close());

/** What plain sampling gives. */
async function plain(request: GenerateRequest): Promise<{ texts: string[]; tokens: number[]; reasons: string[] }> {
  const texts = Array.from({ length: request.n }, () => "");
  const tokens = texts.map(() => 0);
  const reasons = texts.map(() => "");
  for await (const event of engine.generate(request)) {
    if (event.type === "delta") texts[event.index] += event.text;
    else if (event.type === "finish") [tokens[event.index], reasons[event.index]] = [event.completionTokens, event.reason];
  }
  return { texts, tokens, reasons };
}

/** Requests of others, until it is called. */
function load(): () => Promise<void> {
  const controller = new AbortController();
  const others = [1, 2, 3].map(async (seed) => {
    for (let round = 0; !controller.signal.aborted; round++)
      await plain(candidatesOf(seed, { seed: 100 * round + seed, maxTokens: 9 * seed }));
  });
  return async () => {
    controller.abort();
    await Promise.all(others);
  };
}

const everythingIsFree = async (): Promise<void> => {
  const busy = (): boolean => engine.stats().runningSequences + engine.stats().waitingSequences + engine.stats().scoringInputs > 0;
  for (let tries = 0; busy() && tries < 1000; tries++) {
    // A small request brings the counters up to date.
    await plain(candidatesOf(1, { maxTokens: 1 }));
    await sleep(5);
  }
  assert.equal(busy(), false, JSON.stringify(engine.stats()));
};

/** What must be the same at any load: everything but the time. */
const essence = ({ texts, reasons, completionTokens, report }: Outcome): object => ({
  texts,
  reasons,
  completionTokens,
  report: { ...report, timings: undefined },
});

/** The reward model, whose scores come late by up to 40 ms, each time anew. */
function late(seed: number): RewardAnswers {
  let draws = 0;
  return async (answers, signal) => {
    const rewards = await rewardsBy(engine)(answers, signal);
    await sleep(40 * uniform(seed, draws++), undefined, { signal });
    return rewards;
  };
}

describe("the best of N", () => {
  test("are the candidates of plain sampling in the order of the rewards that the reward model gives them", async () => {
    const request = candidatesOf(6);
    const sampled = await plain(request);
    const expected = await rewardsBy(engine)(sampled.texts, new AbortController().signal);
    const { texts, report, completionTokens, order, reasons } = await outcomeOf(engine, request, { options: { returned: 2 } });
    const best = [...sampled.texts.keys()]
      .filter((index) => sampled.texts[index]!.trim() !== "")
      .toSorted((one, other) => expected[other]! - expected[one]! || one - other);
    assert.deepEqual(texts, [sampled.texts[best[0]!], sampled.texts[best[1]!]]);
    assert.deepEqual(reasons, [sampled.reasons[best[0]!], sampled.reasons[best[1]!]]);
    assert.deepEqual(
      report.candidates.slice(0, best.length).map(({ index, score, tokens }) => ({ index, score, tokens })),
      best.map((index) => ({ index, score: expected[index], tokens: sampled.tokens[index] })),
    );
    const total = sampled.tokens.reduce((sum, tokens) => sum + tokens, 0);
    assert.deepEqual([report.tokensGenerated, completionTokens, report.sampled, report.finished], [total, total, 6, 6]);
    assert.equal(report.tokensReturned, sampled.tokens[best[0]!]! + sampled.tokens[best[1]!]!);
    assert.deepEqual(order, ["start", "delta", "finish", "delta", "finish", "chosen", "end"]);
    await everythingIsFree();
  });

  test("of one is plain sampling; each candidate alone, by its stated seed, is the candidate in the group, under load as well", async () => {
    const one = await outcomeOf(engine, candidatesOf(1));
    assert.deepEqual(one.texts, (await plain(candidatesOf(1))).texts);
    const stop = load();
    const group = await outcomeOf(engine, candidatesOf(5));
    await Promise.all(
      group.report.candidates.map(async ({ seed, text, score }) => {
        const alone = await outcomeOf(engine, candidatesOf(1, { seed }));
        assert.deepEqual([alone.texts[0], alone.report.candidates[0]!.score], [text, score]);
        assert.deepEqual((await plain(candidatesOf(1, { seed }))).texts, [text]);
      }),
    );
    await stop();
    assert.deepEqual(essence(group), essence(await outcomeOf(engine, candidatesOf(5))));
    await everythingIsFree();
  });

  test("has the same winner, texts and counts at any load, however late scores come, when it prunes, stops at a target or draws softly", async () => {
    const request = candidatesOf(8, { maxTokens: 40, ignoreEos: true });
    const stages = [
      { tokens: 8, keep: 0.5 },
      { tokens: 16, keep: 0.5 },
    ];
    const variants = [
      { stages },
      { stages, options: { strategy: "soft", softTemperature: 0.5 } },
      { stages, options: { returned: 3, sampleCost: 0.3 } },
      { options: { targetReward: -0.5 } },
      { options: { sampleCost: 0.2 } },
      { stages, options: { strategy: "logprob", rewardModel: undefined } },
      { options: { strategy: "majority", rewardModel: undefined } },
      { options: { strategy: "mbr", rewardModel: undefined, returned: 3 } },
    ] as const;
    const varied = candidatesOf(8, { maxTokens: 40 });
    for (const variant of variants) {
      const own = "stages" in variant ? request : varied;
      const alone = await outcomeOf(engine, own, variant);
      const stop = load();
      const busy = await Promise.all([outcomeOf(engine, own, variant), outcomeOf(engine, own, variant)]);
      await stop();
      const delayed = [];
      for (const seed of [1, 2, 3]) delayed.push(await outcomeOf(engine, own, { ...variant, answers: late(seed) }));
      for (const one of [...busy, ...delayed]) assert.deepEqual(essence(one), essence(alone), JSON.stringify(variant));
      if ("stages" in variant) {
        const kept = "options" in variant && "returned" in variant.options ? 3 : 2;
        assert.deepEqual([alone.report.pruned, alone.report.finished], [8 - kept, kept]);
        assert.ok(alone.report.tokensSaved > 0);
        assert.ok(alone.report.candidates.slice(kept).every(({ end }) => end === "pruned"));
        // A dropped candidate has the one token that shows that it went on past its stage.
        assert.equal(alone.report.tokensGenerated, 4 * 9 + (4 - kept) * 17 + kept * 40);
      }
    }
    await everythingIsFree();
  });

  test("scores answers that are the same once", async () => {
    const asked: string[] = [];
    const reward: RewardAnswers = (answers, signal) => {
      asked.push(...answers);
      return rewardsBy(engine)(answers, signal);
    };
    const greedy = candidatesOf(5, { sampling: { ...candidatesOf(1).sampling, temperature: 0 } });
    const { report, texts } = await outcomeOf(engine, greedy, { answers: reward });
    assert.deepEqual(asked, texts);
    assert.equal(new Set(report.candidates.map(({ score }) => score)).size, 1);
    assert.equal(report.candidates[0]!.index, 0);
  });

  test("asks for the scores of one step in one batch, and waits for them while others decode", async () => {
    const batches: number[] = [];
    let meanwhile = Infinity;
    const reward: RewardAnswers = async (answers, signal) => {
      batches.push(answers.length);
      if (batches.length === 1) {
        const tokensBefore = engine.stats().generatedTokens;
        await plain(candidatesOf(2, { seed: 77, maxTokens: 30, ignoreEos: true }));
        meanwhile = engine.stats().generatedTokens - tokensBefore - 2 * 30;
      }
      return rewardsBy(engine)(answers, signal);
    };
    const { report } = await outcomeOf(engine, candidatesOf(6, { maxTokens: 40, ignoreEos: true }), {
      answers: reward,
      stages: [{ tokens: 4, keep: 0.5 }],
    });
    assert.deepEqual([batches[0], report.pruned], [6, 3]);
    // They may have had no more than the one token that shows that they went on.
    assert.ok(meanwhile <= 6, `${meanwhile} tokens`);
    await everythingIsFree();
  });

  test("by log-probability has the highest mean of what logprobs tells", async () => {
    const request = candidatesOf(5, { sampling: { ...candidatesOf(1).sampling, temperature: 0.8 } });
    const sums = Array.from({ length: 5 }, () => ({ sum: 0, count: 0 }));
    for await (const event of engine.generate({ ...request, logprobs: 0 })) {
      if (event.type !== "delta") continue;
      for (const { logprob } of event.logprobs ?? []) {
        sums[event.index]!.sum += logprob;
        sums[event.index]!.count++;
      }
    }
    const { report } = await outcomeOf(engine, request, { options: { strategy: "logprob", rewardModel: undefined } });
    for (const { index, score } of report.candidates) {
      if (score !== undefined) assert.ok(Math.abs(score - sums[index]!.sum / sums[index]!.count) < 1e-12);
    }
    const scores = report.candidates.map(({ score }) => score ?? -Infinity);
    assert.deepEqual(
      scores,
      scores.toSorted((one, other) => other - one),
    );
  });

  test("by knockout goes by the judge, whose failure is that of a reward model", async () => {
    const request = candidatesOf(5);
    const longest = async (first: string, second: string): Promise<1 | 0 | -1> => Math.sign(first.length - second.length) as 1 | 0 | -1;
    const { report, texts } = await outcomeOf(engine, request, { options: { strategy: "knockout" }, compare: longest });
    assert.equal(texts[0]!.length, Math.max(...report.candidates.map(({ text }) => (text.trim() === "" ? 0 : text.length))));
    assert.equal(report.candidates[0]!.score, 1);
    const broken = async (): Promise<1> => {
      throw new BonsaiError("engine_failed", "The judge is gone.");
    };
    await assert.rejects(outcomeOf(engine, request, { options: { strategy: "knockout" }, compare: broken }), /The judge is gone/);
    const fallen = await outcomeOf(engine, request, { options: { strategy: "knockout", rewardFallback: "first" }, compare: broken });
    assert.deepEqual([fallen.report.fallback, fallen.report.candidates[0]!.index], ["first", 0]);
  });

  test("by knockout of 32, whose comparisons all listen for the end, warns of nothing", async () => {
    const first = async (_: string, __: string, signal: AbortSignal): Promise<1> => sleep(1, 1, { signal });
    const warnings = await warningsDuring(async () => {
      const { report } = await outcomeOf(engine, candidatesOf(32, { maxTokens: 4 }), { options: { strategy: "knockout" }, compare: first });
      assert.equal(report.sampled, 32);
    });
    assert.deepEqual(warnings, []);
  });

  test("by knockout without a judge is the best by rewards, and a reward model that fails for every answer fails the request", async () => {
    const request = candidatesOf(5);
    const best = await outcomeOf(engine, request);
    const { texts, report } = await outcomeOf(engine, request, { options: { strategy: "knockout" } });
    assert.deepEqual([texts, report.candidates[0]!.score], [best.texts, 1]);
    const none: RewardAnswers = async () => {
      throw new BonsaiError("internal", "The model gave NaN.");
    };
    await assert.rejects(outcomeOf(engine, request, { options: { strategy: "knockout" }, answers: none }), /NaN/);
  });
});

describe("a stream", () => {
  test("of progress tells of all candidates, then of the winner", async () => {
    const { order, progress, report, texts } = await outcomeOf(engine, candidatesOf(4, { maxTokens: 60 }), {
      options: { stream: "progress" },
    });
    assert.equal(order[0], "progress");
    assert.deepEqual(order.slice(-2), ["chosen", "end"]);
    for (const candidates of progress) assert.equal(candidates.length, 4);
    assert.deepEqual(
      progress[0]!.map(({ tokens, state }) => [tokens, state]),
      Array.from({ length: 4 }, () => [0, "running"]),
    );
    assert.equal(texts[0], report.candidates[0]!.text);
  });

  test("of candidates tells of each as it grows, and counts every token once", async () => {
    // Long enough that no candidate comes to its end before it is dropped, however late the scores are.
    const request = { ...endless(4), maxTokens: 600 };
    const { texts, order, report, reasons, completionTokens } = await outcomeOf(engine, request, {
      options: { stream: "candidates" },
      stages: [{ tokens: 5, keep: 0.5 }],
    });
    assert.equal(order.filter((type) => type === "start").length, 1);
    for (const { index, text, end } of report.candidates) {
      assert.ok(texts[index]!.startsWith(text));
      assert.equal(reasons[index], end === "pruned" ? "dropped" : end);
    }
    assert.equal(completionTokens, report.tokensGenerated);
  });

  test("takes no event from the engine before the client has read the one before", async () => {
    let [observed, read] = [0, 0];
    const run = { options: { stream: "candidates" as const }, observe: () => void observed++ };
    for await (const _ of eventsOf(engine, endless(4), run)) {
      assert.equal(observed, ++read);
      if (read % 50 === 0) await sleep(10);
      if (read === 200) break;
    }
    await everythingIsFree();
  });
});

describe("what goes wrong", () => {
  const down: RewardAnswers = async () => {
    throw new BonsaiError("engine_failed", "The reward model is gone.");
  };

  test("with the reward model is the error, or the fallback that the request names", async () => {
    const request = candidatesOf(5, { maxTokens: 30, ignoreEos: true });
    const stages = [{ tokens: 4, keep: 0.5 }];
    await assert.rejects(outcomeOf(engine, request, { answers: down, stages }), /The reward model is gone/);
    await everythingIsFree();
    const first = await outcomeOf(engine, request, { answers: down, stages, options: { rewardFallback: "first" } });
    assert.deepEqual([first.report.fallback, first.report.candidates[0]!.index, first.report.pruned], ["first", 0, 0]);
    const likeliest = await outcomeOf(engine, request, { answers: down, options: { rewardFallback: "logprob" } });
    const legacy = await outcomeOf(engine, request, { options: { strategy: "logprob", rewardModel: undefined } });
    assert.deepEqual(likeliest.texts, legacy.texts);
    assert.equal(likeliest.report.fallback, "logprob");
    assert.deepEqual(likeliest.report.candidates, legacy.report.candidates);
  });

  test("with one answer's score keeps that answer from winning and fails no other", async () => {
    const request = candidatesOf(5);
    const usual = await outcomeOf(engine, request);
    const poisoned = usual.texts[0]!;
    const some: RewardAnswers = async (answers, signal) => {
      if (answers.includes(poisoned)) throw new BonsaiError("internal", "The model gave NaN.");
      return rewardsBy(engine)(answers, signal);
    };
    const notFinite: RewardAnswers = async (answers, signal) =>
      (await rewardsBy(engine)(answers, signal)).map((reward, at) => (answers[at] === poisoned ? Infinity : reward));
    for (const answers of [some, notFinite]) {
      const { texts, report } = await outcomeOf(engine, request, { answers });
      assert.equal(texts[0], usual.report.candidates[1]!.text);
      assert.equal(report.candidates.find(({ text }) => text === poisoned)!.score, undefined);
    }
    const none: RewardAnswers = async () => {
      throw new BonsaiError("internal", "The model gave NaN.");
    };
    await assert.rejects(outcomeOf(engine, request, { answers: none }), /NaN/);
    assert.equal(
      (await outcomeOf(engine, request, { answers: none, options: { rewardFallback: "first" } })).report.candidates[0]!.index,
      0,
    );
  });

  test("with a candidate's numbers keeps it from winning and fails no other", async () => {
    const sampling = { ...candidatesOf(1).sampling, logitBias: [[50, 3]] as [number, number][] };
    const request = candidatesOf(6, {
      model: "poisoned",
      prompt: { kind: "tokens", ids: [60, 61, 62] },
      sampling,
      maxTokens: 10,
      ignoreEos: true,
    });
    const { report, reasons } = await outcomeOf(engine, request);
    assert.ok(report.failed > 0 && report.failed < 6, `${report.failed} failed`);
    assert.deepEqual([reasons, report.finished], [["length"], 6 - report.failed]);
    assert.ok(report.candidates.slice(-report.failed).every(({ end, score }) => end === "failed" && score === undefined));
    const all = { ...request, sampling: { ...sampling, logitBias: [[50, 100]] as [number, number][] } };
    await assert.rejects(outcomeOf(engine, all), (error: unknown) => error instanceof BonsaiError && error.code === "internal");
    await everythingIsFree();
  });

  test("with a busy reward model is waited for", async () => {
    let refusals = 3;
    const busy: RewardAnswers = async (answers, signal) => {
      if (refusals-- > 0) throw new BonsaiError("overloaded", "The queue is full.", { retryAfterSeconds: 1 });
      return rewardsBy(engine)(answers, signal);
    };
    const { texts } = await outcomeOf(engine, candidatesOf(3), { answers: busy });
    assert.deepEqual(texts, (await outcomeOf(engine, candidatesOf(3))).texts);
  });

  test("with the client, who leaves at any moment, frees everything", async () => {
    const request = endless(8);
    for (const leaveAt of [0, 1, 30, 200]) {
      let events = 0;
      for await (const event of eventsOf(engine, request, { options: { stream: "candidates" } })) {
        assert.notEqual(event.type, "chosen");
        if (++events > leaveAt) break;
      }
      await everythingIsFree();
    }
    const controller = new AbortController();
    const hanging: RewardAnswers = async (_, signal) => {
      controller.abort(new BonsaiError("cancelled", "The client left."));
      await sleep(60_000, undefined, { signal });
      return [];
    };
    const outcome = outcomeOf(engine, candidatesOf(3), { answers: hanging, signal: controller.signal });
    await assert.rejects(outcome, /The client left/);
    const early = new AbortController();
    early.abort(new BonsaiError("cancelled", "Gone before."));
    await assert.rejects(outcomeOf(engine, candidatesOf(3), { signal: early.signal }), /Gone before/);
    await everythingIsFree();
  });

  test("with N, that the server could never take, is told of best_of", async () => {
    await assert.rejects(
      outcomeOf(engine, candidatesOf(65)),
      (error: unknown) =>
        error instanceof BonsaiError && error.code === "request_too_large" && error.param === "best_of" && /64/.test(error.message),
    );
  });
});

describe("a deadline", () => {
  test("gives the best of what there is, cut where it was, scored", async () => {
    const asked: string[] = [];
    const reward: RewardAnswers = async (answers) => {
      asked.push(...answers);
      return answers.map(({ length }) => -length);
    };
    const run = { answers: reward, options: { deadlineMs: 2000 } };
    const { texts, report, reasons, completionTokens } = await outcomeOf(engine, endless(4), run);
    assert.deepEqual([reasons, report.deadlineHit, report.finished], [["dropped"], true, 0]);
    assert.ok(report.candidates.every(({ end, tokens }) => end === "deadline" && tokens > 0 && tokens < 4000));
    assert.deepEqual(new Set(asked), new Set(report.candidates.map(({ text }) => text)));
    assert.equal(report.candidates[0]!.score, -Math.min(...asked.map(({ length }) => length)));
    assert.equal(texts[0], report.candidates[0]!.text);
    assert.equal(completionTokens, report.tokensGenerated);
    await everythingIsFree();
  });

  test("ends a judge's comparisons, and those that are left go to the lower index", async () => {
    const hanging = async (_: string, __: string, signal: AbortSignal): Promise<1> => sleep(60_000, 1, { signal });
    const { report } = await outcomeOf(engine, candidatesOf(4, { maxTokens: 4, ignoreEos: true }), {
      options: { strategy: "knockout", deadlineMs: 1500 },
      compare: hanging,
    });
    const competing = report.candidates.filter(({ score }) => score !== undefined).map(({ index }) => index);
    assert.deepEqual([report.deadlineHit, competing[0]], [true, Math.min(...competing)]);
    await everythingIsFree();
  });

  test("that passes before anything began gives an empty answer, and with a reward model that hangs one without a reward", async () => {
    const nothing = await outcomeOf(engine, endless(4), { options: { deadlineMs: 1 } });
    assert.deepEqual(
      [nothing.texts.length, nothing.reasons, nothing.report.deadlineHit, nothing.report.finished],
      [1, ["dropped"], true, 0],
    );
    const hanging: RewardAnswers = async (_, signal) => {
      await sleep(60_000, undefined, { signal });
      return [];
    };
    const unscored = await outcomeOf(engine, candidatesOf(3, { maxTokens: 4, ignoreEos: true }), {
      answers: hanging,
      options: { deadlineMs: 1500 },
    });
    assert.equal(unscored.report.deadlineHit, true);
    assert.equal(unscored.report.candidates[0]!.score, undefined);
    await everythingIsFree();
  });
});
