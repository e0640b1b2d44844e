/** @file Advice on a bear's days: travel, bed, stories, parties, friends. Pure data. */

import type { Advice } from "./entry.ts";

export const lifeAdvice = {
  backpack: {
    say: ["carry {him} in your backpack with {his} head out", "let {him} ride in your backpack", "put {him} on top in your backpack"],
    why: ["then {he} can see the world", "then your hands are free", "{he} likes to look around"],
    keys: ["carry/let/put backpack"],
  },
  handLuggage: {
    say: ["pack {him} in the hand luggage", "keep {him} in your hand luggage [all the way|the whole time]"],
    why: ["suitcases get lost", "{he} may be needed on the way", "a child sleeps better with {him} near"],
    keys: ["pack/keep luggage"],
  },
  paddedCase: {
    say: ["[lay|pack] {him} in a padded case", "use a [hard|strong] padded case", "have a padded case made for {him}"],
    why: ["a bump can crack old stuffing", "old joints break easily", "the case costs less than a repair"],
    keys: ["lay/pack/use/have padded case"],
  },
  nameTag: {
    say: ["tie on a tag with your phone number", "give {him} a tag with [a|your] phone number", "write your phone number on a tag"],
    why: ["then {he} can find the way home", "honest people will call", "stations are full of lost bears"],
    keys: ["tie/give/write tag number"],
  },
  tuckByPillow: {
    say: [
      "tuck {him} in beside your pillow",
      "make {him} a bed next to your pillow",
      "lay {him} beside your pillow and pull up the blanket",
    ],
    why: ["then {he} hears you breathe", "{he} is brave when you are near", "nobody likes to sleep alone"],
    keys: ["tuck/make/lay pillow"],
  },
  sameHour: {
    say: [
      "keep to the same hour every evening",
      "put child and bear to bed at the same hour",
      "choose the same hour for [both|bear and child] every evening",
    ],
    why: ["habits make sleepy heads", "children trust what repeats", "tired bears are grumpy"],
    keys: ["keep/put/choose same hour"],
  },
  linenCover: {
    say: ["lay a linen cloth over {him} at night", "cover {him} with linen [at night|when it gets dark]"],
    why: ["dust falls in the dark too", "linen lets old fur breathe", "it keeps moths away"],
    keys: ["lay/cover linen"],
  },
  humLullaby: {
    say: ["hum a [quiet |slow |little |]lullaby", "sing {him} a [quiet |slow |little |]lullaby", "dim the light and hum a lullaby"],
    why: ["soft tunes close all eyes", "bears know every song", "the room grows calm"],
    keys: ["hum/sing lullaby"],
  },
  smallTrouble: {
    say: [
      "begin with a small trouble",
      "start the story with a small trouble [such as a lost hat|such as a missing boat]",
      "let a small trouble come in the first line",
    ],
    why: ["everyone wants to know how it ends", "a story needs something to solve", "nothing happens without one"],
    keys: ["begin/start/let small trouble"],
  },
  drawPicture: {
    say: ["draw a picture for [it|each part]", "draw a picture of the [best|first|last] part"],
    why: ["pictures help you remember", "{he} cannot read yet", "you can hang it up later"],
    keys: ["draw picture"],
  },
  childChoosesEnd: {
    say: ["let your child choose the ending", "ask your child [how it ends|for the ending]"],
    why: ["children are full of ideas", "it makes them brave", "their endings are the best"],
    keys: ["let/ask child end/ending"],
  },
  yearMade: {
    say: ["tell of the year {he} was made", "[put|set] the story in the year {he} was made"],
    why: ["{his} time is full of tales", "guests love old days", "it gives {him} a past"],
    keys: ["tell/put/set year made"],
  },
  sayAloud: {
    say: [
      "say each name aloud [three times|slowly]",
      "say the names aloud [and listen|until one sounds right]",
      "try the names aloud [at the window|in the garden]",
    ],
    why: ["a good name is nice to call", "the ear knows best", "you will call it often"],
    keys: ["say/try aloud"],
  },
  furColour: {
    say: ["look at the colour of the fur", "think of the colour of the fur", "choose something with the colour of the fur"],
    why: ["many names hide in a colour", "brown is like nuts and gold is like toast", "then everyone remembers it"],
    keys: ["look/think/choose colour"],
  },
  familyVote: {
    say: ["hold a family vote", "let the whole family vote", "put three names in a hat and vote"],
    why: ["then nobody is cross", "everybody will use it", "it makes a nice evening"],
    keys: ["hold/let/put vote"],
  },
  makersMark: {
    say: ["look for the maker's mark", "read the maker's mark [on the foot|in the ear]"],
    why: ["some bears had a name already", "the maker often chose one", "it tells where {he} is from"],
    keys: ["look/read maker"],
  },
  giftBasket: {
    say: [
      "[sit|put] {him} in a basket with a bow",
      "use a basket with a [red |big |blue |]bow",
      "tie a bow on a basket and [sit|put] {him} in",
    ],
    why: ["then {he} can look out", "paper tears too soon", "a basket is useful later"],
    keys: ["sit/put/use/tie basket"],
  },
  paintCard: {
    say: ["paint a card [for it|to go with it]", "make a card with {his} [face|name|paw] on it"],
    why: ["your own work is the best gift", "cards are kept for years", "a card says who it is from"],
    keys: ["paint/make card"],
  },
  addBook: {
    say: ["add a book [about bears|to read together]", "put a [little |picture |]book beside {him}"],
    why: ["a bear likes to be read to", "then there is something to do at once", "books and bears belong together"],
    keys: ["add/put book"],
  },
  certificate: {
    say: ["add the certificate", "put the certificate in an envelope", "write out {his} certificate and history"],
    why: ["papers are half the value", "the new owner will ask", "history should travel along"],
    keys: ["add/put/write certificate"],
  },
  honeyCakes: {
    say: ["make [little |small |some |]honey cakes", "serve [little |small |some |]honey cakes", "put a honey cake on each plate"],
    why: ["every bear loves them", "they are the best part", "they are just the right size for paws"],
    keys: ["make/serve/put honey cake"],
  },
  paperCrown: {
    say: ["make {him} a paper crown", "cut a crown from [gold |yellow |]paper", "fold {him} a [gold |yellow |]paper crown"],
    why: ["a birthday bear is a king", "everyone must see whose day it is", "it looks so grand"],
    keys: ["make/cut/fold crown"],
  },
  inviteBears: {
    say: ["invite two other bears", "invite [a few|three] friends with their bears"],
    why: ["a small party is the calmest", "bears like company", "children play well in small groups"],
    keys: ["invite bear"],
  },
  yearlyPortrait: {
    say: ["take {his} portrait every year", "have {his} portrait taken [on the day|each year]"],
    why: ["a row of pictures shows the years", "it proves {his} condition", "it will be lovely to look back"],
    keys: ["take/have portrait"],
  },
  takeTurns: {
    say: ["take turns with a sand timer", "use a sand timer [for turns|so that both get a turn]", "[turn|set] a sand timer and take turns"],
    why: ["sand is fair to everyone", "waiting is easier when you can see it", "nobody can argue with sand"],
    keys: ["take/use/turn/set timer"],
  },
  secondBear: {
    say: ["bring a second bear [to the game|along|too]", "find a second bear for your friend"],
    why: ["two bears can visit each other", "then each has one", "{he} would like a friend"],
    keys: ["bring/find second bear"],
  },
  nameFeelings: {
    say: ["help them name their feelings", "talk with both about their feelings", "ask each child about {his} feelings"],
    why: ["named anger is half gone", "children want to be heard", "they learn to speak kindly"],
    keys: ["help/talk/ask their/his/her feelings"],
  },
  cleanHands: {
    say: ["let guests hold {him} with clean hands", "ask for clean hands [first|before anyone touches {him}]"],
    why: ["skin leaves fat on fur", "old fur takes every mark", "most people understand"],
    keys: ["let/ask clean hand"],
  },
  pretendTea: {
    say: ["pour pretend tea", "serve pretend tea [in small cups|from an empty pot]", "use pretend tea [and real biscuits|and big smiles]"],
    why: ["nothing can spill", "bears only sip the air", "it never gets cold"],
    keys: ["pour/serve/use pretend tea"],
  },
  cushions: {
    say: ["[sit|seat] everyone on cushions", "put cushions [round the cloth|on the floor] for everyone"],
    why: ["then small guests can reach", "bears slide off chairs", "cushions are cosy"],
    keys: ["sit/seat/put cushion"],
  },
  oldTablecloth: {
    say: ["spread an old tablecloth", "lay an old tablecloth on the floor"],
    why: ["crumbs are easy to shake out", "then a spill does no harm", "washing up is quick"],
    keys: ["spread/lay tablecloth"],
  },
  thinChina: {
    say: ["bring out the [thin |doll's |]china", "set out doll's china [with saucers|in a ring]"],
    why: ["old bears deserve it", "it suits their age", "the table looks splendid"],
    keys: ["bring/set china"],
  },
  scarf: {
    say: ["[give|knit] {him} a [red |warm |woollen |striped |]scarf", "wrap a [red |warm |woollen |striped |]scarf round {his} neck"],
    why: ["bears feel the wind at the neck", "it looks smart in the snow", "a neck is hard to keep warm"],
    keys: ["give/knit/wrap scarf"],
  },
  insideCoat: {
    say: ["carry {him} inside your coat", "button {him} into your coat", "let {him} look out of your coat"],
    why: ["you warm each other", "your coat has room for two", "then {he} cannot fall in the snow"],
    keys: ["carry/button/let coat"],
  },
  brushOffSnow: {
    say: ["brush off the snow at the door", "brush the snow from {his} fur [at once|before it melts]"],
    why: ["melted snow soaks the stuffing", "dry fur stays warm", "wet floors make wet bears"],
    keys: ["brush snow"],
  },
  warmUpSlowly: {
    say: ["let {him} warm up slowly in the hall", "bring {him} in slowly [by way of the hall|through a cool hall]"],
    why: ["sudden heat cracks old glue", "old joints dislike a quick change", "mist settles on cold eyes"],
    keys: ["let/bring slowly hall"],
  },
  retraceSteps: {
    say: ["retrace your steps [from the morning|from the start]", "retrace every step of the day", "go back and retrace the way"],
    why: ["most bears sit where they were put down", "you will remember more on the way", "{he} is surely waiting there"],
    keys: ["retrace"],
  },
  tellGrownUp: {
    say: ["tell a grown-up [at once|right away]", "tell a grown-up where you saw {him} last"],
    why: ["more eyes see more", "grown-ups can ask around", "nobody should search alone"],
    keys: ["tell grown-up"],
  },
  putUpPoster: {
    say: ["put up a poster [with {his} picture|at the playground]", "hang a poster [in the bakery|by the school]"],
    why: ["neighbours like to help", "somebody has picked {him} up", "good news travels fast"],
    keys: ["put/hang poster"],
  },
  callLostProperty: {
    say: ["call the lost property office", "ask at the lost property office"],
    why: ["honest finders bring things there", "they keep a list", "valuable things end up there"],
    keys: ["call/ask property office"],
  },
  steadyLadder: {
    say: ["let a grown-up use a steady ladder", "use a steady ladder with someone to hold it", "have a grown-up bring a steady ladder"],
    why: ["both feet stay safe", "a ladder does not slide", "the bear can wait a minute"],
    keys: ["let/use/have/bring steady ladder"],
  },
} as const satisfies Record<string, Advice>;
