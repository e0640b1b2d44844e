/**
 * @file What any device must do, as tests that run over one: caches give the bits that computing gives, rows do not
 * depend on others, memory stays within what requests have reserved, and closing frees it.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { readDecoderConfig } from "../../src/architectures/decoder/decoder-config.ts";
import type { Device as DeviceName, Quantization } from "../../src/config/options.ts";
import type { Model } from "../../src/engine/loading/model.ts";
import { BonsaiError } from "../../src/errors/bonsai-error.ts";
import { openModel } from "../../src/formats/open-model.ts";
import type { DecodeRow, DecoderDevice, RequestSize } from "../../src/runtime/device.ts";
import { largestDifference } from "../architectures/goldens.ts";
import { NaiveDecoder } from "../architectures/naive-decoder.ts";
import { RandomChoices } from "../engine/random-requests.ts";
import { load } from "../engine/tiny-engine.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { writeTinyModel } from "../fixtures/tiny-model.ts";
import { fill, logitsBySteps, step } from "./stepwise.ts";

/** A request that is open on the device, and what it reserved. */
interface OpenRequest {
  size: RequestSize;
  rows: DecodeRow[];
  stepsLeft: number;
}

/**
 * @param tolerance most by which a logit of the device in fp32 may differ from the naive decoder's
 */
export function describeConformance(device: DeviceName, tolerance: number): void {
  const folder = temporaryFolder();
  const path = join(folder, "model");
  writeTinyModel(path, { contextLength: 1024 });

  test(`${device} computes the naive decoder's logits of a prompt in chunks and of an answer in steps`, async () => {
    const model = await load(path, join(folder, "cache"), { device });
    const file = openModel(path);
    const config = readDecoderConfig(file.config, path);
    const ids = new RandomChoices(2).integers(200, 0, config.vocabSize - 1);
    const expected = new NaiveDecoder(config, file.weights).logits(ids);
    for (const prefilled of [0, 64, 150, 200]) {
      const [computed] = await logitsBySteps(model.device, ids, prefilled);
      computed!.forEach((row, at) => assert.ok(largestDifference(row, expected[at]!) < tolerance, `token ${at}, ${prefilled} prefilled`));
    }
    file.weights.close();
    await model.device.dispose();
  });

  for (const quantization of ["fp32", "q8", "w8a8"] as const) describeBits(device, quantization, path, folder);
  describeMemory(device, path, folder);
}

function describeBits(name: DeviceName, quantization: Quantization, path: string, folder: string): void {
  describe(`${name} in ${quantization} gives the same bits`, () => {
    let model: Model;
    const choices = new RandomChoices(7);
    before(async () => {
      model = await load(path, join(folder, "cache"), { device: name, quantization });
    });
    after(async () => {
      await model.device.dispose();
    });

    test("to rows that share a prompt's cache, to rows that copy it, and to one row", async () => {
      const ids = choices.integers(100, 3, 200);
      const [alone] = await logitsBySteps(model.device, ids, 70);
      for (const count of [2, 4, 6]) {
        for (const row of await logitsBySteps(model.device, ids, 70, count)) assert.deepEqual(row, alone);
      }
    });

    test("to a prompt that was made of another's pages", async () => {
      const { device } = model;
      const [common, own, rest] = [choices.integers(128, 3, 200), choices.integers(600, 3, 200), choices.integers(50, 3, 200)];
      // The first prompt is long, so its cache has room where the second's has none.
      const first = await fill(device, [...common, ...own]);
      const second = device.openPrompt(128 + rest.length);
      for (const start of [0, 64]) await device.appendPage(second, await device.readPage(first.prompt, start));
      assert.equal(second.length, 128);
      const logits = await device.prefill(second, rest, true);
      const whole = await fill(device, [...common, ...rest]);
      assert.deepEqual(logits, Float32Array.from(whole.logits.slice(128).flatMap((row) => Array.from(row))));
      const rows = [second, whole.prompt].map((prompt) => device.openRows(prompt, 1, 1)[0]!);
      const [fromPages, computed] = await step(device, rows, [9, 9]);
      assert.deepEqual(fromPages, computed);
      for (const row of rows) device.closeRow(row);
      device.closePrompt(first.prompt);
    });

    test("to a row however many others join, outgrow it and leave", async () => {
      const { device } = model;
      const [prompt, answer] = [choices.integers(30, 3, 200), choices.integers(300, 3, 200)];
      const [alone] = await logitsBySteps(device, [...prompt, ...answer], prompt.length);
      const open = async (ids: readonly number[], count: number): Promise<ReturnType<typeof device.openRows>> =>
        device.openRows((await fill(device, ids)).prompt, count, 400);
      const others = await open(choices.integers(400, 3, 200), 2);
      const [row] = await open(prompt, 1);
      others.push(...(await open(choices.integers(40, 3, 200), 3)));
      for (const [at, id] of answer.entries()) {
        if (at % 40 === 20) others.push(...(await open(choices.integers(choices.integer(1, 300), 3, 200), choices.integer(1, 5))));
        while (others.length > 10) device.closeRow(others.splice(choices.integer(0, others.length - 1), 1)[0]!);
        const rows = [...others.slice(0, 3), row!, ...others.slice(3)];
        const logits = await step(
          device,
          rows,
          rows.map((other) => (other === row ? id : choices.integer(3, 200))),
        );
        assert.deepEqual(logits[rows.indexOf(row!)], alone![prompt.length + at], `after token ${at}`);
      }
      for (const other of [row!, ...others]) device.closeRow(other);
    });

    test("to rows that step by turns, whichever step together", async () => {
      const { device } = model;
      const requests = [1, 5, 2, 1].map((count) => ({ count, prompt: choices.integers(choices.integer(1, 150), 3, 200) }));
      const rows: { row: DecodeRow; answer: number[]; alone: Float32Array[]; steps: number }[] = [];
      for (const { count, prompt } of requests) {
        for (const row of device.openRows((await fill(device, prompt)).prompt, count, 100)) {
          const answer = choices.integers(90, 3, 200);
          const [alone] = await logitsBySteps(device, [...prompt, ...answer], prompt.length);
          rows.push({ row, answer, alone: alone!.slice(prompt.length), steps: 0 });
        }
      }
      for (let turn = 0; turn < 120; turn++) {
        const stepping = rows.filter(({ steps, answer }) => steps < answer.length && choices.chance(0.6));
        const logits = await step(
          device,
          stepping.map(({ row }) => row),
          stepping.map(({ answer, steps }) => answer[steps]!),
        );
        stepping.forEach((each, at) => assert.deepEqual(logits[at], each.alone[each.steps++], `turn ${turn}`));
        if (turn % 40 === 39) device.closeRow(rows.splice(choices.integer(0, rows.length - 1), 1)[0]!.row);
      }
      for (const { row } of rows) device.closeRow(row);
    });
  });
}

