/** @file Tokens a second and peak memory of a DPO step with LoRA on SmolLM2-135M, beside TRL's in the same run. */

import { requireSmolLM2 } from "../../loadtest/measurement/real-files.ts";
import { takePolicySteps, type PolicyLoad } from "./load/policy-steps.ts";
import { givenLoad, loraRank, ownSteps } from "./load/training-steps.ts";
import { findTorch, trlSteps, trlWays } from "./peers/torch.ts";
import type { Check } from "../../loadtest/measurement/bench-result.ts";
import { runBench } from "./report/run-bench.ts";
import { Samples } from "./report/samples.ts";
import { recordSteps, trainingColumns, trainingRow } from "./report/training-rows.ts";

const plans = {
  full: { rounds: 2, pairs: 4, length: 128, steps: 4 },
  quick: { rounds: 1, pairs: 2, length: 64, steps: 2 },
};

const subjects = { bonsai: "bonsai", recompute: "bonsai, activations computed anew" } as const;
const peers = { DEFAULTS: "TRL", FASTEST: "TRL at its fastest" } as const satisfies Record<(typeof trlWays)[number], string>;
const speedRatio = 1.5;

async function measure(): Promise<void> {
  await runBench(import.meta.url, async ({ profile, say }) => {
    const model = requireSmolLM2();
    const { rounds, pairs, length, steps } = plans[profile];
    const torch = findTorch(say, ["torch", "transformers", "peft", "trl"]);
    const samples = new Samples();
    const load: PolicyLoad = { model, pairs, length, steps, recompute: false };
    const tokens = pairs * 2 * length;
    for (let round = 0; round < rounds; round++) {
      say(`Round ${round + 1} of ${rounds}`);
      recordSteps(samples, subjects.bonsai, await ownSteps(import.meta.url, load), tokens);
      recordSteps(samples, subjects.recompute, await ownSteps(import.meta.url, { ...load, recompute: true }), tokens);
      if (torch !== undefined) for (const way of trlWays) recordSteps(samples, peers[way], await trlSteps(torch, way, load), tokens);
    }
    const names = Object.values(peers);
    return {
      title: "Tuning on preferences",
      about: [
        `DPO with LoRA of rank ${loraRank} on all seven projections of a layer of SmolLM2-135M, float32: steps of ${pairs} pairs of random tokens, each answer with its prompt ${length} tokens long: forward, backward, clipping and AdamW.`,
        `Each subject runs in a process of its own and takes ${steps} steps, of which the first is not counted (the median of the others is a round's number). TRL trains a model of the same config with random weights and attention by sdpa, by DPOTrainer.train. As it`,
        "comes it asks the reference at each step and computes activations anew in the backward pass; at its fastest it has computed the reference before and keeps the activations. Bonsai always computes the reference before the first step, which is not in these numbers.",
      ].join("\n"),
      peers: torch === undefined ? {} : torch.versions,
      tables: [
        {
          title: "A step of DPO",
          columns: trainingColumns(names),
          rows: [...Object.values(subjects), ...names].map((subject) => trainingRow(samples, subject, subject, names)),
        },
      ],
      checks: torch === undefined || profile === "quick" ? [] : names.flatMap((peer) => checks(peer, samples)),
      raw: samples,
    };
  });
}

function checks(peer: string, samples: Samples): Check[] {
  // What computes activations anew needs less memory than what keeps them.
  const alike = peer === peers.FASTEST ? subjects.bonsai : subjects.recompute;
  const ratio = (subject: string, part: string): number => samples.ratio(`${subject} ${part}`, `${peer} ${part}`) ?? NaN;
  return [
    {
      claim: `DPO: tokens/s against ${peer}`,
      measured: ratio(subjects.bonsai, "speed"),
      unit: "times",
      bound: "at least",
      limit: speedRatio,
    },
    { claim: `DPO: peak memory of ${alike} against ${peer}`, measured: ratio(alike, "peak"), unit: "times", bound: "at most", limit: 1 },
  ];
}

const load = givenLoad();
if (load === undefined) await measure();
else console.log(JSON.stringify(await takePolicySteps(load as PolicyLoad)));
