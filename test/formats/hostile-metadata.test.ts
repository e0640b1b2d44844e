/** @file What files of strangers say reaches no terminal raw, at no length, and from nowhere but their own folder. */

import assert from "node:assert/strict";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { readDecoderConfig } from "../../src/architectures/decoder/decoder-config.ts";
import { readModelDefaults } from "../../src/catalog/model-defaults.ts";
import { BonsaiError } from "../../src/errors/bonsai-error.ts";
import { printable } from "../../src/errors/printable.ts";
import { openModel } from "../../src/formats/open-model.ts";
import { readRewardConfig } from "../../src/reward/reward-config.ts";
import { ChatTemplate } from "../../src/text/conversation/chat-template.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { makeTinyModel, writeTinyModel } from "../fixtures/tiny-model.ts";

const escape = "\u001b[2J\u001b]0;forged\u0007";
const unprintable = /[\p{Cc}\u202e\u2066\u2028]/u;

/** The error of an action, which is one of the registry. */
function errorOf(action: () => unknown): BonsaiError {
  try {
    action();
  } catch (error) {
    assert.ok(error instanceof BonsaiError, String(error));
    return error;
  }
  return assert.fail("no error");
}

describe("text of strangers", () => {
  test("is written with escapes for what moves a cursor, breaks a line or turns text around", () => {
    assert.equal(
      printable("a\u001b[2J\u009bb\r\nc\u202ed\u2066e\u2028f ë🧵 \u05d0"),
      "a\\u001b[2J\\u009bb\\u000d\\u000ac\\u202ed\\u2066e\\u2028f ë🧵 \u05d0",
    );
    assert.equal(printable("a\n\tb\r", { keepLines: true }), "a\n\tb\\u000d");
  });

  test("is shortened in its middle", () => {
    const shown = printable(`start ${"x".repeat(1e6)} end`);
    assert.ok(shown.length < 4000 && shown.startsWith("start x") && shown.endsWith("x end"), shown);
  });

  test("is printable in the errors of a template, a config and a tensor's name", () => {
    const folder = temporaryFolder();
    const { config } = makeTinyModel();
    const template = new ChatTemplate("{{ raise_exception(messages[0].content) }}", {});
    const errors = [
      () => template.render([{ role: "user", content: `${escape}\nforged line\u202e` }]),
      () => new ChatTemplate(`{% ${escape} %}`, {}),
      () => readDecoderConfig({ ...config, hidden_act: escape }, folder),
    ].map(errorOf);
    for (const { message } of errors) assert.ok(!unprintable.test(message), JSON.stringify(message));
  });

  test("is short in the error of a file with a key of a megabyte", () => {
    const folder = join(temporaryFolder(), "model");
    writeTinyModel(folder);
    const entry = { dtype: "F32", shape: [1], data_offsets: [0, 3] };
    const header = Buffer.from(JSON.stringify({ [`${escape}${"k".repeat(1e6)}`]: entry }));
    const size = Buffer.alloc(8);
    size.writeBigUInt64LE(BigInt(header.length));
    writeFileSync(join(folder, "model.safetensors"), Buffer.concat([size, header, Buffer.alloc(3)]));
    const { message } = errorOf(() => openModel(folder));
    assert.ok(message.length < 4000 && !unprintable.test(message), message.slice(0, 200));
  });
});

describe("a link in a model's folder", () => {
  for (const [file, read] of [["bonsai.json", readModelDefaults] as const, ["reward.json", readRewardConfig] as const]) {
    test(`that leads ${file} out of it is refused, and what it leads to is not quoted`, () => {
      const root = temporaryFolder();
      const folder = join(root, "model");
      mkdirSync(folder);
      writeFileSync(join(root, "secret"), "root:x:0:0:secret");
      symlinkSync(join(root, "secret"), join(folder, file));
      const error = errorOf(() => read(folder));
      assert.equal(error.code, "invalid_model_file");
      assert.match(error.message, /is a link to .*, outside of its folder/);
      assert.doesNotMatch(error.message, /root:x/);
    });

    test(`does not matter where ${file} is no JSON: the file is named and not quoted`, () => {
      const folder = temporaryFolder();
      writeFileSync(join(folder, file), "root:x:0:0:secret");
      const error = errorOf(() => read(folder));
      assert.ok(error.message.includes(`${file} is not JSON`) && !error.message.includes("root:x"), error.message);
      assert.equal(error.cause, undefined);
    });
  }
});

test("a number that is infinite in 32 bits is refused, with the file and the field", () => {
  const numbers: [name: string, value: number][] = [
    ["rms_norm_eps", 1e308],
    ["rms_norm_eps", 2],
    ["rope_theta", 1e300],
  ];
  for (const [field, value] of numbers) {
    const { message, code } = errorOf(() => readDecoderConfig({ ...makeTinyModel().config, [field]: value }, "models/odd"));
    assert.equal(code, "invalid_model_file");
    assert.ok(message.startsWith("models/odd") && message.includes(field), message);
  }
});
