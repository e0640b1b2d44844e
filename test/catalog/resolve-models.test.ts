/** @file Names, paths and aliases to models, in a models' folder made for each test. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, describe, test } from "node:test";
import type { Catalog } from "../../src/catalog/catalog.ts";
import { defaultModelName, resolveModels } from "../../src/catalog/resolve-models.ts";
import type { RewardDescription } from "../../src/engine/contract/reward-description.ts";
import { assertRejected } from "../formats/expect-error.ts";
import { fileRoute, startLoopbackServer } from "./loopback-server.ts";

const temporary = mkdtempSync(join(tmpdir(), "bonsai-models-"));
after(() => rmSync(temporary, { recursive: true, force: true }));

const content = Buffer.from("weights");
const catalog: Catalog = {
  [defaultModelName]: {
    description: "A test.",
    license: "MIT",
    files: [
      {
        path: "weights.gguf",
        bytes: content.length,
        sha256: createHash("sha256").update(content).digest("hex"),
        sources: [{ kind: "huggingface", repository: "someone/tiny", revision: "0".repeat(40), path: "weights.gguf" }],
      },
    ],
  },
};
/** A reward.json of one output. */
const reward = {
  form: "decoder",
  dimensions: ["reward"],
  weights: [1],
  normalization: { mean: [0], deviation: [1], holistic: { mean: 0, deviation: 1 }, reference: "none" },
  max_length: 512,
};

let folders = 0;

/** A models' folder with these files. */
function modelsFolder(files: Record<string, string> = {}): string {
  const folder = join(temporary, `models-${folders++}`);
  mkdirSync(folder);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}

const quiet = (): void => undefined;

