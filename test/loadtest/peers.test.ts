/**
 * @file Tests that other engines are found or passed over with what to do, asked the same, and shown only where they
 * were measured.
 */

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { findPeers, peerCandidates, type Peer } from "../../loadtest/peers/peers.ts";
import { KeptResults } from "../../loadtest/kept-results.ts";
import { plans } from "../../loadtest/plan.ts";
import { heldOutPrompt } from "../../loadtest/prompts.ts";
import { peersChapter } from "../../loadtest/report/peers-chapter.ts";
import { runScenarios } from "../../loadtest/run-scenarios.ts";
import { peersId, peersScenario, type PeersResult } from "../../loadtest/scenarios/peers.ts";
import { defaultModelsFolder } from "../../src/catalog/project-root.ts";
import { startAnswerProcess, type AnswerProcess } from "../../loadtest/peers/answer-process.ts";
import { findGenai, startGenai } from "../../loadtest/peers/genai.ts";
import { findTransformersJs, startTransformersJs } from "../../loadtest/peers/transformers-js.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";

const folder = temporaryFolder();

describe("other engines", () => {
  const variables = ["BONSAI_LLAMA_BIN", "BONSAI_GENAI_PYTHON", "BONSAI_SMOLLM2_ONNX", "BONSAI_TRANSFORMERS_JS"];
  let before: (string | undefined)[] = [];
  beforeEach(() => {
    before = variables.map((name) => process.env[name]);
    for (const name of variables) delete process.env[name];
  });
  afterEach(() => {
    for (const [place, name] of variables.entries()) {
      const value = before[place];
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  });

  it("are passed over where the environment names none, each with the variable that would name it", () => {
    const lines: string[] = [];
    assert.deepEqual(
      findPeers((line) => lines.push(line)),
      [],
    );
    assert.equal(lines.length, 3);
    for (const name of ["BONSAI_LLAMA_BIN", "BONSAI_GENAI_PYTHON", "BONSAI_TRANSFORMERS_JS"])
      assert.ok(
        lines.some((line) => line.includes(`set ${name} to`)),
        name,
      );
  });

  it("are refused where the environment names a place without them", () => {
    process.env["BONSAI_TRANSFORMERS_JS"] = folder;
    assert.throws(() => findPeers(() => {}), /BONSAI_TRANSFORMERS_JS: .*@huggingface\/transformers\/package\.json does not exist/);
  });
});

describe("the comparison with other engines", () => {
  const asked: [string, number][] = [];
  const stopped: string[] = [];
  const peer = (name: string): Peer => ({
    name,
    version: "1",
    way: "At once",
    start: async () => ({
      answers: async (_question, count) => {
        asked.push([name, count]);
        return Array.from({ length: count }, (_, index) => `Brush it gently, ${index} times.`);
      },
      stop: async () => void stopped.push(name),
    }),
  });

  it("asks each for one answer and for as many as ours, in every round, ranks what comes, and stops them", async () => {
    const plan = { ...plans.quick, peerRounds: 2 };
    const { signal } = new AbortController();
    const kept = new KeptResults(join(folder, "kept"), "this run");
    const scenario = peersScenario([peer("one"), peer("other")], join(defaultModelsFolder(), "teddy-sft"));
    const settings = { plan, prompts: [heldOutPrompt(0)], signal, kept, say: () => {}, fromSource: true };
    const result = (await runScenarios([scenario], settings)).get(peersId) as PeersResult;
    assert.deepEqual(
      [result.single, result.bestOf, result.pruned].map((times) => times.length),
      [2, 2, 2],
    );
    assert.deepEqual(
      result.peers.map(({ name, single, bestOf }) => [name, single.length, bestOf.length]),
      [
        ["one", 2, 2],
        ["other", 2, 2],
      ],
    );
    const round = [1, peerCandidates].flatMap((count) => [
      ["one", count],
      ["other", count],
    ]);
    assert.deepEqual(asked, [["one", 1], ["other", 1], ...round, ...round]);
    assert.deepEqual(stopped, ["one", "other"]);
  });

  it("shows those that were measured and no others, with times as parts of ours", () => {
    const peers = [{ name: "one", way: "At once", single: [100, 300], bestOf: [600, 600] }];
    const { tables, about } = peersChapter({ single: [100, 100], bestOf: [200, 300], pruned: [100, 150], peers });
    const { rows } = tables[0]!;
    assert.deepEqual(
      rows.map(([who, , ofOne, ofOurs]) => [who, ofOne, ofOurs]),
      [
        ["bonsai, one answer", null, 1],
        ["one, one answer", null, 2],
        ["bonsai, best of 16", 2.5, 1],
        ["bonsai, best of 16, pruned", 1.25, 0.5],
        ["one, 16 answers and rerank", 4, 2.5],
      ],
    );
    assert.match(about, /^At once: one\.$/m);
  });
});

describe("an engine in a process of its own", () => {
  const program = (name: string, source: string): string => {
    const path = join(folder, `${name}.mjs`);
    writeFileSync(path, source);
    return path;
  };

  it("is asked by lines of JSON and answers by them, whatever else it prints", async () => {
    const echo = program(
      "echo",
      `import { createInterface } from "node:readline";
       console.log("Loading"); console.log(JSON.stringify({ ready: true }));
       for await (const line of createInterface({ input: process.stdin })) {
         const { question, count, tokens, seed } = JSON.parse(line);
         console.log("thinking");
         console.log(JSON.stringify({ texts: Array(count).fill([question, tokens, seed].join("/")) }));
       }`,
    );
    const peer = await startAnswerProcess(process.execPath, [echo]);
    assert.deepEqual(await peer.answers({ question: "a\nb", count: 2, tokens: 8, seed: 3 }), ["a\nb/8/3", "a\nb/8/3"]);
    assert.deepEqual(await peer.answers({ question: "again", count: 1, tokens: 1, seed: 1 }), ["again/1/1"]);
    await peer.stop();
    await assert.rejects(peer.answers({ question: "gone", count: 1, tokens: 1, seed: 1 }), /ended/);
  });

  it("that ends while it loads or answers is told with its last words", async () => {
    const broken = program("broken", `console.error("no such model"); process.exit(3);`);
    await assert.rejects(startAnswerProcess(process.execPath, [broken]), /ended \(3\):\nno such model/);
    const brittle = program(
      "brittle",
      `console.log("{}"); process.stdin.once("data", () => { console.error("out of memory"); process.exit(4); });`,
    );
    const peer = await startAnswerProcess(process.execPath, [brittle]);
    await assert.rejects(peer.answers({ question: "a", count: 1, tokens: 1, seed: 1 }), /ended \(4\):\nout of memory/);
    await peer.stop();
  });

  const wanted = { question: "What is the capital of France?", count: 2, tokens: 6, seed: 1 };
  const givesSampledTexts = async (peer: AnswerProcess): Promise<void> => {
    const texts = await peer.answers(wanted);
    await peer.stop();
    assert.equal(new Set(texts).size, wanted.count);
  };
  const genai = findGenai(() => {});
  it(
    "gives texts that were sampled for themselves: onnxruntime-genai",
    { skip: genai === undefined && "needs BONSAI_GENAI_PYTHON and BONSAI_SMOLLM2_ONNX" },
    async () => givesSampledTexts(await startGenai(genai!)),
  );

  const transformersJs = findTransformersJs(() => {});
  it(
    "gives texts that were sampled for themselves: transformers.js",
    { skip: transformersJs === undefined && "needs BONSAI_TRANSFORMERS_JS and BONSAI_SMOLLM2_ONNX" },
    async () => givesSampledTexts(await startTransformersJs(transformersJs!)),
  );
});
