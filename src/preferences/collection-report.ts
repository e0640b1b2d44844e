/**
 * @file The report of a collection: how much was sampled, how many labels of each kind there are, how far judges agree,
 * and which biases they show.
 */

import { agreementOf, type Agreement } from "../statistics/agreement.ts";
import { meanOf, standardDeviation } from "../statistics/moments.ts";
import type { CollectedPrompt, JudgedForm } from "./collection.ts";
import { preferenceOf, type Preference } from "../judges/judges.ts";
import { positionBias } from "../judges/language-model.ts";
import type { PairSelection, SelectionCounts } from "./pair-selection.ts";
import type { PreferenceWriter, WritingOptions } from "./preference-writing.ts";

export interface CollectionReport {
  form: JudgedForm;
  /** All judges; the first one sets the labels. */
  judges: readonly string[];
  writing: WritingOptions;
  /** Sentences on the settings of the policy and its judges. */
  setup: readonly string[];
  /** The command line that made the collection. */
  command: string;
}

/** @param writer after it wrote all rows @returns the report in Markdown */
export function collectionReport(report: CollectionReport, collected: readonly CollectedPrompt[], writer: PreferenceWriter): string {
  const { judges, form } = report;
  return `${[
    "# Collected preferences",
    "",
    ...report.setup,
    "",
    ...countTable(report, collected, writer),
    ...(form === "points" ? [] : ["", ...lengthLines(report, collected)]),
    ...judges.flatMap((judge) => biasLines(judge, collected)),
    ...(form === "points"
      ? ["", "## Marks", "", ...markTable(judges, collected)]
      : ["", "## Verdicts", "", ...verdictTable(judges, collected)]),
    ...(judges.length < 2 ? [] : ["", "## Agreement", "", ...agreementTable(judges, collected)]),
    "",
    "## Made by",
    "",
    "```sh",
    report.command,
    "```",
  ].join("\n")}\n`;
}

function countTable(
  { form, writing }: CollectionReport,
  collected: readonly CollectedPrompt[],
  { counts, threshold }: PreferenceWriter,
): string[] {
  const candidates = collected.flatMap((one) => one.candidates);
  const cut = candidates.filter(({ isCut }) => isCut === true).length;
  const rows: [string, string | number][] = [
    ["prompts", counts.prompts],
    ["answers that read differently", candidates.length],
    ["answers left out that read like another", collected.reduce((sum, { duplicates }) => sum + duplicates, 0)],
    ["answers cut at their greatest length", `${cut} (${percent(cut, candidates.length)})`],
    [`rows (${form}, ${writing.scale})`, counts.rows],
    ["prompts with fewer than two answers to compare", counts.promptsWithoutPairs],
    [`ties (${writing.ties})`, counts.ties],
    ["left out without an opinion of the judge", counts.withoutOpinion],
    ...selectionRows(writing.selection, counts),
    ["left out as written before", counts.repeated],
    ["labels turned by noise", `${counts.flipped} (asked for: ${percent(writing.noise, 1)})`],
    ...(form === "points" && writing.scale === "binary" ? [["good from a mark of", threshold] as [string, number]] : []),
  ];
  return ["| | |", "| --- | ---: |", ...rows.map(([label, value]) => `| ${label} | ${value} |`)];
}

/** A row for each rule of selection in use: the number of pairs that it left out. */
function selectionRows(
  { strongest, lengthPenalty, leastMargin, mostLengthDifference, agreeing }: PairSelection,
  counts: SelectionCounts,
): [string, number][] {
  return [
    ...(leastMargin > 0 ? [[`left out with a margin below ${leastMargin}`, counts.close] as [string, number]] : []),
    ...(mostLengthDifference === undefined
      ? []
      : [[`left out, since the answers differ by more than ${mostLengthDifference} words`, counts.unlikeLengths] as [string, number]]),
    ...(agreeing ? [["left out, since the other answer is better in a dimension", counts.contradicted] as [string, number]] : []),
    ...(strongest === undefined
      ? []
      : [
          [
            `left out beside the ${strongest} strongest of a prompt${lengthPenalty > 0 ? `, each word at ${lengthPenalty}` : ""}`,
            counts.weaker,
          ] as [string, number],
        ]),
  ];
}

/** The accuracy of the rule "longer is better" on these labels: a reward model must be better than that. */
function lengthLines({ judges }: CollectionReport, collected: readonly CollectedPrompt[]): string[] {
  const [judge] = judges;
  let [longer, decided] = [0, 0];
  for (const { candidates, preference, pair } of comparisonsOf(judge!, collected)) {
    const difference = candidates[pair[0]]!.text.length - candidates[pair[1]]!.text.length;
    if (preference === undefined || preference === 0 || difference === 0) continue;
    decided++;
    if (difference > 0 === preference > 0) longer++;
  }
  return [`Of ${decided} decided pairs whose answers differ in length, ${judge} prefers the longer answer in ${percent(longer, decided)}.`];
}

function biasLines(judge: string, collected: readonly CollectedPrompt[]): string[] {
  const orders = collected.flatMap(({ verdicts, rankings }) => [
    ...(verdicts?.[judge] ?? []).flatMap((verdict) => verdict.orders ?? []),
    ...(rankings?.[judge]?.orders ?? []),
  ]);
  if (orders.length === 0) return [];
  const { verdicts, unreadable, forFirst, forSecond, pairs, contradictions } = positionBias(orders);
  return [
    "",
    `${judge} was asked about each pair in both orders. ${unreadable} of ${verdicts} verdicts (${percent(unreadable, verdicts)}) could not be read; such a pair has no label. ` +
      `Position bias: ${percent(forFirst, forFirst + forSecond)} of the ${forFirst + forSecond} verdicts that decide are for the answer shown first (a fair judge: 50%). ` +
      `${contradictions} of ${pairs} pairs (${percent(contradictions, pairs)}) got verdicts that contradict each other, and count as equal.`,
  ];
}

function markTable(judges: readonly string[], collected: readonly CollectedPrompt[]): string[] {
  const rows = judges.map((judge) => {
    const all = collected.flatMap(({ scores }) => scores?.[judge] ?? []);
    const marks = all.flatMap((score) => (score === null ? [] : [score.score]));
    return `| ${judge} | ${marks.length} | ${all.length - marks.length} | ${number(meanOf(marks))} | ${number(standardDeviation(marks))} |`;
  });
  return ["| judge | marks | without opinion | mean | deviation |", "| --- | ---: | ---: | ---: | ---: |", ...rows];
}

function verdictTable(judges: readonly string[], collected: readonly CollectedPrompt[]): string[] {
  const rows = judges.map((judge) => {
    const preferences = [...comparisonsOf(judge, collected)].map(({ preference }) => preference);
    const decided = preferences.filter((preference) => preference === 1 || preference === -1).length;
    const equal = preferences.filter((preference) => preference === 0).length;
    return `| ${judge} | ${decided} | ${equal} | ${preferences.length - decided - equal} |`;
  });
  return ["| judge | decided | equal | without opinion |", "| --- | ---: | ---: | ---: |", ...rows];
}

function agreementTable(judges: readonly string[], collected: readonly CollectedPrompt[]): string[] {
  const preferences = judges.map((judge) => [...comparisonsOf(judge, collected)].map(({ preference }) => preference));
  const rows = judges.flatMap((second, at) =>
    judges.slice(0, at).map((first, before) => {
      const { count, rate, kappa, decidedRate }: Agreement = agreementOf(preferences[before]!, preferences[at]!, 0);
      return `| ${first} and ${second} | ${count} | ${count === 0 ? "–" : number(rate)} | ${kappa === undefined ? "–" : number(kappa)} | ${decidedRate === undefined ? "–" : number(decidedRate)} |`;
    }),
  );
  return [
    "Over pairs that both have an opinion on; verdicts are first, second and equal. Cohen's kappa takes off what chance would give.",
    "",
    "| judges | pairs | agreement | kappa | agreement where both decide |",
    "| --- | ---: | ---: | ---: | ---: |",
    ...rows,
  ];
}

interface Comparison {
  candidates: CollectedPrompt["candidates"];
  pair: readonly [number, number];
  preference: Preference | undefined;
}

/**
 * A judge's preference for each pair, also where it gave ranks or marks. The order of pairs is the same for all judges.
 */
function* comparisonsOf(judge: string, collected: readonly CollectedPrompt[]): Generator<Comparison> {
  for (const { candidates, pairs, verdicts, rankings, scores } of collected) {
    for (const [at, pair] of (pairs ?? []).entries()) yield { candidates, pair, preference: verdicts?.[judge]?.[at]?.preference };
    if (pairs !== undefined) continue;
    const values = rankings === undefined ? scores?.[judge]?.map((score) => score?.score) : rankings[judge]?.ranks?.map((rank) => -rank);
    for (let second = 1; second < candidates.length; second++) {
      for (let first = 0; first < second; first++) {
        const [one, other] = [values?.[first], values?.[second]];
        yield {
          candidates,
          pair: [first, second],
          preference: one === undefined || other === undefined ? undefined : preferenceOf(one - other),
        };
      }
    }
  }
}

function percent(part: number, whole: number): string {
  return whole === 0 ? "–" : `${((100 * part) / whole).toFixed(1)}%`;
}

function number(value: number): string {
  return Number.isFinite(value) ? value.toFixed(3) : "–";
}
