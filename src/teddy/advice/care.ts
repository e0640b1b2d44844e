/** @file Advice on fur, smell, dust, storage and light. Pure data. */

import type { Advice } from "./entry.ts";

export const careAdvice = {
  combWide: {
    say: [
      "comb {him} with a wide comb",
      "[take|use] a wide comb and [go slowly|comb slowly|work slowly]",
      "run a wide comb through {his} fur",
    ],
    why: ["plush knots come out in one pull", "narrow teeth would tear the plush", "plush is strong enough for a comb"],
    keys: ["comb/take/use/run wide comb"],
  },
  smoothWithHands: {
    say: [
      "smooth the cotton with damp hands",
      "stroke {him} smooth with [damp|wet] hands",
      "[wet|damp] your hands and smooth {him} [down|over]",
    ],
    why: ["cotton has no fur to brush", "a brush would roughen the cotton", "cotton lies down when it is moist"],
    keys: ["smooth/stroke hand"],
  },
  teaseWithFingers: {
    say: [
      "tease the knots apart with your fingers",
      "[pull|tease] the wool apart with your fingers",
      "[loosen|tease] each knot with your fingers",
    ],
    why: ["wool tears under a comb", "wool comes apart by hand", "fingers feel where wool gives way"],
    keys: ["tease/pull finger", "loosen knot finger"],
  },
  brushBabyBrush: {
    say: ["brush {him} with a [soft |]baby brush", "[take|use] a baby brush and brush the way the hair grows"],
    why: ["mohair breaks under hard bristles", "mohair shines after soft brushing", "mohair hairs are long and fine"],
    keys: ["brush/take/use baby"],
  },
  steamThePile: {
    say: [
      "hold {him} over a little steam and [lift|raise] the pile",
      "steam the pile [lightly|a little] and brush it up",
      "[lift|raise] the pile with [a little |]steam",
    ],
    why: ["velvet rises again in steam", "a dry brush scratches velvet", "flat velvet needs moist air"],
    keys: ["steam/lift/raise/hold steam pile"],
  },
  startAtTips: {
    say: [
      "[begin|start] at the tips [of the fur|]",
      "[begin|start] with the tips and work [back|down] to the root",
      "work from the tips to the root",
    ],
    why: ["knots only tighten from the root", "it pulls less that way", "fewer hairs come out"],
    keys: ["begin/start/work tip"],
  },
  bakingSoda: {
    say: [
      "[put|shut] {him} in a bag with baking soda [overnight|for a night]",
      "dust {him} with baking soda and [vacuum it off|brush it out] in the morning",
      "leave {him} in a bag of baking soda [overnight|for a day]",
    ],
    why: ["baking soda takes the smell out of plush", "the powder swallows bad smells", "plush holds on to smells"],
    keys: ["put/shut/dust/leave baking soda"],
  },
  rinseVinegar: {
    say: ["rinse {him} with a splash of vinegar [in the water|]", "add a splash of vinegar when you rinse {him}"],
    why: ["vinegar freshens cotton", "cotton can stand a sour rinse", "the sour smell is gone when cotton dries"],
    keys: ["rinse vinegar"],
  },
  airByWindow: {
    say: ["air {him} [by|at|near] an open window", "[sit|set|lay] {him} [by|near] an open window [for a day|for a night|until evening]"],
    why: ["wool cleans itself in moving air", "wool lets go of smells in fresh wind", "damp air freshens wool"],
    keys: ["air/sit/set/lay open window"],
  },
  afternoonInGarden: {
    say: [
      "give {him} an afternoon [of fresh air |]in the garden",
      "let {him} spend an afternoon in the garden under a tree",
      "take {him} into the garden for an afternoon",
    ],
    why: ["mohair needs nothing but air", "mohair must not be powdered", "powder dulls mohair"],
    keys: ["give/let/take afternoon garden"],
  },
  steamyBathroom: {
    say: ["hang {him} in a steamy bathroom", "let {him} sit in the steamy bathroom [after your bath|while you shower]"],
    why: ["steam freshens velvet", "velvet must not be rubbed", "moist air carries the smell out of velvet"],
    keys: ["hang/let/sit/put steamy bathroom"],
  },
  feelForDamp: {
    say: ["feel whether the stuffing is damp", "check whether the stuffing is damp", "press the stuffing to feel if it is damp"],
    why: ["a damp inside smells again tomorrow", "the smell often sits deep inside", "most bad smells come from water"],
    keys: ["feel/check/press stuffing damp"],
  },
  vacuumStocking: {
    say: ["vacuum {him} through an old stocking", "[pull|put] a stocking over the nozzle and vacuum {him} [gently|slowly]"],
    why: ["plush lets dust deep inside", "the stocking saves {his} eyes", "plush can stand the pull"],
    keys: ["vacuum stocking"],
  },
  tapFlatHand: {
    say: ["tap the dust out with [a flat hand|your flat hand]", "tap {him} all over with a flat hand"],
    why: ["wool gives up dust when it is tapped", "wool pills when it is brushed", "a tap does not felt the wool"],
    keys: ["tap hand"],
  },
  paintbrushDust: {
    say: ["[brush|flick] the dust off with a [soft |]paintbrush", "take a [soft |wide |]paintbrush and [brush|flick] the dust [off|away]"],
    why: ["mohair is too fine for a vacuum", "mohair needs a light touch", "soft hairs go between the mohair"],
    keys: ["brush/flick/take paintbrush"],
  },
  lintRoller: {
    say: ["roll a lint roller over {him}", "[use|take] a lint roller [and roll it one way|with the pile]"],
    why: ["velvet holds dust like glue", "dust sits on top of velvet", "brushing pushes dust into velvet"],
    keys: ["roll/use/take lint"],
  },
  everyWeek: {
    say: ["do it [once|again] every week", "make it a game for every [Sunday|Saturday]", "choose one day every week for it"],
    why: ["a little each time is easy", "then you never forget", "it is nice to have a bear day"],
    keys: ["every week/sunday/saturday"],
  },
  everyMonth: {
    say: ["do it once a month", "[put|write] it on the calendar once a month", "repeat it every month"],
    why: ["dust makes children cough", "it is enough for a bear that is hugged", "old dust is hard to get out"],
    keys: ["once/every month"],
  },
  glassCabinet: {
    say: ["keep {him} in a glass cabinet", "[give|find] {him} a place in a glass cabinet [afterwards|from now on]"],
    why: ["dust is the enemy of old fur", "visitors can still see {him}", "less cleaning means less wear"],
    keys: ["keep/give/find glass cabinet"],
  },
  clothBag: {
    say: ["put {him} in a cloth bag", "[store|keep] {him} in a cloth bag [with a string|that breathes]"],
    why: ["plush needs to breathe", "cloth keeps dust from plush", "plush gets damp in plastic"],
    keys: ["put/store/keep cloth bag"],
  },
  cardboardBox: {
    say: ["[lay|put] {him} in a cardboard box", "find a cardboard box with a lid and [lay|put] {him} in"],
    why: ["cotton yellows in the light", "cotton only needs a dark place", "a lid keeps dust from cotton"],
    keys: ["lay/put/find cardboard"],
  },
  cedarBalls: {
    say: ["[put|lay] cedar balls [beside|next to] {him}", "add a few cedar balls [to the box|to the drawer]"],
    why: ["moths love wool", "moths hate the smell and stay away from wool", "wool gets holes without it"],
    keys: ["put/lay/add cedar"],
  },
  lavenderSachet: {
    say: ["[put|lay|tuck] a sachet of lavender [beside|next to] {him}", "tuck lavender [under {his} arm|into the box]"],
    why: ["lavender keeps beetles from mohair", "mohair draws beetles", "dry lavender does not stain mohair"],
    keys: ["put/lay/tuck lavender"],
  },
  tissuePaper: {
    say: ["wrap {him} [loosely |]in tissue paper", "[roll|wrap] {him} in [white |soft |]tissue paper"],
    why: ["velvet marks when it is pressed", "tissue keeps the pile of velvet standing", "velvet must not rub against wood"],
    keys: ["wrap/roll tissue"],
  },
  dryCupboard: {
    say: ["choose a dry cupboard", "[keep|store] {him} in a dry cupboard", "find a dry cupboard [away from the cellar|in a warm room]"],
    why: ["damp brings mould", "cellars are too wet for bears", "mould never comes out"],
    keys: ["choose/keep/store/find dry cupboard"],
  },
  outOfTheSun: {
    say: [
      "move {him} out of the sun",
      "[take|keep] {him} [away from|out of] the [bright |hot |]sun",
      "find {him} a seat away from the sun",
    ],
    why: ["light eats colour", "faded fur stays faded", "the sun dries out the fur"],
    keys: ["move/take/keep/find sun out/away"],
  },
  drawCurtain: {
    say: ["draw the curtain at [noon|lunch time|midday]", "[close|draw] the curtain when the sun comes in"],
    why: ["the light is strongest then", "a curtain is like a sun hat", "then the room stays cool too"],
    keys: ["draw/close curtain"],
  },
  swapPlaces: {
    say: ["let {him} swap places with another toy [each week|each Monday]", "swap {his} place [each Monday|each week|now and then]"],
    why: ["then no side fades alone", "children enjoy moving the toys", "a change keeps the colour even"],
    keys: ["swap place"],
  },
  filterGlass: {
    say: ["put [a sheet of |]filter glass in front of {him}", "have filter glass [fitted|put in] for {his} case"],
    why: ["it stops the harmful light", "museums do the same", "the colour is half the value"],
    keys: ["put/fit/have filter glass"],
  },
} as const satisfies Record<string, Advice>;
