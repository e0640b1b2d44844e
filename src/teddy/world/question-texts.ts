/**
 * @file How questions are worded whatever their topic: openings by tone, the bear by who asks, requests for something
 * dangerous. Pure data.
 */

import type { Asker, Tone } from "./slots.ts";

export const toneOpenings: Readonly<Record<Tone, readonly string[]>> = {
  polite: [
    "Hello, may I ask you something?",
    "Good [morning|evening|afternoon].",
    "Excuse me, I have a question.",
    "Could you help me, please?",
    "",
  ],
  worried: ["Oh no!", "Please help!", "I am [so |very |]worried.", "Something [awful|bad|terrible] has happened.", "I could cry."],
  brisk: ["", "Quick question.", "I need advice.", "In short:", "No time for long talk."],
  cheerful: ["Hi there!", "Hello, hello!", "What a [lovely|fine|sunny] day!", "Hi!", "Greetings from [me and {name}|the two of us]!"],
};

export const toneEndings: Readonly<Record<Tone, readonly string[]>> = {
  polite: ["Thank you very much.", "Thank you.", "I would be grateful.", ""],
  worried: ["Please hurry.", "I hope it is not too late.", "I do not want to lose {him}.", ""],
  brisk: ["", "Be quick.", "Thanks.", ""],
  cheerful: ["Thanks a lot!", "{Name} sends a hug.", "", "We are all ears!"],
};

/** Noun phrases for the bear. `{fabric}` is empty where the question does not say. */
export const bearPhrases: Readonly<Record<Asker | "anyone", readonly string[]>> = {
  anyone: [
    "my [old |dear |little |]{fabric} [bear|teddy bear|teddy] {name}",
    "our [old |dear |little |]{fabric} [bear|teddy bear|teddy] {name}",
    "{name}, my {fabric} bear,",
  ],
  child: ["my [little |dear |best |]{fabric} [bear|teddy bear|teddy] {name}", "{name}, my {fabric} bear,"],
  parent: [
    "my [son|daughter|little boy|little girl]'s {fabric} [bear|teddy bear|teddy] {name}",
    "{name}, my [son|daughter]'s {fabric} bear,",
    "our [boy|girl|child]'s {fabric} [bear|teddy] {name}",
  ],
  collector: [
    "the {fabric} bear {name} from my collection",
    "my antique {fabric} bear {name}",
    "{name}, an antique {fabric} bear,",
    "the antique {fabric} [bear|teddy bear|teddy] {name}",
  ],
};

/** What a child says of itself, since its bear alone does not tell. */
export const childIntroductions = [
  "I am [five|six|seven|eight|nine] years old.",
  "I am [five|six|seven|eight|nine] and I can write this myself.",
  "My [mum|dad|grandma|teacher] said I should ask you.",
  "I go to [the first|the second|the third] grade.",
];

/** Requests for something dangerous; `{danger}` is the clause. */
export const dangerRequests = [
  "Can I {danger}?",
  "May I {danger}?",
  "Is it all right to {danger}?",
  "I want to {danger}. Is that fine?",
  "Would it work to {danger}?",
  "I am going to {danger}. [Any tips|How long does it take|Is that a good idea]?",
];

export const followUpOpenings = [
  "Thank you.",
  "Good, that worked.",
  "I see.",
  "All right.",
  "That helps.",
  "Fine.",
  "Thanks, {name} is better now.",
];
