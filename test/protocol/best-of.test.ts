/** @file `best_of` and `best_of_options`: what they ask for, what is refused by name, and N in a model's name. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { strategies } from "../../src/protocol/wire/best-of-request.ts";
import { BonsaiError } from "../../src/errors/bonsai-error.ts";
import { checkStrategy, parseBestOfAlias, toBestOfRequest, toldAnswers } from "../../src/protocol/mapping/best-of-request.ts";
import type { BestOfFields } from "../../src/protocol/wire/best-of-request.ts";

const refuses = (run: () => unknown, param: string, message = /./): void => {
  assert.throws(
    run,
    (error: unknown) =>
      error instanceof BonsaiError && error.code === "invalid_request" && error.param === param && message.test(error.message),
  );
};

test("without best_of, or with one that leaves nothing to choose, a request is plain sampling", () => {
  const plain: BestOfFields[] = [{}, { n: 3 }, { best_of: null, best_of_options: null }, { best_of: 1 }, { n: 4, best_of: 4 }];
  for (const fields of plain) assert.equal(toBestOfRequest(fields, undefined), undefined);
});

test("more candidates than answers, options, or a name ask for a choice", () => {
  assert.deepEqual(toBestOfRequest({ best_of: 4 }, undefined), {
    candidates: 4,
    options: {
      strategy: undefined,
      rewardModel: undefined,
      judgeModel: undefined,
      returned: 1,
      softTemperature: 1,
      voteOn: "text",
      prune: "off",
      deadlineMs: undefined,
      targetReward: undefined,
      sampleCost: undefined,
      rewardFallback: "error",
      stream: "winner",
    },
    returnCandidates: false,
    given: [],
  });
  assert.equal(toBestOfRequest({ best_of: 1, best_of_options: {} }, undefined)?.candidates, 1);
  assert.equal(toBestOfRequest({ n: 2 }, 8)?.candidates, 8);
  assert.equal(toBestOfRequest({ best_of: 8 }, 8)?.candidates, 8);
});

test("every option reaches the choice", () => {
  const request = toBestOfRequest(
    {
      n: 2,
      stream: true,
      best_of: 8,
      best_of_options: {
        reward_model: "rm",
        strategy: "soft",
        soft_temperature: 0.5,
        prune: [
          { at: 0.25, keep: 0.5 },
          { at: 0.5, keep: 0.5 },
        ],
        deadline_ms: 2000,
        target_reward: 1.5,
        sample_cost: 0.1,
        reward_fallback: "logprob",
        stream: "candidates",
        return_candidates: true,
        vote_on: null,
      },
    },
    undefined,
  );
  assert.deepEqual(request?.options, {
    strategy: "soft",
    rewardModel: "rm",
    judgeModel: undefined,
    returned: 2,
    softTemperature: 0.5,
    voteOn: "text",
    prune: [
      { at: 0.25, keep: 0.5 },
      { at: 0.5, keep: 0.5 },
    ],
    deadlineMs: 2000,
    targetReward: 1.5,
    sampleCost: 0.1,
    rewardFallback: "logprob",
    stream: "candidates",
  });
  assert.equal(request?.returnCandidates, true);
  assert.equal(request?.given.includes("vote_on"), false);
  assert.deepEqual([toldAnswers({ n: 2 }, request), toldAnswers({ n: 2 }, undefined), toldAnswers({}, undefined)], [8, 2, 1]);
});

test("a contradiction is refused by the name of the field", () => {
  refuses(() => toBestOfRequest({ n: 3, best_of: 2 }, undefined), "best_of", /at least n, 3/);
  refuses(() => toBestOfRequest({ best_of: 4 }, 8), "best_of", /model's name asks for 8/);
  refuses(() => toBestOfRequest({ n: 9 }, 8), "best_of");
  refuses(() => toBestOfRequest({ best_of_options: {} }, undefined), "best_of", /needs best_of/);
  refuses(
    () => toBestOfRequest({ best_of: 4, best_of_options: { stream: "winner" } }, undefined),
    "best_of_options.stream",
    /stream: true/,
  );
  const prune = [
    { at: 0.5, keep: 0.5 },
    { at: 0.25, keep: 0.5 },
  ];
  refuses(() => toBestOfRequest({ best_of: 4, best_of_options: { prune } }, undefined), "best_of_options.prune[1].at", /more than/);
});

test("an option that means nothing to the strategy is refused, and the strategies that it belongs to are named", () => {
  refuses(() => checkStrategy(["vote_on"], "max"), "best_of_options.vote_on", /belongs to majority/);
  refuses(() => checkStrategy(["deadline_ms", "prune"], "mbr"), "best_of_options.prune", /max, soft, logprob/);
  refuses(() => checkStrategy(["sample_cost"], "logprob"), "best_of_options.sample_cost");
  refuses(() => checkStrategy(["reward_model"], "majority"), "best_of_options.reward_model");
  for (const strategy of strategies) checkStrategy(["strategy", "deadline_ms", "stream", "return_candidates"], strategy);
  checkStrategy(["reward_model", "prune", "target_reward", "sample_cost", "reward_fallback"], "max");
  checkStrategy(["judge_model"], "knockout");
});

test("a model's name may end in the number of candidates", () => {
  assert.deepEqual(parseBestOfAlias("bear:bo8"), { model: "bear", candidates: 8 });
  assert.deepEqual(parseBestOfAlias("org/bear:v1:bo16"), { model: "org/bear:v1", candidates: 16 });
  for (const name of ["bear", "bear:bo", "bear:bo0", "bear:bo08", ":bo8", "bear:bo-1", "bear:bo1.5", "bear:bo8x", "bear:bo12345678"])
    assert.equal(parseBestOfAlias(name), undefined, name);
});
