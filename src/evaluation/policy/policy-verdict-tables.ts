/**
 * @file Judges' verdicts on policies as Markdown: win rates with what length accounts for, and mean scores by
 * dimension.
 */

import type { Share } from "../../statistics/intervals.ts";
import { positionBias } from "../../judges/language-model.ts";
import type { JudgedPolicies } from "./policy-judging.ts";
import type { WinRates } from "../win-rates.ts";

/** Win rates over the baseline: a row for each policy and judge. Nothing where no judge compared. */
export function winTable(judged: readonly JudgedPolicies[], baseline: string | undefined): string[] {
  const rows = judged.flatMap(({ judge, wins }) =>
    [...wins].map(([name, rates]) => `| ${name} | ${judge} | ${cells(rates).join(" | ")} |`),
  );
  if (rows.length === 0) return [];
  const titles = [`better than ${baseline}`, "of like lengths", "length-controlled", "longer is better", "no opinion"];
  return [
    `| | judge | ${titles.join(" | ")} |`,
    `| --- | --- |${titles.map(() => " ---: |").join("")}`,
    ...rows,
    "",
    "Shares stand with 95% intervals over prompts; each answer is compared with the baseline's answer of the same number, and a tie counts half. " +
      "Of like lengths are answers whose numbers of words differ by at most a tenth. Length-controlled is the rate that a logistic regression on the " +
      "difference of words has where there is none (Dubois et al. 2024). Longer is better: how often the longer of the two answers won, whichever policy wrote it.",
    ...judged.flatMap(({ judge, orders }) => biasLines(judge, orders)),
  ];
}

function cells({ all, alike, controlled, longer, withoutOpinion }: WinRates): string[] {
  const alikeText = alike === undefined ? "" : `${shareText(alike)}, ${alike.cases} pairs`;
  return [shareText(all), alikeText, shareText(controlled), shareText(longer), String(withoutOpinion)];
}

/** A share and its 95% interval. */
export function shareText(share: Pick<Share, "share" | "low" | "high"> | undefined): string {
  return share === undefined ? "" : `${share.share.toFixed(3)} (${share.low.toFixed(3)} to ${share.high.toFixed(3)})`;
}

function biasLines(judge: string, orders: JudgedPolicies["orders"]): string[] {
  if (orders.length === 0) return [];
  const { verdicts, unreadable, forFirst, forSecond, pairs, contradictions } = positionBias(orders);
  const share = (part: number, whole: number): string => (whole === 0 ? "none" : `${((100 * part) / whole).toFixed(1)}%`);
  return [
    "",
    `${judge} was asked about each pair in both orders: ${share(unreadable, verdicts)} of ${verdicts} verdicts could not be read, ` +
      `${share(forFirst, forFirst + forSecond)} of those that decide are for the answer shown first (a fair judge: 50%), and ` +
      `${share(contradictions, pairs)} of ${pairs} pairs got verdicts that contradict each other and count as ties.`,
  ];
}

/** Mean scores of judges that give some: a row for each judge and dimension, a column for each policy. */
export function scoreTable(judged: readonly JudgedPolicies[]): string[] {
  const names = [...new Set(judged.flatMap(({ scores }) => [...scores.keys()]))];
  const rows = judged.flatMap(({ judge, scores }) => {
    const dimensions = new Set([...scores.values()].flatMap((means) => [...means.keys()]));
    return [...dimensions].map((dimension) => {
      const means = names.map((name) => {
        const found = scores.get(name)?.get(dimension);
        return found === undefined ? "" : `${found.mean.toFixed(3)} ± ${found.margin.toFixed(3)}`;
      });
      return `| ${dimension === "" ? judge : `${judge}: ${dimension}`} | ${means.join(" | ")} |`;
    });
  });
  if (rows.length === 0) return [];
  return [`| mean score | ${names.join(" | ")} |`, `| --- |${names.map(() => " ---: |").join("")}`, ...rows];
}
