/** @file A merged model computes what the adapter does over its base, and needs neither. */

import assert from "node:assert/strict";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { runMergeCommand } from "../../src/cli/commands/merge.ts";
import { goldenPath, largestDifference } from "../architectures/goldens.ts";
import { load } from "../engine/tiny-engine.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { logitsBySteps } from "../runtime/stepwise.ts";

const folder = temporaryFolder();
const adapter = join(folder, "tuned");
cpSync(fileURLToPath(new URL("../oracle/adapters/llama", import.meta.url)), adapter, { recursive: true });
const configPath = join(adapter, "adapter_config.json");
const config = JSON.parse(readFileSync(configPath, "utf8")) as Record<string, unknown>;
writeFileSync(configPath, JSON.stringify({ ...config, base_model_name_or_path: goldenPath("llama") }));

async function merge(context: TestContext, ...args: string[]): Promise<{ status: number; errors: string }> {
  const error = context.mock.method(console, "error", () => undefined);
  context.mock.method(console, "log", () => undefined);
  const status = await runMergeCommand(args);
  const errors = error.mock.calls.map(({ arguments: [line] }) => String(line)).join("\n");
  context.mock.restoreAll();
  return { status, errors };
}

test("an adapter that peft made, merged, gives peft's logits", async (context) => {
  const golden = JSON.parse(readFileSync(join(adapter, "golden.json"), "utf8")) as { ids: number[]; logits: number[] };
  for (const [dtype, tolerance] of [
    ["float32", 1e-4],
    ["bfloat16", 0.2],
  ] as const) {
    const output = join(folder, dtype);
    const { status, errors } = await merge(context, adapter, "--output-dir", output, "--dtype", dtype);
    assert.equal(status, 0, errors);
    const { device } = await load(output, join(folder, "cache"));
    const [logits] = await logitsBySteps(device, golden.ids, 4);
    assert.ok(largestDifference(logits!.at(-1)!, golden.logits) < tolerance, dtype);
    await device.dispose();
  }
});

test("what cannot be merged is refused, and nothing is overwritten", async (context) => {
  for (const [args, message] of [
    [[], /Name one adapter/],
    [[adapter], /--output-dir/],
    [[adapter, "--output-dir", adapter], /is not empty/],
    [[adapter, "--output-dir", join(folder, "new"), "--dtype", "int3"], /--dtype must be one of float32, .*, not "int3"/],
    [[goldenPath("llama"), "--output-dir", join(folder, "new")], /is no adapter/],
  ] as const) {
    const { status, errors } = await merge(context, ...args);
    assert.equal(status, 2);
    assert.match(errors, message);
  }
});
