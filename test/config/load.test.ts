/** @file Flags, environment and config file become one checked configuration, and mistakes are told by name. */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import fc from "fast-check";
import { loadConfig } from "../../src/config/load.ts";
import { defaultConfig, options, supportedDevices, type Config } from "../../src/config/options.ts";
import { BonsaiError } from "../../src/errors/bonsai-error.ts";

function load(args: readonly string[], environment: Record<string, string> = {}): Config {
  const invocation = loadConfig(args, environment);
  assert.ok(invocation.kind === "run");
  return invocation.config;
}

function refusal(args: readonly string[], environment: Record<string, string> = {}): BonsaiError {
  try {
    loadConfig(args, environment);
  } catch (error) {
    assert.ok(error instanceof BonsaiError);
    assert.equal(error.code, "usage");
    return error;
  }
  return assert.fail(`accepted: ${args.join(" ")}`);
}

function writeConfig(t: TestContext, content: unknown): string {
  const folder = mkdtempSync(join(tmpdir(), "bonsai-config-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "config.json");
  writeFileSync(file, typeof content === "string" ? content : JSON.stringify(content));
  return file;
}

test("without anything said every option has its default", () => {
  assert.deepEqual(load([]), defaultConfig());
});

test("flags win over the environment, the environment over the file, the file over the defaults", (t) => {
  const file = writeConfig(t, { port: 1, host: "file", "max-n": 7 });
  const config = load(["--config", file, "--port", "3"], { BONSAI_PORT: "2", BONSAI_HOST: "environment" });
  assert.deepEqual([config.port, config.host, config.maxN, config.maxSequences], [3, "environment", 7, defaultConfig().maxSequences]);
});

test("the environment may name the config file", (t) => {
  assert.equal(load([], { BONSAI_CONFIG: writeConfig(t, { port: 4321 }) }).port, 4321);
});

test("lists come from repeated flags, commas in the environment, and arrays in the file", (t) => {
  assert.deepEqual(load(["--model", "a", "--model=b=c"]).model, ["a", "b=c"]);
  assert.deepEqual(load([], { BONSAI_API_KEY: "one, two" }).apiKey, ["one", "two"]);
  assert.deepEqual(load(["--config", writeConfig(t, { model: ["x", "y"], "cors-origin": "https://one" })]).corsOrigin, ["https://one"]);
});

test("sizes take binary suffixes and booleans take yes, no and a value", (t) => {
  assert.equal(load(["--kv-cache-bytes", "2GiB"]).kvCacheBytes, 2 * 2 ** 30);
  assert.equal(load(["--config", writeConfig(t, { "body-limit": "3 MiB" })]).bodyLimitBytes, 3 * 2 ** 20);
  assert.equal(load(["--log-prompts"]).logPrompts, true);
  assert.equal(load(["--log-prompts=false"]).logPrompts, false);
  assert.equal(load(["--no-log-prompts"], { BONSAI_LOG_PROMPTS: "true" }).logPrompts, false);
});

test("help and version win over everything that is right", () => {
  assert.equal(loadConfig(["--port", "1", "--help"], {}).kind, "help");
  assert.equal(loadConfig(["-v"], {}).kind, "version");
});

test("an unknown flag, key or variable is named with its near miss", (t) => {
  assert.match(refusal(["--prot", "1"]).message, /--prot\. Did you mean --port\?/);
  assert.match(refusal(["--quantisation=q8"]).message, /Did you mean --quantization\?/);
  assert.match(refusal(["--config", writeConfig(t, { prot: 1 })]).message, /"prot".*Did you mean port\?/);
  const invocation = loadConfig([], { BONSAI_PROT: "1", PATH: "x" });
  assert.ok(invocation.kind === "run");
  assert.equal(invocation.warnings.length, 1);
  assert.match(invocation.warnings[0]!, /BONSAI_PROT .*Did you mean BONSAI_PORT\?/);
});

test("a wrong value is told with what would be right, wherever it stands", (t) => {
  for (const error of [
    refusal(["--port", "70000"]),
    refusal(["--port=-1"]),
    refusal(["--port", "eighty"]),
    refusal([], { BONSAI_PORT: "1.5" }),
    refusal(["--config", writeConfig(t, { port: "8000" })]),
  ]) {
    assert.match(error.message, /port.* a whole number from 0 to 65535/i);
  }
  assert.match(refusal(["--quantization", "q9"]).message, /one of fp32, q8.*Did you mean q8\?/);
  assert.match(refusal(["--port"]).message, /--port needs a value/);
  assert.match(refusal(["--port", "--host", "x"]).message, /--port needs a value/);
  assert.match(refusal(["--port=1", "--port=2"]).message, /2 times/);
  assert.match(refusal(["stray"]).message, /Word 1 of the arguments/);
});

test("a device without support is refused by name", () => {
  for (const device of ["cuda", "webgpu"]) {
    assert.match(refusal(["--device", device]).message, new RegExp(`${device} is not supported.*${supportedDevices[0]}`));
  }
});

test("a config file that is absent, no JSON or no object is refused by name", (t) => {
  assert.match(refusal(["--config", "/nonexistent/bonsai.json"]).message, /nonexistent.*cannot be read/);
  assert.match(refusal(["--config", writeConfig(t, "{")]).message, /not valid JSON/);
  assert.match(refusal(["--config", writeConfig(t, "[]")]).message, /one JSON object/);
});

test("no error and no warning ever shows a key", (t) => {
  const key = "sk-secret-éà";
  const spoken = [
    refusal(["--api-key", key]),
    refusal(["--api-kye", "sk-secret-1"]),
    refusal(["--api-kye=sk-secret-1"]),
    refusal(["--api-key", "a", "sk-secret-1"]),
    refusal([], { BONSAI_API_KEY: key }),
    refusal(["--config", writeConfig(t, { "api-key": [key] })]),
    refusal(["--config", writeConfig(t, `{"api-key": ["sk-secret-1"`)]),
  ];
  for (const error of spoken) assert.doesNotMatch(`${error.message} ${error.stack} ${String(error.cause)}`, /sk-secret/);
});

test("any integer within an option's bounds is taken from each of the three sources, and none beyond", () => {
  const integers = options.filter((option) => option.kind === "integer");
  fc.assert(
    fc.property(fc.constantFrom(...integers), fc.integer({ min: -10, max: 2 ** 31 }), (option, value) => {
      const minimum = option.minimum ?? 0;
      const maximum = option.maximum ?? Number.MAX_SAFE_INTEGER;
      const isRight = value >= minimum && value <= maximum;
      for (const [args, environment] of [
        [[`--${option.flag}=${value}`], {}],
        [[], { [option.variable]: String(value) }],
      ] as [string[], Record<string, string>][]) {
        if (isRight) assert.equal(load(args, environment)[option.name], value);
        else refusal(args, environment);
      }
    }),
    { numRuns: 200 },
  );
});

test("no command line makes it fail with anything but a usage error", () => {
  const word = fc.oneof(
    fc.string(),
    fc.constantFrom(...options.map((option) => `--${option.flag}`), "--", "-", "--no-port", "--help=1", "--config"),
    fc.string().map((text) => `--port=${text}`),
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 5 }), (args) => {
      try {
        loadConfig(args, {});
      } catch (error) {
        assert.ok(error instanceof BonsaiError && error.code === "usage", String(error));
      }
    }),
    { numRuns: 300 },
  );
});
