/**
 * @file The key/value memory of a busy engine, counted where it is allocated, never passes what its requests have
 * reserved.
 */

import assert from "node:assert/strict";
import { after, before, describe, mock, test } from "node:test";
import { EngineLoop } from "../../../src/engine/scheduling/engine-loop.ts";
import type { Model } from "../../../src/engine/loading/model.ts";
import { temporaryFolder } from "../../fixtures/temporary-folder.ts";
import { answerUnderLoad } from "../answer-under-load.ts";
import { requestFor, roomyLimits, start } from "../answers.ts";
import { RandomChoices, randomRequests } from "../random-requests.ts";
import { loadTiny } from "../tiny-engine.ts";

const folder = temporaryFolder();

/**
 * Counts the bytes of all resizable buffers from now on, whoever has them; `onGrowth` hears of them before each that
 * grows.
 */
function watchBuffers(onGrowth: (bytes: number) => void): { bytes(): number; stop(): void } {
  const resize = Object.getOwnPropertyDescriptor(ArrayBuffer.prototype, "resize")?.value as (this: ArrayBuffer, length: number) => void;
  let bytes = 0;
  const spy = mock.method(ArrayBuffer.prototype, "resize", function watched(this: ArrayBuffer, length: number): void {
    bytes += length - this.byteLength;
    if (length > this.byteLength) onGrowth(bytes);
    resize.call(this, length);
  });
  return { bytes: () => bytes, stop: () => spy.mock.restore() };
}

describe("the bytes of keys and values", () => {
  let model: Model;
  before(async () => {
    model = await loadTiny(folder, { contextLength: 1200, layers: 1 });
  });
  after(async () => {
    await model.device.dispose();
  });

  /** Runs a load; the most bytes that were held beyond what was reserved, and the bytes that are held afterwards. */
  async function excess(kvCacheBytes: number, load: (loop: EngineLoop) => Promise<unknown>): Promise<[beyond: number, left: number]> {
    const loop = new EngineLoop([model], { ...roomyLimits, kvCacheBytes, prefixCacheBytes: 0 });
    let beyond = 0;
    const buffers = watchBuffers((bytes) => {
      beyond = Math.max(beyond, bytes - loop.stats().kvTokensReserved * model.device.bytesPerToken);
    });
    try {
      await load(loop);
      // The loop looks once more for work before it rests.
      await new Promise((resolve) => setTimeout(resolve, 20));
      return [beyond, buffers.bytes()];
    } finally {
      buffers.stop();
    }
  }

  test("are within the reservation for many requests of three answers to a long prompt", async () => {
    const choices = new RandomChoices(1);
    const requests = Array.from({ length: 20 }, () =>
      requestFor("tiny", { n: 3, maxTokens: 20, ignoreEos: true, prompt: { kind: "tokens", ids: choices.integers(1030, 3, 200) } }),
    );
    const run = async (loop: EngineLoop): Promise<unknown> => Promise.all(requests.map((request) => start(loop, request).done));
    assert.deepEqual(await excess(roomyLimits.kvCacheBytes, run), [0, 0]);
  });

  for (const seed of [1, 2, 3]) {
    test(`are within the reservation for random requests, with little memory and with much (${seed})`, async () => {
      const requests = randomRequests(seed, 24, { model: "tiny", vocabSize: model.info.vocabSize, longestPrompt: 600, longestAnswer: 120 });
      for (const kvCacheBytes of [8192 * model.device.bytesPerToken, roomyLimits.kvCacheBytes])
        assert.deepEqual(await excess(kvCacheBytes, (loop) => answerUnderLoad(loop, requests)), [0, 0]);
    });
  }
});
