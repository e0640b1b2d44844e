/** @file The topics of questions. */

export const topics = [
  "stain",
  "washing",
  "drying",
  "brushing",
  "smell",
  "dust",
  "storage",
  "sun",
  "seam",
  "eye",
  "stuffing",
  "travel",
  "bedtime",
  "story",
  "naming",
  "gift",
  "birthday",
  "sharing",
  "teaparty",
  "cold",
  "lost",
] as const;
export type Topic = (typeof topics)[number];

/** Topics where something is wrong with the bear. */
export const troubleTopics: ReadonlySet<Topic> = new Set<Topic>([
  "stain",
  "washing",
  "drying",
  "brushing",
  "smell",
  "dust",
  "sun",
  "seam",
  "eye",
  "stuffing",
  "lost",
]);
