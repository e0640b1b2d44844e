/**
 * @file What each way to hold the weights costs in quality: perplexity, KL divergence from fp32 and agreement on the
 * likeliest token, on SmolLM2 over given answers.
 */

import { availableParallelism, tmpdir } from "node:os";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { readDecoderConfig } from "../../src/architectures/decoder/decoder-config.ts";
import { defaultConfig, quantizations } from "../../src/config/options.ts";
import { calibrationPrompts } from "../../src/engine/loading/model.ts";
import { openModel } from "../../src/formats/open-model.ts";
import { prepareArtifacts, type QuantizationPlan } from "../../src/runtime/artifacts/decoder-artifacts.ts";
import { CpuDecoder } from "../../src/runtime/cpu/cpu-decoder.ts";
import type { DecoderDevice } from "../../src/runtime/device.ts";
import { probeKernels } from "../../src/runtime/cpu/integer-products.ts";
import { quantizationPlan, quantizationPlans } from "../../src/runtime/cpu/quantization-plan.ts";
import { ChatTemplate, specialTokenTexts } from "../../src/text/conversation/chat-template.ts";
import { Tokenizer } from "../../src/text/tokenizer/tokenizer.ts";
import { requireSmolLM2 } from "../../loadtest/measurement/real-files.ts";
import { answers, joined } from "./quality/answers.ts";
import { addDivergence, addToken, distribution, noDivergence, type Divergence, type ReferenceDistribution } from "./quality/divergence.ts";
import { forceByDecoding, forceByPrefill, type Conversation, type OnLogits } from "./quality/forced-answers.ts";
import type { Cell, Column } from "../../loadtest/measurement/bench-result.ts";
import { runBench, type Measurement } from "./report/run-bench.ts";

/** Conversations at once: their reference distributions are held in memory, about 40 MB each. */
const groupSize = 16;
const maxTokens = 256;
/** Tokens of an answer far from the beginning of its context. */
const farTokens = 128;
/** A default must be this close to fp32. */
const defaultLimitNats = 0.02;

const profiles = {
  full: { conversations: 48, farPromptTokens: 3072 },
  quick: { conversations: 2, farPromptTokens: 256 },
};

/** What this processor multiplies exactly. */
const kernels = await probeKernels();

/** Every scheme with the other ways to store keys and values, to tell their costs apart. */
const comparisons: Record<string, QuantizationPlan> = {
  "fp32, float16 cache": { scheme: "fp32", cacheType: "float16" },
  "fp32, 8-bit cache": { scheme: "fp32", cacheType: kernels.exactCaches ?? "int8" },
  "q8, float16 cache": { scheme: "blocks8", cacheType: "float16" },
  "q4, float16 cache": { scheme: "blocks4", cacheType: "float16", neverAlone: !kernels.fourBitRowsAgree },
  "w8a8, float16 cache": { scheme: "w8a8", cacheType: "float16" },
};

const qualityColumns: Column[] = [
  { heading: "perplexity", digits: 3 },
  { heading: "KL to fp32 (nats a token)", digits: 5 },
  { heading: "± standard error", digits: 5 },
  { heading: "same likeliest token", digits: 4 },
];

interface Measured {
  label: string;
  plan: QuantizationPlan;
  device: DecoderDevice;
  /** One for each conversation. */
  served: Divergence[];
  /** Whole conversations as prompts. */
  prefilled: Divergence[];
  /** Divergences of answers after thousands of tokens, computed as the engine serves them. */
  far: Divergence[];
}

await runBench(import.meta.url, async ({ profile, say }) => {
  const path = requireSmolLM2();
  const model = openModel(path);
  const config = readDecoderConfig(model.config, path);
  const tokenizer = new Tokenizer(model.tokenizer);
  const template = new ChatTemplate(model.tokenizer.chatTemplate ?? "", specialTokenTexts(model.tokenizer.tokenizerConfig));
  const { conversations: count, farPromptTokens } = profiles[profile];
  const conversations = answers(tokenizer, template, model.eosTokenIds[0] as number, count, maxTokens);
  const farConversations = joined(conversations, farPromptTokens, farTokens);
  const cacheDir = mkdtempSync(join(tmpdir(), "bonsai-quantization-"));
  const open = async (plan: QuantizationPlan): Promise<DecoderDevice> => {
    const machine = { threads: availableParallelism(), spinning: false };
    const artifacts = await prepareArtifacts(model, config, plan, {
      ...machine,
      cacheDir,
      maxCacheBytes: Number.MAX_SAFE_INTEGER,
      calibration: () => calibrationPrompts(tokenizer, template),
      log: () => {},
    });
    return CpuDecoder.load({
      ...machine,
      maxRows: groupSize,
      kvCacheBytes: defaultConfig().kvCacheBytes,
      config,
      cacheType: plan.cacheType,
      graph: artifacts.graph,
    });
  };
  try {
    const reference = await open(quantizationPlans.fp32);
    const measured: Measured[] = [];
    const served = quantizations.map((mode): [string, QuantizationPlan] => [mode, quantizationPlan(mode, config.contextLength, kernels)]);
    const plans: [string, QuantizationPlan][] = [...served, ...Object.entries(comparisons)];
    for (const [label, plan] of plans) {
      say(`Preparing ${label}`);
      measured.push({ label, plan, device: label === "fp32" ? reference : await open(plan), served: [], prefilled: [], far: [] });
    }
    for (let start = 0; start < conversations.length; start += groupSize) {
      const group = conversations.slice(start, start + groupSize);
      say(`Conversations ${start + 1} to ${start + group.length} of ${conversations.length}`);
      await measureGroup(reference, measured, group);
    }
    say(`${farConversations.length} contexts of ${farPromptTokens} tokens`);
    await measureFar(reference, measured, farConversations);
    for (const { device } of measured) await device.dispose();
    return describe(measured, conversations, farConversations);
  } finally {
    model.weights.close();
    rmSync(cacheDir, { recursive: true, force: true });
  }
});

