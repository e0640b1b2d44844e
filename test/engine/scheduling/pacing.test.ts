/** @file Sequences that wait for decisions about them: how far they go alone, and that it changes no bit of them. */

import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { EngineLoop } from "../../../src/engine/scheduling/engine-loop.ts";
import type { Model } from "../../../src/engine/loading/model.ts";
import { plainSampling } from "../../../src/engine/sampling/sampler.ts";
import { temporaryFolder } from "../../fixtures/temporary-folder.ts";
import { requestFor, roomyLimits, run, start } from "../answers.ts";
import { loadTiny } from "../tiny-engine.ts";

const folder = temporaryFolder();
const plain = requestFor("tiny", { n: 6, maxTokens: 30, sampling: { ...plainSampling, temperature: 1.2 }, stop: ["e", "a"], seed: 4 });

let model: Model;
before(async () => {
  model = await loadTiny(folder, { contextLength: 256 }, { quantization: "q8" });
});

/** Runs others until the loop has nothing else to do. */
async function settle(loop: EngineLoop): Promise<void> {
  await run(loop, requestFor("tiny", { maxTokens: 60, ignoreEos: true }));
}

describe("a request with a pacing", () => {
  for (const maxSequences of [64, 6]) {
    test(`has as many tokens as it is let have, with ${maxSequences} rows, and the bytes of one that does not wait`, async () => {
      const loop = new EngineLoop([model], { ...roomyLimits, maxSequences });
      const request = { ...plain, stop: [], ignoreEos: true };
      const tokens = Array.from({ length: 6 }, () => 0);
      const paced = start(loop, { ...request, pacing: { tokens: 0, waitsForEnds: false } }, (event) => {
        if (event.type === "delta") tokens[event.index]!++;
      });
      for (const allowed of [0, 1, 7, 8, 20]) {
        loop.proceed(paced.id, allowed, []);
        await settle(loop);
        assert.deepEqual(
          tokens,
          tokens.map(() => allowed),
        );
      }
      loop.drop(paced.id, [2]);
      loop.proceed(paced.id, Infinity, []);
      const { sequences } = await paced.done;
      const whole = (await run(new EngineLoop([model], roomyLimits), request)).sequences;
      sequences.forEach((sequence, index) => {
        if (index === 2) assert.deepEqual([sequence.finishReason, sequence.completionTokens], ["dropped", 20]);
        else assert.deepEqual(sequence, whole[index]);
      });
      assert.deepEqual([loop.stats().runningSequences, loop.stats().kvTokensReserved], [0, 0]);
    });
  }

  test("waits one token past each end until that is settled, also where its sequences share few rows", async () => {
    const alone = (await run(new EngineLoop([model], roomyLimits), plain)).sequences;
    const lengths = alone.map(({ completionTokens }) => completionTokens!);
    assert.ok(new Set(lengths).size >= 3, `too few lengths: ${lengths.join(" ")}`);
    // Other requests take some of the rows.
    const loop = new EngineLoop([model], { ...roomyLimits, maxSequences: 7 });
    const tokens = lengths.map(() => 0);
    const ended: number[] = [];
    let unsettled: number[] = [];
    const paced = start(loop, { ...plain, pacing: { tokens: Infinity, waitsForEnds: true } }, (event) => {
      if (event.type === "delta") tokens[event.index]!++;
      else if (event.type === "finish") {
        ended.push(event.index);
        unsettled.push(event.index);
      }
      const running = tokens.filter((_, index) => !ended.includes(index));
      if (running.length > 0) assert.ok(Math.max(...running) - Math.min(...running) <= 1, tokens.join(" "));
    });
    const others = [1, 2, 3].map((seed) => start(loop, requestFor("tiny", { n: 4, seed, maxTokens: 200, ignoreEos: true })));
    while (ended.length < 6) {
      await settle(loop);
      if (unsettled.length === 0) continue;
      const shortest = Math.min(...unsettled.map((index) => lengths[index]!));
      tokens.forEach((count, index) => assert.equal(count, Math.min(lengths[index]!, shortest + 1)));
      const settled = unsettled.filter((index) => lengths[index] === shortest);
      unsettled = unsettled.filter((index) => !settled.includes(index));
      loop.proceed(paced.id, Infinity, settled);
    }
    assert.deepEqual((await paced.done).sequences, alone);
    for (const { done } of others) assert.equal((await done).ended, true);
  });
});