describe("models to serve", () => {
  test("are all those that are present when none is named", async () => {
    const folder = modelsFolder({
      "teddy/config.json": "{}",
      "teddy/model.safetensors": "",
      "bear/bear.gguf": "",
      [`${defaultModelName}/weights.gguf.part`]: "weig",
      "empty/notes.txt": "",
      ".hidden/a.gguf": "",
      "catalog.json": "{}",
    });
    assert.deepEqual(await resolveModels([], quiet, { modelsFolder: folder, catalog }), [
      { id: "bear", path: join(folder, "bear", "bear.gguf") },
      { id: "teddy", path: join(folder, "teddy") },
    ]);
  });

  test("are no encoders that score nothing, unless they are named", async () => {
    const config = JSON.stringify({ model_type: "bert" });
    const folder = modelsFolder({
      "bear/bear.gguf": "",
      "encoder/config.json": config,
      "encoder/model.safetensors": "",
      "judge/config.json": config,
      "judge/model.safetensors": "",
      "judge/reward.json": JSON.stringify({ ...reward, form: "encoder" }),
    });
    const ids = async (names: string[]): Promise<string[]> =>
      (await resolveModels(names, quiet, { modelsFolder: folder, catalog })).map(({ id }) => id);
    assert.deepEqual(await ids([]), ["bear", "judge"]);
    assert.deepEqual(await ids(["encoder"]), ["encoder"]);
  });

  test("are found by name, by path of a file or a folder, and under an alias", async () => {
    const folder = modelsFolder({ "bear/bear.gguf": "", "teddy/config.json": "{}", "teddy/model.safetensors": "" });
    const bear = join(folder, "bear", "bear.gguf");
    const options = { modelsFolder: folder, catalog };
    assert.deepEqual(await resolveModels(["bear"], quiet, options), [{ id: "bear", path: bear }]);
    assert.deepEqual(
      await resolveModels([bear, join(folder, "teddy"), `polite=${bear}`, `folder=${join(folder, "bear")}`], quiet, options),
      [
        { id: "bear", path: bear },
        { id: "teddy", path: join(folder, "teddy") },
        { id: "polite", path: bear },
        { id: "folder", path: bear },
      ],
    );
  });

  test("are pulled when none is there, and when a name of the catalog is absent, and both are said", async () => {
    const server = await startLoopbackServer(fileRoute(content));
    try {
      for (const names of [[], [defaultModelName]]) {
        const folder = modelsFolder();
        const lines: string[] = [];
        const found = await resolveModels(names, (line) => lines.push(line), {
          modelsFolder: folder,
          catalog,
          huggingFaceEndpoint: server.origin,
        });
        assert.deepEqual(found, [{ id: defaultModelName, path: join(folder, defaultModelName, "weights.gguf") }]);
        assert.match(lines[0] ?? "", /: pulling/);
      }
      assert.equal(server.ranges.length, 2);
    } finally {
      await server.close();
    }
  });

  test("that nobody knows are refused with what there is and the nearest name", async () => {
    const options = { modelsFolder: modelsFolder({ "bear/bear.gguf": "" }), catalog };
    await assertRejected(resolveModels(["baer"], quiet, options), "usage", /"baer"\. Did you mean bear\? There: bear\. To pull: smollm2/);
    await assertRejected(resolveModels(["constructor"], quiet, options), "usage", /No model is called "constructor"\. There: bear/);
    await assertRejected(
      resolveModels(["x"], quiet, { ...options, modelsFolder: modelsFolder() }),
      "usage",
      /None is in the models' folder yet/,
    );
  });

  test("at a path that does not exist or holds no single model are refused", async () => {
    const folder = modelsFolder({ "two/a.gguf": "", "two/b.gguf": "", "none/readme.txt": "" });
    const options = { modelsFolder: modelsFolder({ "bear/bear.gguf": "" }), catalog };
    await assertRejected(resolveModels(["./absent"], quiet, options), "file_not_found", /no model file or folder at .*absent/);
    await assertRejected(resolveModels(["absent.gguf"], quiet, options), "file_not_found", /absent\.gguf/);
    await assertRejected(resolveModels(["alias=absent"], quiet, options), "file_not_found", /absent/);
    await assertRejected(resolveModels([join(folder, "two")], quiet, options), "usage", /2 GGUF files: name one of a\.gguf, b\.gguf/);
    await assertRejected(resolveModels([join(folder, "none")], quiet, options), "usage", /holds no model/);
  });

  test("have the defaults of a bonsai.json in their folder or beside their file, which holds nothing else", async () => {
    const defaults = JSON.stringify({ best_of_options: { reward_model: "rm" } });
    const files = {
      "teddy/config.json": "{}",
      "teddy/model.safetensors": "",
      "teddy/bonsai.json": defaults,
      "bear/bear.gguf": "",
      "bear/bonsai.json": defaults,
      "plain/plain.gguf": "",
    };
    const folder = modelsFolder(files);
    const served = await resolveModels(["teddy", "bear", "plain"], quiet, { modelsFolder: folder, catalog });
    assert.deepEqual(
      served.map(({ id, rewardModel }) => [id, rewardModel]),
      [
        ["teddy", "rm"],
        ["bear", "rm"],
        ["plain", undefined],
      ],
    );
    for (const wrong of [
      {},
      { best_of_options: {} },
      { best_of_options: { reward_model: 1 } },
      { best_of_options: { reward_model: "rm" }, seed: 1 },
    ]) {
      const other = modelsFolder({ ...files, "teddy/bonsai.json": JSON.stringify(wrong) });
      await assertRejected(
        resolveModels(["teddy"], quiet, { modelsFolder: other, catalog }),
        "invalid_model_file",
        /teddy\/bonsai\.json must be \{"best_of_options": \{"reward_model": NAME\}\}/,
      );
    }
  });

  test("must have ids of their own", async () => {
    const folder = modelsFolder({ "bear/bear.gguf": "" });
    await assertRejected(
      resolveModels(["bear", join(folder, "bear")], quiet, { modelsFolder: folder, catalog }),
      "usage",
      /Two models are called bear .*ALIAS=PATH/,
    );
  });
});

test("a link in the models' folder that leads nowhere is passed over", async () => {
  const folder = modelsFolder({ "bear/config.json": "{}", "bear/model.safetensors": "" });
  symlinkSync(join(folder, "gone"), join(folder, "link"));
  assert.deepEqual(await resolveModels([], quiet, { modelsFolder: folder, catalog }), [{ id: "bear", path: join(folder, "bear") }]);
});

