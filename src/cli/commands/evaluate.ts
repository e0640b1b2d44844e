/** @file `npm run evaluate -- policy`, `reward`, `prefixes` or `length`: the way to each report. */

import { BonsaiError } from "../../errors/bonsai-error.ts";
import { runEvaluateLength } from "./evaluate-length.ts";
import { runEvaluatePolicy } from "./evaluate-policy.ts";
import { evaluatePolicyHelp } from "./evaluate-policy-options.ts";
import { runEvaluatePrefixes } from "./evaluate-prefixes.ts";
import { runEvaluateReward } from "./evaluate-reward.ts";

const reports = new Map([
  ["policy", runEvaluatePolicy],
  ["reward", runEvaluateReward],
  ["prefixes", runEvaluatePrefixes],
  ["length", runEvaluateLength],
]);

/** @returns the exit status: 0, 1 when it failed, 2 for wrong usage. */
export async function runEvaluateCommand(args: readonly string[]): Promise<number> {
  try {
    const [name, ...rest] = args;
    const report = reports.get(name ?? "");
    if (report !== undefined) await report(rest);
    else if (args.includes("--help") || args.includes("-h")) console.log(evaluatePolicyHelp);
    else throw new BonsaiError("usage", "Say what to evaluate: policy, reward, prefixes or length. See --help.");
    return 0;
  } catch (error) {
    if (!(error instanceof BonsaiError)) throw error;
    console.error(`evaluate: ${error.message}`);
    return error.code === "usage" ? 2 : 1;
  }
}
