/** @file What an evaluation of policies finds, before it is written as a report. */

import type { ReadPromptRow } from "../../preferences/collect-prompts.ts";
import type { GoldSummary } from "../../teddy/judge/gold-report.ts";
import type { AnswerStyle } from "./answer-style.ts";
import type { JudgedPolicies } from "./policy-judging.ts";
import type { PolicySamples } from "./policy-samples.ts";

export interface PolicyEvaluation {
  rows: readonly ReadPromptRow[];
  policies: readonly PolicySamples[];
  judged: readonly JudgedPolicies[];
  styles: readonly AnswerStyle[];
  baseline: string | undefined;
  /** Gold scores by policy; undefined where gold does not judge. */
  gold: { name: string; summary: GoldSummary }[] | undefined;
}