describe("adapters to serve", () => {
  const files = {
    "bear/config.json": "{}",
    "bear/model.safetensors": "",
    "polite/adapter_config.json": JSON.stringify({ base_model_name_or_path: "Someone/Bear" }),
    "polite/adapter_model.safetensors": "",
    "orphan/adapter_config.json": JSON.stringify({ base_model_name_or_path: defaultModelName }),
    "orphan/adapter_model.safetensors": "",
  };

  test("go with the base that they name, whatever its case; those without one are left out, and it is said how to get it", async () => {
    const folder = modelsFolder(files);
    const lines: string[] = [];
    const [bear, polite] = ["bear", "polite"].map((id) => ({ id, path: join(folder, id) }));
    assert.deepEqual(await resolveModels([], (line) => lines.push(line), { modelsFolder: folder, catalog }), [
      { ...bear, adapters: [polite] },
    ]);
    assert.match(lines.join(), /orphan is left out: its base smollm2-135m-instruct is not in .*npm run pull -- smollm2-135m-instruct/);
  });

  test("bring their base when they are named alone, also by a path from their own folder", async () => {
    const folder = modelsFolder({
      ...files,
      "near/adapter_config.json": '{"base_model_name_or_path": "../bear"}',
      "near/adapter_model.safetensors": "",
    });
    const options = { modelsFolder: folder, catalog };
    const bear = { id: "bear", path: join(folder, "bear") };
    assert.deepEqual(await resolveModels(["polite"], quiet, options), [
      { ...bear, adapters: [{ id: "polite", path: join(folder, "polite") }] },
    ]);
    assert.deepEqual(await resolveModels([`kind=${join(folder, "near")}`], quiet, { ...options, modelsFolder: modelsFolder() }), [
      { ...bear, adapters: [{ id: "kind", path: join(folder, "near") }] },
    ]);
  });

  test("whose base is nowhere are an error that says what to give", async () => {
    const folder = modelsFolder({ ...files, "orphan/adapter_config.json": JSON.stringify({ base_model_name_or_path: "Someone/Nobody" }) });
    const options = { modelsFolder: folder, catalog };
    await assertRejected(resolveModels(["orphan"], quiet, options), "usage", /orphan is an adapter of Someone\/Nobody.*Nobody=PATH/);
  });

  test("that do not name their base are left out, or refused when they are named", async () => {
    const folder = modelsFolder({ ...files, "polite/adapter_config.json": '{"base_model_name_or_path": null}' });
    const lines: string[] = [];
    const options = { modelsFolder: folder, catalog };
    const [bear] = await resolveModels([], (line) => lines.push(line), options);
    assert.deepEqual(bear, { id: "bear", path: join(folder, "bear") });
    assert.match(lines.join(), /polite is left out: its base has no name/);
    await assertRejected(
      resolveModels(["polite"], quiet, options),
      "usage",
      /polite is an adapter whose adapter_config\.json does not name its base/,
    );
  });

  test("share one copy of a base that is served under another name, and may not have its name", async () => {
    const folder = modelsFolder(files);
    const options = { modelsFolder: folder, catalog };
    const path = join(folder, "bear");
    assert.deepEqual(await resolveModels([`other=${path}`, "polite"], quiet, options), [
      { id: "other", path, adapters: [{ id: "polite", path: join(folder, "polite") }] },
    ]);
    await assertRejected(resolveModels([`bear=${join(folder, "polite")}`], quiet, options), "usage", /Two models are called bear/);
  });
});