function describeMemory(name: DeviceName, path: string, folder: string): void {
  describe(`the memory of ${name}`, () => {
    let device: DecoderDevice;
    before(async () => {
      ({ device } = await load(path, join(folder, "cache"), { device: name }));
    });
    after(async () => {
      await device.dispose();
    });

    test("stays within what requests have reserved, whatever their lengths and the order in which they come and go", async () => {
      const choices = new RandomChoices(8);
      for (let round = 0; round < 6; round++) {
        const open: OpenRequest[] = [];
        const check = (what: string): void => {
          const reserved = device.requestBytes(open.map(({ size }) => size));
          device.setReserved(reserved);
          assert.ok(device.bytesHeld <= reserved, `${what}: ${device.bytesHeld} bytes are held and ${reserved} reserved`);
        };
        for (let turn = 0; turn < 40; turn++) {
          if (open.length < 6 && choices.chance(0.5)) {
            const size = {
              promptTokens: choices.of([1, 60, 130, 300, 700]),
              sequences: choices.integer(1, 5),
              answerTokens: choices.of([1, 30, 70, 300]),
            };
            const request: OpenRequest = { size, rows: [], stepsLeft: size.answerTokens };
            open.push(request);
            check("a request is admitted");
            const { prompt } = await fill(device, choices.integers(size.promptTokens, 3, 200));
            check("its prompt is filled");
            const count = choices.integer(1, size.sequences);
            request.rows = device.openRows(prompt, count, size.answerTokens, size.sequences);
            check("its rows are open");
          }
          for (let time = choices.integer(1, 30); time > 0 && open.length > 0; time--) {
            const rows = open.flatMap((request) => request.rows);
            await step(
              device,
              rows,
              rows.map(() => choices.integer(3, 200)),
            );
            check("a step");
            for (const request of open.filter((each) => --each.stepsLeft === 0 || choices.chance(0.03))) {
              for (const row of request.rows) device.closeRow(row);
              open.splice(open.indexOf(request), 1);
            }
            for (const { rows: left } of open) if (left.length > 1 && choices.chance(0.05)) device.closeRow(left.pop()!);
            check("rows have ended");
          }
        }
        for (const request of open.splice(0)) for (const row of request.rows) device.closeRow(row);
        check("all requests have ended");
        assert.equal(device.bytesHeld, 0);
      }
    });

    test("is that of the prompts in a run, padding included, while texts are scored", async () => {
      const choices = new RandomChoices(9);
      const lengths = Array.from({ length: 24 }, () => choices.of([5, 40, 200, 900]));
      const reserved = lengths.reduce((sum, length) => sum + device.scoringBytes(length), 0);
      device.setReserved(reserved);
      const texts = lengths.map((length) => ({ ids: choices.integers(length, 3, 200), prompt: device.openPrompt(length) }));
      const left = (): typeof texts => texts.filter(({ ids, prompt }) => prompt.length + device.chunkTokens < ids.length);
      for (let rest = left(); rest.length > 0; rest = left()) {
        await device.prefillMany(
          rest.map(({ ids, prompt }) => ({ prompt, ids: ids.slice(prompt.length, prompt.length + device.chunkTokens) })),
        );
        assert.ok(device.bytesHeld <= reserved, `${device.bytesHeld} bytes are held and ${reserved} reserved`);
      }
      for (const { prompt } of texts) device.closePrompt(prompt);
      device.setReserved(0);
      assert.equal(device.bytesHeld, 0);
    });

    test("of a page is freed with its last reference", async () => {
      const { prompt } = await fill(device, new RandomChoices(10).integers(64, 3, 200));
      const page = await device.readPage(prompt, 0);
      page.retain();
      page.release();
      const copy = device.openPrompt(64);
      await device.appendPage(copy, page);
      page.release();
      await assert.rejects(device.appendPage(copy, page), (error) => error instanceof BonsaiError && error.code === "internal");
      assert.throws(() => page.retain(), BonsaiError);
      for (const each of [prompt, copy]) device.closePrompt(each);
    });
  });
}
