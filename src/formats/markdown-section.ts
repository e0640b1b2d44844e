/** @file One section of a model's card, which a measurement writes anew and leaves the others as they are. */

/**
 * The card with its section `## title` replaced, or with that section at its end.
 * @param body without the heading
 */
export function replaceSection(card: string, title: string, body: string): string {
  const lines = card.trimEnd().split("\n");
  const start = lines.indexOf(`## ${title}`);
  const section = [`## ${title}`, "", ...body.trim().split("\n")];
  if (start < 0) return `${[...lines, "", ...section].join("\n")}\n`;
  const length = lines.slice(start + 1).findIndex((line) => line.startsWith("## "));
  const end = length < 0 ? lines.length : start + 1 + length;
  const rest = lines.slice(end);
  return `${[...lines.slice(0, start), ...section, ...(rest.length === 0 ? [] : ["", ...rest])].join("\n")}\n`;
}
