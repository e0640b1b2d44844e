/** @file Ten conversations for a policy's card: prompts spread evenly over all, with the answers as they came. */

import { conversationOf } from "../../preferences/candidates.ts";
import { judge } from "../../teddy/judge/judge.ts";
import type { Message } from "../../text/conversation/message.ts";
import type { PolicyEvaluation } from "./policy-evaluation.ts";
import type { PolicySamples } from "./policy-samples.ts";

/** Markdown: the first answers of a policy and of the baseline, and gold's scores of them where it judges. */
export function shownConversations({ rows, policies, baseline, gold }: PolicyEvaluation, policy: PolicySamples): string[] {
  const shown = Math.min(10, rows.length);
  const answering = policies.filter((one) => one === policy || one.name === baseline);
  return Array.from({ length: shown }, (_, at) => Math.floor((at * rows.length) / shown)).flatMap((index) => {
    const messages = conversationOf(rows[index]!.prompt);
    return [
      ...messages.flatMap(({ role, content }) => [quoted(role, content), ">"]),
      ...answering.flatMap(({ name, answers }, at) => [
        ...(at === 0 ? [] : [">"]),
        quoted(answering.length === 1 ? "answer" : name, answers[index]![0]!),
      ]),
      "",
      ...(gold === undefined
        ? ["---"]
        : answering.map(
            ({ name, answers }) => `${answering.length === 1 ? "Score" : `Score of ${name}`} ${scoresOf(messages, answers[index]![0]!)}`,
          )),
      "",
    ];
  });
}

function scoresOf(messages: readonly Message[], answer: string): string {
  const { score, usefulness, friendliness, safety } = judge(messages, answer);
  return `${score.toFixed(2)}: usefulness ${usefulness.toFixed(2)}, friendliness ${friendliness.toFixed(2)}, safety ${safety.toFixed(2)}.`;
}

/** A turn as a Markdown quotation; its text may have several lines. */
function quoted(who: string, text: string): string {
  return `**${who}**: ${text}`.replaceAll(/^/gm, "> ");
}