describe("reward models to serve", () => {
  const sha256 = "a".repeat(64);
  const files = {
    "bear/config.json": "{}",
    "bear/model.safetensors": "",
    "polite/adapter_config.json": JSON.stringify({ base_model_name_or_path: "bear" }),
    "polite/adapter_model.safetensors": "",
    "rm/config.json": '{"model_type": "bert"}',
    "rm/model.safetensors": "",
    "rm/reward.json": JSON.stringify({ ...reward, form: "encoder" }),
    "rm-lora/adapter_config.json": JSON.stringify({ base_model_name_or_path: "../bear" }),
    "rm-lora/adapter_model.safetensors": "",
    "rm-lora/reward.json": JSON.stringify(reward),
    "own/score.safetensors": "",
    "own/reward.json": JSON.stringify({ ...reward, form: "policy-head", policy: { name: "polite", sha256 } }),
  };
  const description: RewardDescription = {
    form: "decoder",
    dimensions: ["reward"],
    weights: [1],
    normalization: { dimensions: [{ mean: 0, deviation: 1 }], holistic: { mean: 0, deviation: 1 }, reference: "none" },
    maxLength: 512,
  };
  const at = (folder: string, id: string): { id: string; path: string } => ({ id, path: join(folder, id) });
  const ownHead = (folder: string): object => ({
    ...at(folder, "own"),
    policy: "polite",
    reward: { ...description, form: "policy-head" },
    sha256,
  });

  test("are those of the models' folder with a reward.json, adapters with their base and heads with their policy", async () => {
    const folder = modelsFolder(files);
    assert.deepEqual(withoutUndefined(await resolveModels([], quiet, { modelsFolder: folder, catalog })), [
      {
        ...at(folder, "bear"),
        adapters: [at(folder, "polite"), { ...at(folder, "rm-lora"), reward: description }],
        heads: [ownHead(folder)],
      },
      { ...at(folder, "rm"), reward: { ...description, form: "encoder" } },
    ]);
  });

  test("may be adapters of an encoder that is there, and are left out where it is not", async () => {
    const adapter = {
      "tuned/adapter_config.json": JSON.stringify({ base_model_name_or_path: "Encoder" }),
      "tuned/adapter_model.safetensors": "",
      "tuned/reward.json": JSON.stringify({ ...reward, form: "encoder" }),
    };
    const policy = { "bear/config.json": "{}", "bear/model.safetensors": "" };
    const encoder = { "encoder/config.json": '{"model_type": "bert"}', "encoder/model.safetensors": "" };
    const folder = modelsFolder({ ...policy, ...encoder, ...adapter });
    const tuned = { ...at(folder, "tuned"), reward: { ...description, form: "encoder" }, encoder: join(folder, "encoder") };
    assert.deepEqual(withoutUndefined(await resolveModels([], quiet, { modelsFolder: folder, catalog })), [at(folder, "bear"), tuned]);
    assert.deepEqual(withoutUndefined(await resolveModels(["tuned"], quiet, { modelsFolder: folder, catalog })), [tuned]);
    const said: string[] = [];
    const alone = modelsFolder({ ...policy, ...adapter });
    const found = await resolveModels([], (line) => said.push(line), { modelsFolder: alone, catalog });
    assert.deepEqual(found, [at(alone, "bear")]);
    assert.match(said.join("\n"), /tuned is left out: its base Encoder is not in/);
    await assertRejected(resolveModels(["tuned"], quiet, { modelsFolder: alone, catalog }), "usage", /tuned is an adapter of Encoder/);
  });

  test("that are named bring their policy, and that policy's base", async () => {
    const folder = modelsFolder(files);
    assert.deepEqual(withoutUndefined(await resolveModels(["own"], quiet, { modelsFolder: folder, catalog })), [
      { ...at(folder, "bear"), adapters: [at(folder, "polite")], heads: [ownHead(folder)] },
    ]);
    assert.deepEqual(withoutUndefined(await resolveModels([join(folder, "rm-lora")], quiet, { modelsFolder: modelsFolder(), catalog })), [
      { ...at(folder, "bear"), adapters: [{ ...at(folder, "rm-lora"), reward: description }] },
    ]);
  });

  test("are no bases of adapters, though they have the base's name", async () => {
    const folder = modelsFolder(files);
    const judge = `bear=${join(folder, "rm")}`;
    const adapter = join(folder, "rm-lora");
    await assertRejected(
      resolveModels([judge, adapter], quiet, { modelsFolder: modelsFolder(), catalog }),
      "usage",
      /Two models are called bear/,
    );
    assert.deepEqual(
      (await resolveModels([judge, `base=${join(folder, "bear")}`, adapter], quiet, { modelsFolder: modelsFolder(), catalog })).map(
        ({ id, adapters }) => [id, adapters?.length],
      ),
      [
        ["bear", undefined],
        ["base", 1],
      ],
    );
  });

  test("whose policy is nowhere are left out, or refused when they are named", async () => {
    const { "own/score.safetensors": score, "own/reward.json": own } = files;
    const folder = modelsFolder({
      "own/score.safetensors": score,
      "own/reward.json": own,
      "bear/config.json": "{}",
      "bear/model.safetensors": "",
    });
    const lines: string[] = [];
    assert.deepEqual(await resolveModels([], (line) => lines.push(line), { modelsFolder: folder, catalog }), [at(folder, "bear")]);
    assert.match(lines.join(), /own is left out: its policy polite is not in/);
    await assertRejected(
      resolveModels(["own"], quiet, { modelsFolder: folder, catalog }),
      "usage",
      /own is a head over the hidden states of polite, and no such model is here/,
    );
  });

  test("with a reward.json that is none are refused by the key at fault", async () => {
    const folder = modelsFolder({ ...files, "rm/reward.json": "{}" });
    await assertRejected(
      resolveModels(["rm"], quiet, { modelsFolder: folder, catalog }),
      "invalid_model_file",
      /rm\/reward\.json: form is missing/,
    );
  });
});

/** Equality of what would cross to the worker: a key that is undefined is none. */
function withoutUndefined(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}
