/**
 * @file What the recipes of the teddy family share: where their work lies, and the stages that several of them have.
 */

import { join } from "node:path";
import { flagWords, publishModel, workFolder, type Stage } from "./stage.ts";

/** What writes the teddy world's texts and its tokenizer. It takes seconds, so that any change writes them again. */
const worldSources = ["src/teddy", "src/text/tokenizer/bpe-trainer.ts", "src/text/tokenizer/pair-queue.ts", "scripts/teddy-world.ts"];

type Flags = Parameters<typeof flagWords>[0];

export const teddyWork = join(workFolder, "teddy");
export const inWork = (...names: string[]): string => join(teddyWork, ...names);
export const model = (name: string): string => join("models", name);
export const weights = (name: string): string => join(model(name), "model.safetensors");
export const heldOutPrompts = inWork("prompts-held-out.jsonl");
export const pairsOf = (name: string): string => inWork(name, "preferences.jsonl");

/** A command of the world's generator. */
export function world(command: string, flags: Flags = {}): Stage {
  return {
    name: command,
    work: { script: "teddy-world", args: [command, ...flagWords({ "output-dir": teddyWork, ...flags })] },
    from: { files: worldSources },
  };
}

export function train(name: string, command: string, flags: Flags, files: string[], more: string[] = []): Stage {
  return {
    name,
    trains: inWork(name),
    work: { command, args: [...flagWords({ ...flags, "max-length": 256, "save-dtype": "bfloat16", "output-dir": inWork(name) }), ...more] },
    from: { files },
  };
}

export function publish(name: string, rewardModel?: string, limits?: string, weightsFile = "model.safetensors"): Stage {
  return {
    name: `publish ${name}`,
    work: { here: () => publishModel(inWork(name), name, { rewardModel, limits }) },
    from: { value: limits, files: [inWork(name, weightsFile)] },
  };
}

/** Preferences between a policy's answers: the judge labels, and gold is asked for the report alone. */
export function collect(name: string, policy: string, judge: string, prompts: string, flags: Flags): Stage["work"] {
  return {
    command: "collect",
    args: [
      ...flagWords({ model: policy, prompts, ...flags, "output-dir": inWork(name) }),
      ...[judge, "gold"].flatMap((asked) => ["--judge", asked]),
    ],
  };
}

export function sample(...[name, policy, judge, prompts, flags]: Parameters<typeof collect>): Stage {
  return {
    name,
    trains: inWork(name),
    work: collect(name, policy, judge, prompts, flags),
    from: { files: [join(policy, "model.safetensors"), prompts, "src/teddy", "src/reward"] },
  };
}

/** The majority of all raters, which has less noise than one of them. */
export const panel = "raters=5";