/** Compares a device, that is led along conversations, with the reference: one divergence for each. */
type Comparison = (force: typeof forceByPrefill, device: DecoderDevice) => Promise<Divergence[]>;

async function comparison(reference: DecoderDevice, group: readonly Conversation[]): Promise<Comparison> {
  const references = group.map((): ReferenceDistribution[] => []);
  await forceByPrefill(reference, group, (index, at, logits) => {
    (references[index] as ReferenceDistribution[])[at] = distribution(logits);
  });
  return async (force, device) => {
    const sums = group.map(noDivergence);
    const add: OnLogits = (index, at, logits) =>
      addToken(sums[index] as Divergence, references[index]?.[at] as ReferenceDistribution, logits, group[index]?.answerIds[at] as number);
    await force(device, group, add);
    return sums;
  };
}

async function measureGroup(reference: DecoderDevice, measured: readonly Measured[], group: readonly Conversation[]): Promise<void> {
  const compare = await comparison(reference, group);
  for (const { label, device, served, prefilled } of measured) {
    served.push(...(await compare(forceByDecoding, device)));
    if (label in quantizationPlans) prefilled.push(...(await compare(forceByPrefill, device)));
  }
}

async function measureFar(reference: DecoderDevice, measured: readonly Measured[], conversations: readonly Conversation[]): Promise<void> {
  const compare = await comparison(reference, conversations);
  for (const { label, device, far } of measured) {
    if (label in quantizationPlans) far.push(...(await compare(forceByDecoding, device)));
  }
}

function qualityCells(texts: readonly Divergence[]): Cell[] {
  const all = noDivergence();
  for (const text of texts) addDivergence(all, text);
  return [Math.exp(all.surprisalNats / all.tokens), all.klNats / all.tokens, standardError(texts), all.agreements / all.tokens];
}

/** The standard error of the mean KL, where texts are independent and the tokens of one text are not. */
function standardError(texts: readonly Divergence[]): number | null {
  if (texts.length < 2) return null;
  const tokens = texts.reduce((sum, text) => sum + text.tokens, 0);
  const mean = texts.reduce((sum, text) => sum + text.klNats, 0) / tokens;
  const squares = texts.reduce((sum, text) => sum + (text.klNats - mean * text.tokens) ** 2, 0);
  return Math.sqrt((squares * texts.length) / (texts.length - 1)) / tokens;
}

function describe(
  measured: readonly Measured[],
  conversations: readonly Conversation[],
  farConversations: readonly Conversation[],
): Measurement {
  const tokens = conversations.reduce((sum, { answerIds }) => sum + answerIds.length, 0);
  const defaultMode = defaultConfig().quantization;
  const kl = (label: string, part: "served" | "far" = "served"): number =>
    qualityCells(measured.find((entry) => entry.label === label)?.[part] ?? [])[1] as number;
  const modesAlone = (part: "prefilled" | "far"): Cell[][] =>
    measured.filter((entry) => entry[part].length > 0).map((entry) => [`\`${entry.label}\``, ...qualityCells(entry[part])]);
  const farPromptTokens = farConversations[0]?.promptIds.length ?? 0;
  return {
    title: "Quality of quantised weights",
    about: [
      `SmolLM2-135M-Instruct (the Q4_1 file, whose dequantised weights in fp32 are the reference) over ${conversations.length} given answers, ${tokens} tokens, each with`,
      `its prompt in the model's chat template and cut at ${maxTokens} tokens in all. Each answer token is predicted from the true ones before it. KL is`,
      "KL(fp32 ‖ mode), over the whole vocabulary. Deterministic: the machine's load changes nothing.",
    ].join("\n"),
    tables: [
      {
        title: "Modes, as they are served",
        note: `Prompts in chunks and answers token by token, as a server computes them. \`${defaultMode}\` is the default of \`--quantization\`.`,
        columns: [{ heading: "mode" }, { heading: "linear layers" }, { heading: "cache" }, ...qualityColumns],
        rows: measured.map(({ label, plan, served }) => [
          label in quantizationPlans ? `\`${label}\`` : label,
          plan.scheme,
          plan.cacheType,
          ...qualityCells(served),
        ]),
      },
      {
        title: "The same, all in chunks",
        note: "Prompt and answer as one prompt, as for `echo` with log-probabilities.",
        columns: [{ heading: "mode" }, ...qualityColumns],
        rows: modesAlone("prefilled"),
      },
      {
        title: `After ${farPromptTokens} tokens`,
        note: `The ${farTokens} tokens that follow ${farPromptTokens} tokens of one conversation after another, in ${farConversations.length} such texts, as they are served.`,
        columns: [{ heading: "mode" }, ...qualityColumns],
        rows: modesAlone("far"),
      },
    ],
    checks: [
      {
        claim: `KL to fp32 of the default mode, ${defaultMode}`,
        measured: kl(defaultMode),
        unit: "nats a token",
        bound: "at most",
        limit: defaultLimitNats,
      },
      {
        claim: `KL to fp32 of the default mode, ${defaultMode}, after ${farPromptTokens} tokens`,
        measured: kl(defaultMode, "far"),
        unit: "nats a token",
        bound: "at most",
        limit: defaultLimitNats,
      },
      { claim: "KL to fp32 of fp32 decoded token by token", measured: kl("fp32"), unit: "nats a token", bound: "at most", limit: 1e-5 },
    ],
    raw: measured.map(({ label, plan, served, prefilled, far }) => ({ label, plan, served, prefilled, far })),
  };
}
