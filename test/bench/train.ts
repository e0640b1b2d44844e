/** @file Tokens a second and peak memory of training SmolLM2-135M, LoRA and full, beside PyTorch's in the same run. */

import { availableParallelism } from "node:os";
import { readDecoderConfig } from "../../src/architectures/decoder/decoder-config.ts";
import { openModel } from "../../src/formats/open-model.ts";
import { requireSmolLM2 } from "../../loadtest/measurement/real-files.ts";
import {
  givenLoad,
  loraRank,
  ownSteps,
  takeSteps,
  trainingKinds,
  type TimedSteps,
  type TrainingKind,
  type TrainingLoad,
} from "./load/training-steps.ts";
import { trainingProductsSeconds, type TokenRows } from "./load/training-products.ts";
import { findTorch, torchSteps } from "./peers/torch.ts";
import type { Cell, Check, Table } from "../../loadtest/measurement/bench-result.ts";
import { runBench } from "./report/run-bench.ts";
import { Samples } from "./report/samples.ts";
import { recordSteps, trainingColumns, trainingRow } from "./report/training-rows.ts";

const plans = {
  full: { rounds: 2, rows: 8, length: 256, steps: 3 },
  quick: { rounds: 1, rows: 2, length: 128, steps: 3 },
};

const titles = { lora: "LoRA", full: "Full fine-tuning" } as const satisfies Record<TrainingKind, string>;
const speedRatio = 1.5;
/** Runs of the products alone for each shape. */
const productRuns = 5;
const productsAlone = (kind: TrainingKind): string => `${kind} the products alone speed`;
const subjects = { bonsai: "bonsai", recompute: "bonsai, activations computed anew", torch: "PyTorch" } as const;

async function measure(): Promise<void> {
  await runBench(import.meta.url, async ({ profile, say }) => {
    const model = requireSmolLM2();
    const { rounds, rows, length, steps } = plans[profile];
    const torch = findTorch(say);
    const samples = new Samples();
    for (let round = 0; round < rounds; round++) {
      for (const kind of trainingKinds) {
        samples.add(productsAlone(kind), await productsAlonePerSecond(kind, model, { rows, length }));
        say(`Round ${round + 1} of ${rounds}, ${kind}`);
        const load: TrainingLoad = { kind, model, rows, length, steps, recompute: false };
        const record = (subject: string, taken: TimedSteps): void => recordSteps(samples, `${kind} ${subject}`, taken, rows * length);
        record(subjects.bonsai, await ownSteps(import.meta.url, load));
        if (torch !== undefined) record(subjects.torch, await torchSteps(torch, load));
        if (round === 0) record(subjects.recompute, await ownSteps(import.meta.url, { ...load, steps: 2, recompute: true }));
      }
    }
    return {
      title: "Training",
      about: [
        `SmolLM2-135M, float32, batches of ${rows} rows of ${length} random tokens: forward, backward, clipping and AdamW. LoRA has rank ${loraRank} on all seven projections of a layer. Each subject runs in a process of its own and takes`,
        `${steps} steps, of which the first is not counted (the median of the others is a round's number). PyTorch trains a model of the same config with attention by sdpa; its weights are random.`,
      ].join("\n"),
      peers: torch === undefined ? {} : torch.versions,
      tables: [...trainingKinds.map((kind) => table(kind, samples)), boundsTable(samples)],
      checks: torch === undefined || profile === "quick" ? [] : trainingKinds.flatMap((kind) => checks(kind, samples)),
      raw: samples,
    };
  });
}

/** Tokens a second that a step would reach if it had nothing to do but its products. */
async function productsAlonePerSecond(kind: TrainingKind, model: string, taken: TokenRows): Promise<number> {
  const file = openModel(model);
  const config = readDecoderConfig(file.config, file.path);
  file.weights.close();
  return (
    (taken.rows * taken.length) /
    (await trainingProductsSeconds(kind, config, taken, { rank: loraRank, threads: availableParallelism(), runs: productRuns }))
  );
}

function table(kind: (typeof trainingKinds)[number], samples: Samples): Table {
  return {
    title: titles[kind],
    columns: trainingColumns([subjects.torch]),
    rows: Object.values(subjects).map((subject) => trainingRow(samples, subject, `${kind} ${subject}`, [`${kind} ${subjects.torch}`])),
  };
}

function boundsTable(samples: Samples): Table {
  const row = (name: string, kind: TrainingKind, key: string): Cell[] => [
    name,
    samples.cell(key),
    samples.ratioCell(key, `${kind} ${subjects.torch} speed`),
  ];
  return {
    title: "What bounds a step",
    note: "The products alone are those with the model's weights, by ONNX Runtime's kernels in float32: forward, by the inputs and, where they are trained, by the weights; and half of what attention's products and softmax take where every token sees its whole row, since it sees those before it alone; of LoRA the products with its factors likewise, the first ones of layers that read the same as one. No norms, no optimiser. No step over these kernels can be faster, and PyTorch's step has the same products.",
    columns: [{ heading: "" }, { heading: "tokens/s", digits: 0 }, { heading: "times PyTorch", digits: 2 }],
    rows: trainingKinds.flatMap((kind) => [
      row(`${titles[kind]}: a step`, kind, `${kind} ${subjects.bonsai} speed`),
      row(`${titles[kind]}: the products alone`, kind, productsAlone(kind)),
    ]),
  };
}

function checks(kind: (typeof trainingKinds)[number], samples: Samples): Check[] {
  const [ours, theirs] = [`${kind} ${subjects.bonsai}`, `${kind} ${subjects.torch}`];
  const ratio = (part: string): number => samples.ratio(`${ours} ${part}`, `${theirs} ${part}`) ?? NaN;
  return [
    { claim: `${kind}: tokens/s against PyTorch's`, measured: ratio("speed"), unit: "times", bound: "at least", limit: speedRatio },
    { claim: `${kind}: peak memory against PyTorch's`, measured: ratio("peak"), unit: "times", bound: "at most", limit: 1 },
  ];
}

const load = givenLoad();
if (load === undefined) await measure();
else console.log(JSON.stringify(await takeSteps(load as TrainingLoad)));
