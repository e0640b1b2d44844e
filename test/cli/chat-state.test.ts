/** @file The commands of a conversation in the terminal, and the requests that follow from them. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { boardLines, boardSummary, CandidateBoard } from "../../src/cli/terminal/candidate-board.ts";
import { withoutControls } from "../../src/cli/commands/chat.ts";
import { isCommand, obey, requestBody, type ChatState } from "../../src/cli/terminal/chat-state.ts";
import type { BestOf } from "../../src/protocol/wire/best-of-response.ts";

const served = ["teddy-sft", "teddy-base"];
const begun: ChatState = {
  settings: {
    model: "teddy-sft",
    system: undefined,
    bestOf: 1,
    rewardModel: undefined,
    strategy: undefined,
    temperature: undefined,
    maxTokens: undefined,
    seed: undefined,
  },
  history: [
    { role: "user", content: "Hello" },
    { role: "assistant", content: "Hi" },
  ],
};

describe("a command of the conversation", () => {
  test("changes the requests that follow", () => {
    const lines = [
      "/model teddy-base",
      "/best 8",
      "/reward teddy-rm",
      "/strategy soft",
      "/system Be kind.",
      "/temperature 0.5",
      "/max-tokens 9",
      "/seed 7",
    ];
    const state = lines.reduce((before, line) => obey(line, before, served).state, begun);
    assert.deepEqual(requestBody(state), {
      model: "teddy-base",
      messages: [{ role: "system", content: "Be kind." }, ...begun.history],
      best_of: 8,
      best_of_options: { reward_model: "teddy-rm", strategy: "soft" },
      temperature: 0.5,
      max_tokens: 9,
      seed: 7,
    });
    const back = ["/best", "/reward", "/strategy", "/system", "/temperature", "/max-tokens", "/seed", "/model teddy-sft"];
    assert.deepEqual(
      back.reduce((before, line) => obey(line, before, served).state, state),
      begun,
    );
    assert.deepEqual(requestBody(begun), { model: "teddy-sft", messages: begun.history });
  });

  test("takes back, clears and leaves", () => {
    assert.deepEqual(obey("/undo", begun, served).state.history, []);
    assert.deepEqual(obey("/clear", begun, served).state.history, []);
    assert.equal(obey("/history", begun, served).say, "user: Hello\nassistant: Hi");
    assert.deepEqual(
      ["/exit", "/help", "/model"].map((line) => obey(line, begun, served).leaves),
      [true, false, false],
    );
    assert.match(obey("/model", begun, served).say, /^\* teddy-sft\n {2}teddy-base$/);
  });

  test("that makes no sense says what would, and changes nothing", () => {
    for (const [line, say] of [
      ["/modle", /no command \/modle\. Did you mean/],
      ["/model teddy-bas", /teddy-base/],
      ["/best 0", /whole number of at least 1/],
      ["/best 1.5", /whole number/],
      ["/seed -1", /at least 0/],
      ["/temperature warm", /number of at least 0/],
      ["/strategy worst", /max, soft/],
      ["/", /no command/],
    ] as const) {
      const result = obey(line, begun, served);
      assert.match(result.say, say, line);
      assert.deepEqual(result.state, begun, line);
    }
    assert.ok(isCommand("/help") && !isCommand("What is 1/2?"));
  });
});

describe("the board of candidates", () => {
  const progress = {
    phase: "sampling" as const,
    candidates: [
      { index: 0, tokens: 41, state: "running" as const },
      { index: 1, tokens: 16, state: "stop" as const, reward: 0.5 },
      { index: 2, tokens: 8, state: "pruned" as const, reward: -1.25 },
    ],
  };

  test("has a line for each, the best first, none wider than the terminal", () => {
    assert.deepEqual(boardLines(progress, 80), [
      "    1 stop         0.50    16 ##",
      "    2 pruned      -1.25     8 #",
      "    0 running              41 ######",
    ]);
    for (const columns of [1, 10, 31, 40]) for (const line of boardLines(progress, columns)) assert.ok(line.length < columns);
    const many = { ...progress, candidates: Array.from({ length: 40 }, (_, index) => ({ index, tokens: 1, state: "running" as const })) };
    assert.deepEqual([boardLines(many, 80).length, boardLines(many, 80).at(-1)], [17, "  and 24 more"]);
  });

  test("draws over itself on a terminal, and nothing elsewhere", () => {
    for (const isTTY of [true, false]) {
      let written = "";
      const board = new CandidateBoard({ isTTY, columns: 80, write: (text) => (written += text) });
      board.draw(progress);
      board.draw({ ...progress, candidates: progress.candidates.slice(0, 1) });
      board.erase();
      board.erase();
      assert.equal(written.split("\u001B[3A\u001B[J").length - 1, isTTY ? 1 : 0);
      assert.equal(written.endsWith("\u001B[1A\u001B[J"), isTTY);
    }
  });

  test("comes to one line that says what was chosen among what", () => {
    const report = {
      reward_model: "teddy-rm",
      strategy: "max",
      sampled: 3,
      tokens_generated: 65,
      rewards: [
        { index: 1, reward: 0.5 },
        { index: 2, reward: -1.25 },
        { index: 0, reward: null },
      ],
    } as unknown as BestOf;
    assert.equal(boardSummary(report), "[best of 3 by max of teddy-rm: candidate 1 with 0.50, before -1.25, none; 65 tokens]");
    assert.equal(boardSummary({ ...report, reward_model: null, strategy: "mbr", rewards: [] }), "[best of 3 by mbr; 65 tokens]");
  });
});

test("a model's text moves no cursor", () => {
  assert.equal(withoutControls("a\u001B[2Jb\r\nc\td\u009B1me\u0000ë🧵"), "a[2Jb\nc\td1meë🧵");
});
