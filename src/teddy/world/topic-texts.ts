/**
 * @file How questions are worded by topic: situations and requests, and the words by which a topic is recognised. Pure
 * data.
 */

import type { Topic } from "./topics.ts";

export interface TopicTexts {
  /** Sentences that set the scene; `{bear}` stands once in each. */
  situations: readonly string[];
  /** Questions, with the bear by name or pronoun. */
  requests: readonly string[];
  /** Patterns of words that only a question about this topic has, as `keys` of `Advice`. */
  keys: readonly string[];
}

export const topicTexts: Readonly<Record<Topic, TopicTexts>> = {
  stain: {
    situations: [
      "{Bear} {event}.",
      "It happened [today|just now|at breakfast|this morning]: {bear} {event}.",
      "You will not believe it, but {bear} {event}.",
    ],
    requests: [
      "How do I get {stain} out of {him}?",
      "How can I clean {name} up again?",
      "What [takes|gets] {stain} out of the fur?",
      "What is the best way to clean {him} up?",
      "What should I do about the {stain}?",
    ],
    keys: ["get/take out", "clean up", "do about"],
  },
  washing: {
    situations: [
      "{Bear} has not had a bath in years.",
      "{Bear} is grey from top to toe.",
      "{Bear} needs a bath.",
      "{Bear} went through a long summer.",
    ],
    requests: [
      "How should I wash {him}?",
      "How do I wash {name}?",
      "Can you tell me how to wash {him}?",
      "What is the right way to wash a bear like {name}?",
    ],
    keys: ["wash"],
  },
  drying: {
    situations: [
      "{Bear} is still wet after {his} bath.",
      "{Bear} fell into the pond.",
      "{Bear} is dripping wet.",
      "{Bear} {event}, and now {he} is wet all over.",
    ],
    requests: [
      "How should I dry {him}?",
      "What is the best way to dry {him}?",
      "How do I get {name} dry?",
      "Where do I put {name} to dry?",
    ],
    keys: ["dry"],
  },
  brushing: {
    situations: [
      "{Bear} is full of knots.",
      "{Bear} looks rough.",
      "The coat of {bear} is not what it was.",
      "{Bear} looks like an old mop.",
    ],
    requests: [
      "How do I make {his} fur smooth again?",
      "How should I brush {him}?",
      "How can I brush {name} without hurting {him}?",
      "What do I do about {his} matted fur?",
    ],
    keys: ["brush", "smooth", "matted"],
  },
  smell: {
    situations: [
      "{Bear} was in the cellar all year.",
      "{Bear} slept next to the dog.",
      "{Bear} has been in a trunk since last spring.",
      "{Bear} {event}, and that was a week ago.",
    ],
    requests: [
      "How do I get rid of the smell?",
      "What helps against the bad smell?",
      "Why does {he} smell, and what can I do?",
      "How can I make {name} smell fresh again?",
    ],
    keys: ["smell"],
  },
  dust: {
    situations: [
      "{Bear} has been on a shelf for years.",
      "{Bear} makes me sneeze.",
      "{Bear} came down from the loft.",
      "{Bear} looks grey.",
    ],
    requests: [
      "How do I get the dust off {him}?",
      "How should I dust {name}?",
      "What helps against dust?",
      "What is a good way to dust a bear?",
    ],
    keys: ["dust"],
  },
  storage: {
    situations: [
      "{Bear} has to leave the room for a while.",
      "We are moving house, and {bear} must wait.",
      "{Bear} will not be needed until next year.",
      "There is no room for {bear} any more.",
    ],
    requests: [
      "How should I store {him}?",
      "How do I store {name} for a year?",
      "What is the best way to store {him}?",
      "How can I store {name} without harm?",
    ],
    keys: ["store"],
  },
  sun: {
    situations: [
      "{Bear} sits at the south window.",
      "{Bear} is paler than last year.",
      "One side of {bear} has lost its colour.",
      "{Bear} loves the window sill.",
    ],
    requests: [
      "How do I keep {him} from fading?",
      "Why does {he} fade, and what can I do?",
      "What stops {name} from fading?",
      "What should I do so that {he} does not fade any more?",
    ],
    keys: ["fade/fading"],
  },
  seam: {
    situations: [
      "{Bear} got caught on a nail.",
      "{Bear} was hugged too hard.",
      "There is a hole under the arm of {bear}.",
      "{Bear} was in a tug of war.",
    ],
    requests: [
      "How do I mend the torn seam?",
      "How can I sew the seam up again?",
      "What is the best way to mend {his} seam?",
      "How should the open seam be mended?",
    ],
    keys: ["seam"],
  },
  eye: {
    situations: [
      "{Bear} looks a little lopsided.",
      "The dog got hold of {bear}.",
      "{Bear} came back from a visit.",
      "{Bear} had an accident.",
    ],
    requests: [
      "One eye is gone. What should I do?",
      "How do I replace {his} lost eye?",
      "{He} has only one eye now. How can I help {him}?",
      "What do I do about the missing eye?",
    ],
    keys: ["eye/eyes"],
  },
  stuffing: {
    situations: ["{Bear} can no longer sit up.", "{Bear} has gone all thin.", "{Bear} was hugged flat.", "The tummy of {bear} is hollow."],
    requests: [
      "How do I stuff {him} again?",
      "What should I stuff {name} with?",
      "What is the right stuffing for {him}?",
      "How can I put new stuffing into {him}?",
    ],
    keys: ["stuff/stuffing"],
  },
  travel: {
    situations: [
      "{Bear} is coming along to the sea.",
      "We are going to visit an aunt, and {bear} is coming too.",
      "{Bear} has never been far from home.",
      "We leave on Friday, and {bear} has to come.",
    ],
    requests: [
      "How should {he} travel?",
      "How do I take {him} on a journey?",
      "What is the best way to travel with {name}?",
      "What does {name} need for the journey?",
    ],
    keys: ["travel/journey"],
  },
  bedtime: {
    situations: [
      "{Bear} is wide awake.",
      "{Bear} is afraid of the dark.",
      "It is late, and {bear} is still sitting there.",
      "{Bear} does not like the night.",
    ],
    requests: [
      "How do I get {him} to sleep?",
      "What helps {name} at bedtime?",
      "How should I put {name} to bed?",
      "What is a good bedtime for {him} like?",
    ],
    keys: ["sleep", "bedtime", "put bed"],
  },
  story: {
    situations: [
      "{Bear} wants to hear something new.",
      "{Bear} is bored.",
      "The day is long, and {bear} has nothing to do.",
      "{Bear} is waiting on the sofa.",
    ],
    requests: [
      "How do I make up a story about {him}?",
      "How does a good story for {name} begin?",
      "How can I tell {name} a story?",
      "What should a story about {him} have in it?",
    ],
    keys: ["story"],
  },
  naming: {
    situations: [
      "{Bear} has a new friend.",
      "{Bear} got a little sister.",
      "A second one came to live with {bear}.",
      "{Bear} is not alone any more.",
    ],
    requests: [
      "What should we name the new one?",
      "How do I find a name for the new bear?",
      "How does one choose a good name?",
      "Can you help me with a name for the newcomer?",
    ],
    keys: ["name"],
  },
  gift: {
    situations: [
      "{Bear} is going to live with a friend.",
      "I am giving {bear} to my cousin.",
      "{Bear} will be a surprise.",
      "{Bear} will move to a new family.",
    ],
    requests: [
      "How do I make {him} a nice gift?",
      "How should I wrap a gift like {him}?",
      "What makes {name} a good present?",
      "How can I hand over such a present?",
    ],
    keys: ["gift/present"],
  },
  birthday: {
    situations: [
      "{Bear} is a year older on Sunday.",
      "It is a big day for {bear}.",
      "{Bear} turns ten this week.",
      "{Bear} came to us a year ago.",
    ],
    requests: [
      "How do we celebrate {his} birthday?",
      "What do I do for {his} birthday?",
      "What belongs to a bear's birthday?",
      "How can I make {his} birthday nice?",
    ],
    keys: ["birthday"],
  },
  sharing: {
    situations: [
      "Everyone wants to hold {bear}.",
      "There is always a quarrel about {bear}.",
      "A friend comes to play with {bear}.",
      "The guests all reach for {bear}.",
    ],
    requests: [
      "How can we share {him}?",
      "How do I share {name} without tears?",
      "What helps when people have to share a bear?",
      "How does one share {him} fairly?",
    ],
    keys: ["share"],
  },
  teaparty: {
    situations: [
      "{Bear} has invited guests.",
      "{Bear} would like some company.",
      "On Saturday {bear} will be the host.",
      "{Bear} is hungry for cake.",
    ],
    requests: [
      "How do I hold a tea party for {him}?",
      "What do I need for a tea party with {name}?",
      "How does a bears' tea party go?",
      "What belongs to a good tea party?",
    ],
    keys: ["tea party"],
  },
  cold: {
    situations: [
      "{Bear} wants to see the snow.",
      "{Bear} is coming along to the ice.",
      "There is snow outside, and {bear} is curious.",
      "{Bear} was on the sledge all day.",
    ],
    requests: [
      "How do I keep {him} warm in the cold?",
      "What does {name} need in the cold?",
      "What helps against the cold?",
      "How can {he} go out in this cold?",
    ],
    keys: ["cold"],
  },
  lost: {
    situations: [
      "{Bear} did not come home with us.",
      "{Bear} was on the bus with me.",
      "I looked everywhere for {bear}.",
      "{Bear} was last seen in the park.",
    ],
    requests: [
      "{He} is lost. What should I do?",
      "How do I find {him} again?",
      "What can I do to find {name}?",
      "Where does one look for a lost bear?",
    ],
    keys: ["lost", "find again", "do find"],
  },
};
