/** @file The sentences of letters, postcards, diaries and shop notes. Slots as in stories. Pure data. */

import type { Asker } from "../world/slots.ts";
export const salutations = ["Dear {friend},", "My dear {friend},", "Hello {friend},", "Dear {elder},", "Good day, {friend}!"];

export const letterNews = [
  "we have been in {town} for {number} days now, and {name} is {mood}.",
  "today I have to tell you about {name}.",
  "{weather}, and we are all {mood}.",
  "{name} and I are sitting in {place} and thinking of you.",
  "thank you for {thing}; {name} plays with it every day.",
  "you asked how {name} is, and the answer is: {mood}.",
  "please forgive me for not writing for {number} weeks.",
];

export const letterMiddle = [
  "Next to {place} there is a {small} shop that sells {thing} and {food}.",
  "{name} fell asleep in {place} and did not hear {animal}.",
  "I have learned to make {food}, and {elder} says that it is not bad.",
  "Do you still have {thing}?",
  "At night I can hear something {sound}, and then I think of {place}.",
  "Our neighbour has {animal}, and it is {mood}.",
  "If you come to {town}, bring {food}.",
  "{name} is sitting on {thing} while I write this.",
  "Yesterday we went to {place} and saw {animal}.",
  "There was {food} for lunch, and {name} sat in my lap.",
  "{elder} showed us {thing}, and we were allowed to hold it.",
  "In the night something was {sound}, but {name} was not afraid.",
  "We played {game} until it was dark.",
  "{name} has a new scarf, which {elder} knitted in {number} evenings.",
  "I have found {thing} and I will bring it for you.",
  "It is a pity that you cannot see the {small} house where we live.",
  "{child} has made friends with {animal}.",
  "On Monday we will go to {place}, if the weather is fine.",
  "The only trouble was that {name} {event}.",
  "{elder} said that we should {clause}, and it worked.",
  "Do you know why {elder} said so? {Why}.",
  "A man in {place} told us to {danger}, but that is not safe, because {dangerWhy}.",
  "Every evening I tell {name} about you and {thing}.",
  "{he} says nothing, but I can see that {he} misses you.",
];

export const letterClosings = [
  "With love, {child}",
  "Yours, {child} and {name}",
  "Many greetings from {town}, {child}",
  "Until soon, {child}",
  "A hug from {name} and from me, {child}",
];

export const diaryOpenings = [
  "Dear diary,",
  "Monday.",
  "Tuesday.",
  "Wednesday.",
  "Thursday.",
  "Friday.",
  "Saturday.",
  "Sunday.",
  "{time}.",
];

export const diarySentences = [
  "{animal} has moved in behind {place}.",
  "{child} built a {small} tower with {thing} and put me on top.",
  "I counted {number} clouds and one {small} aeroplane.",
  "They left me in {place} for {number} minutes, which is long for a bear.",
  "{elder} said that I look {mood}, but I always look like this.",
  "I was allowed to sit next to the {food}.",
  "If I could speak, I would tell {friend} about {thing}.",
  "I am {name}, and I am {mood} today.",
  "{child} took me to {place}.",
  "I sat next to {thing} and thought about {food}.",
  "{weather}.",
  "There was {animal} at the window, and we looked at each other for a long time.",
  "I wish I could [play|climb|sing|fly] like {animal}.",
  "{friend} came and wanted to play {game} with me.",
  "Nobody asked me, but I would have liked {food}.",
  '{elder} said: "{Clause}."',
  "{Why}, they say, and I believe it.",
  "Then I heard that somebody wanted to {danger}. I am glad that {elder} said no.",
  "My {part} are a little cold.",
  "At {number} o'clock the whole house was {sound}.",
  "I am made of {fabricNoun}, and I am proud of it.",
  "Tomorrow will be [a long day|a better day|my birthday|a day like any other], I think.",
  "Being a bear is [easy|hard|wonderful] when you are {mood}.",
  "I was {sad} for a while, but then {child} came and held me.",
];

export const shopNotes = [
  "For sale: {name}, a {colour} {fabric} bear, about {number} inches tall, with [short|long|round|sturdy] {part}.",
  "{name} was made in {town} and has belonged to {number} families.",
  "{his} {part} are [worn|like new|a little pale|carefully mended].",
  "{he} comes with {thing} and [a certificate|a box|a letter|a warm scarf].",
  "How to care for {him}: {clause}. {Why}.",
  "{Clause}, and {he} will [stay beautiful|last for many years|give joy to your children].",
  "Please never {danger}, because {dangerWhy}.",
  "{he} is looking for a {good} home with a {good} child.",
  "Ask for {name} at the {small} shop near {place}.",
  "Whoever takes {him} home will be {mood}.",
];

/** Whom a list of advice is for decides some of it, so its title says so. */
export const careCardTitles: Readonly<Record<Asker, string>> = {
  child: "For children: how to look after {bear}",
  parent: "For parents: how to look after {bear}",
  collector: "For collectors: how to look after {bear}",
};

export const columnGreetings = ["Dear Aunt Bruin,", "Dear Bear Doctor,", "To the bear page,", "Dear editor,"];
export const columnSignatures = [
  "A worried friend of bears",
  "{child}, {number}",
  "{child} from {town}",
  "Yours, {child}",
  "A reader from {town}",
];
export const columnAnswers = ["Aunt Bruin answers:", "The bear doctor answers:", "Our answer:", "A reply:"];

export const speakers = [
  "Customer: / Bear doctor: ",
  "Question: / Answer: ",
  "{child}: / {elder}: ",
  "Visitor: / Shopkeeper: ",
  "Q: / A: ",
  "- / - ",
];
