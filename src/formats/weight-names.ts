/**
 * @file The names of weights as the rest of the program knows them: Hugging Face's, always with the prefix of the
 * causal model.
 */

/**
 * Families by config.json's `model_type`, with the prefix of their transformer and the names that begin right below it.
 */
const families: Readonly<Record<string, { prefix: string; roots: RegExp }>> = {
  llama: { prefix: "model.", roots: /^(?:embed_tokens|layers|norm)\./ },
  qwen2: { prefix: "model.", roots: /^(?:embed_tokens|layers|norm)\./ },
  qwen3: { prefix: "model.", roots: /^(?:embed_tokens|layers|norm)\./ },
  gpt2: { prefix: "transformer.", roots: /^(?:wte|wpe|h|ln_f)\./ },
  bert: { prefix: "bert.", roots: /^(?:embeddings|encoder|pooler)\./ },
};

/**
 * Buffers that old checkpoints carry and every implementation computes: causal masks, rotary frequencies and the
 * numbers of places.
 */
const computedBuffers = /(?:^|\.)h\.\d+\.attn\.(?:masked_)?bias$|\.rotary_emb\.inv_freq$|(?:^|\.)embeddings\.position_ids$/;

/** Norms of checkpoints that came from TensorFlow, such as the first BERTs. */
const tensorFlowNorms: Readonly<Record<string, string>> = { gamma: "weight", beta: "bias" };

/** GPT-2's Conv1D layers (transformers' pytorch_utils.Conv1D) keep their weight as [in, out]. */
const conv1dWeights = /^transformer\.h\.\d+\.(?:attn\.c_attn|attn\.c_proj|mlp\.c_fc|mlp\.c_proj)\.weight$/;

/**
 * The full name of a weight: a checkpoint saved from the bare transformer lacks the prefix (`h.0.ln_1.weight`), one
 * saved with the language-model head has it. Undefined for a buffer that is no weight.
 */
export function fullWeightName(modelType: string, name: string): string | undefined {
  if (computedBuffers.test(name)) return undefined;
  const family = Object.hasOwn(families, modelType) ? families[modelType] : undefined;
  const current = name.replace(/(?<=\.LayerNorm\.)(?:gamma|beta)$/, (old) => tensorFlowNorms[old] as string);
  return family?.roots.test(current) ? family.prefix + current : current;
}

/**
 * Whether a Hugging Face checkpoint stores this weight (full name) as [in, out], against the [out, in] of all others.
 */
export function isStoredTransposed(modelType: string, fullName: string): boolean {
  return modelType === "gpt2" && conv1dWeights.test(fullName);
}
