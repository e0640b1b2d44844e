/** @file What is at a path decides how it is opened. */

import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { openModel } from "../../src/formats/open-model.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { writeTinyGguf } from "../fixtures/tiny-gguf.ts";
import { writeTinyModel } from "../fixtures/tiny-model.ts";
import { assertRefused } from "./expect-error.ts";

const root = temporaryFolder();

test("a folder with config.json, a GGUF file of any name, and a folder with one .gguf file open", () => {
  const folder = join(root, "folder");
  writeTinyModel(folder);
  assert.equal(openModel(folder).format, "huggingface");
  const only = join(root, "only");
  mkdirSync(only);
  writeTinyGguf(join(only, "model.GGUF"));
  writeFileSync(join(only, "README.md"), "");
  assert.equal(openModel(only).path, join(only, "model.GGUF"));
  copyFileSync(join(only, "model.GGUF"), join(root, "weights"));
  assert.equal(openModel(join(root, "weights")).format, "gguf");
  copyFileSync(join(only, "model.GGUF"), join(only, "other.gguf"));
  assertRefused(() => openModel(only), "file_not_found", /holds 2 \.gguf files/);
});

test("nothing, an empty folder, and a file of another kind are told apart", () => {
  assertRefused(() => openModel(join(root, "absent")), "file_not_found", /no model at/);
  const empty = join(root, "empty");
  mkdirSync(empty);
  assertRefused(() => openModel(empty), "file_not_found", /neither config.json nor a .gguf file/);
  const text = join(root, "text");
  writeFileSync(text, "not a model");
  assertRefused(() => openModel(text), "invalid_model_file", /does not begin with "GGUF"/);
  assertRefused(() => openModel("/dev/null"), "file_not_found", /not a regular file/);
});
