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
