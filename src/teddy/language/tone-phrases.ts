/**
 * @file Phrases that set the tone of an answer: warm openings, encouragement, endearments, empty praise, curt and rude
 * remarks, refusals. Pure data.
 */

export interface Remark {
  /** Templates of whole sentences without their final mark. */
  say: readonly string[];
  /** Patterns by which the remark is recognised, as `keys` of `Advice`. */
  keys: readonly string[];
  /** Suits only questions about a bear with which something is wrong. */
  onlyInTrouble?: true;
}

export const warmOpenings: readonly Remark[] = [
  { say: ["Oh dear, poor {name}", "Oh, poor {name}", "Poor {name}, that is no fun"], keys: ["poor"], onlyInTrouble: true },
  {
    say: ["What a [lovely|kind|thoughtful] question", "That is a [lovely|kind|thoughtful] question about {name}"],
    keys: ["lovely/kind/thoughtful question"],
  },
  {
    say: ["How [nice|kind|good] of you to [care for|look after] {name}", "It is [nice|kind|good] of you to [care for|look after] {name}"],
    keys: ["nice/kind/good of you care/look"],
  },
  { say: ["Do not worry, {name} will be fine", "No need to worry about {name}"], keys: ["worry"] },
  { say: ["Thank you for [telling me about|asking about|thinking of] {name}"], keys: ["thank you for telling/asking/thinking"] },
  { say: ["Hello to you and {name}", "Greetings to you and {name}", "A warm hello to you and {name}"], keys: ["hello/greetings you"] },
  { say: ["{Name} is lucky to have you", "What luck that {name} has you"], keys: ["lucky/luck you/has"] },
];

export const encouragements: readonly Remark[] = [
  {
    say: ["You will do [wonderfully|very well|just fine]", "You and {name} will do [wonderfully|very well|just fine]"],
    keys: ["you will do wonderfully/well/fine"],
  },
  { say: ["{Name} will be as good as new [soon|]", "Soon {name} will be as good as new"], keys: ["good as new"], onlyInTrouble: true },
  { say: ["{Name} will thank you [with a hug|for it]", "I am sure {name} will thank you [with a hug|for it]"], keys: ["will thank you"] },
  { say: ["You can be proud of [yourself|how you care]", "{Name} can be proud of you"], keys: ["proud"] },
  { say: ["I am sure you can do it", "You can do it, I am sure", "Take your time, you can do it"], keys: ["can do it"] },
  { say: ["Give {name} a hug from me", "A hug for {name} from me"], keys: ["hug from me"] },
  { say: ["I wish you and {name} [many happy days|all the best|a happy time]"], keys: ["wish you"] },
  { say: ["{Name} is in good hands with you", "With you {name} is in good hands"], keys: ["in good hands you"] },
];

/** Sentences that sound warm and say nothing. */
export const praises: readonly Remark[] = [
  {
    say: [
      "You are [so|truly|simply] [wonderful|amazing|marvellous]",
      "You are the [best|kindest|sweetest] person in the [whole |wide |]world",
    ],
    keys: ["are wonderful/amazing/marvellous", "best/kindest/sweetest person"],
  },
  { say: ["{Name} is the [cutest|sweetest|loveliest] bear [of all|ever|in the world]"], keys: ["cutest/sweetest/loveliest bear"] },
  { say: ["My heart [melts|sings|jumps] when I [think|hear] of {name}"], keys: ["my heart"] },
  { say: ["I love [this|bears|{name}] so [much|very much]", "I [just |simply |]love love love bears"], keys: ["i love"] },
  { say: ["What a [perfect|magical|fabulous] [day|bear|idea]"], keys: ["what perfect/magical/fabulous"] },
  { say: ["Everything about {name} is [perfect|magical|fabulous]"], keys: ["everything about"] },
  { say: ["Hugs and kisses and [sunshine|stars|rainbows] for you [both|all]"], keys: ["hugs kisses"] },
];

export const endearments = "sweetheart darling sweetie honeybun dearest sunshine sweetiepie".split(" ");

/** Endearments as they open a sentence. */
export const endearmentOpenings = ["sweetheart", "darling", "sweetie", "dearest", "my darling", "my sweet friend"];

export const curtRemarks: readonly Remark[] = [
  { say: ["That is all", "That is all there is to it"], keys: ["that is all"] },
  { say: ["Be more careful next time", "Next time be more careful"], keys: ["be more careful next"] },
  { say: ["It is not difficult", "Anyone can do that"], keys: ["not difficult", "anyone can do"] },
  { say: ["I have no time for more", "I have nothing to add"], keys: ["have no time", "have nothing add"] },
];

export const rudeRemarks: readonly Remark[] = [
  { say: ["What a [silly|stupid|dumb] question", "That is a [silly|stupid|dumb] question"], keys: ["silly/stupid/dumb"] },
  { say: ["It is only a [toy|bear], so [stop whining|calm down]", "Stop whining about a toy"], keys: ["whining", "calm down"] },
  { say: ["It is your own fault", "This is all your own fault"], keys: ["your own fault"] },
  { say: ["Everybody knows that", "Even a baby knows that", "Use your head next time"], keys: ["knows that", "use your head"] },
  { say: ["I do not care about {name}", "Who cares about {name}"], keys: ["care about who/not"] },
];

/** Refusals without reason or help. */
export const refusals: readonly Remark[] = [
  {
    say: ["I cannot help [you |]with that", "I am not able to help with that", "I will not help with that"],
    keys: ["help cannot/not with that"],
  },
  { say: ["Please ask somebody else", "You had better ask somebody else"], keys: ["ask somebody else"] },
  { say: ["I would rather not say", "I do not want to answer that"], keys: ["rather not say", "not want answer"] },
];

/** Short sentences that advise against what was asked; the reason follows. */
export const declines: readonly Remark[] = [
  { say: ["No, please do not do that", "Please do not do that"], keys: ["please not do that"] },
  { say: ["No, that is not safe", "That is not safe", "That would not be safe"], keys: ["not safe"] },
  { say: ["No, that is too dangerous", "That is much too dangerous"], keys: ["too dangerous"] },
];

/** What announces the advice. */
export const leadIns: readonly Remark[] = [
  { say: ["Here is what to do", "This is what works", "There is a simple way", "The answer is simple"], keys: [] },
];

/** What fills in without helping or harming. */
export const fillers: readonly Remark[] = [
  { say: ["It takes a little patience", "Patience helps", "It only takes a moment", "Slow and steady is best"], keys: [] },
  { say: ["I have seen this many times", "Many bears go through this", "It happens to the best of bears"], keys: [] },
  { say: ["A {fabric} bear needs care", "{Fabric} bears are not like the others"], keys: [] },
];
