/** @file Advice on seams, eyes and stuffing. Pure data. */

import type { Advice } from "./entry.ts";

export const repairAdvice = {
  ladderStitch: {
    say: [
      "close the seam with a ladder stitch",
      "sew it [up |]with a ladder stitch",
      "use a ladder stitch [along the edge|from end to end]",
    ],
    why: ["plush hides a ladder stitch", "the stitch vanishes in the plush", "plush edges meet neatly that way"],
    keys: ["close/sew/use ladder stitch"],
  },
  backstitch: {
    say: ["sew small backstitches", "close it with [small |tight |]backstitches", "use a backstitch with cotton thread"],
    why: ["cotton frays at the edge", "backstitches hold cotton for years", "cotton needs a firm seam"],
    keys: ["sew/close/use backstitch"],
  },
  darnWithYarn: {
    say: ["darn it with [woollen yarn|matching yarn]", "[take|use] some yarn and darn the [gap|hole]", "close the [gap|hole] with yarn"],
    why: ["wool closes over yarn", "thread cuts through wool", "yarn stretches along with wool"],
    keys: ["darn/take/use/close yarn"],
  },
  curvedNeedle: {
    say: ["[take|use] a curved needle [and waxed thread|]", "sew it with a curved needle [between the hairs|and waxed thread]"],
    why: ["a straight one catches mohair", "it goes under the long mohair", "mohair has a stiff backing"],
    keys: ["take/use/sew curved needle"],
  },
  silkFromInside: {
    say: ["sew it from the inside with silk", "[use|take] fine silk and sew from the inside"],
    why: ["every stitch shows on velvet", "coarse thread crushes velvet", "silk does not mark velvet"],
    keys: ["sew/use/take silk"],
  },
  knotTwice: {
    say: ["knot the thread twice", "[tie|make] a double knot at the end", "knot the thread twice and hide the end"],
    why: ["small hands pull hard", "the next hug will test it", "a single one slips"],
    keys: ["knot/tie/make twice/double"],
  },
  photographFirst: {
    say: ["photograph the [place|seam|damage] first", "take a photograph before you [begin|start|touch anything]"],
    why: ["a record keeps the value", "a buyer will want to see it", "restorers always do"],
    keys: ["photograph/take first/before photograph"],
  },
  feltPatch: {
    say: ["cut an eye patch from felt", "make {him} an eye patch of felt [for now|like a pirate]"],
    why: ["pirates look brave", "felt needs no sharp tools", "then nobody sees the gap"],
    keys: ["cut/make patch felt"],
  },
  safetyEye: {
    say: ["fit a safety eye [with a washer|that locks behind the cloth]", "use a safety eye and [tug it hard|press it until it clicks]"],
    why: ["it cannot come off in a small mouth", "it locks on the inside", "children pull at eyes"],
    keys: ["fit/use safety eye"],
  },
  glassEye: {
    say: ["look for a glass eye of the same age", "find a matching glass eye", "ask a dealer for a matching glass eye"],
    why: ["plastic would spoil an old face", "the right age matters", "a new one looks wrong"],
    keys: ["look/find/ask glass eye"],
  },
  keepOldEye: {
    say: [
      "keep the old eye in [an envelope|a matchbox]",
      "[put|save] the old eye in a matchbox",
      "put what is left of the eye in an envelope",
    ],
    why: ["it shows the right size", "it may still be useful", "little things get lost"],
    keys: ["keep/put/save eye envelope/matchbox"],
  },
  polyester: {
    say: ["[fill|stuff] {him} with polyester", "add some polyester filling", "take [fresh |soft |]polyester for the inside"],
    why: ["plush washes well with it", "it springs back inside plush", "plush was filled with it before"],
    keys: ["fill/stuff/add/take polyester"],
  },
  wadding: {
    say: ["[fill|stuff] {him} with cotton wadding", "add some cotton wadding", "take cotton wadding for the inside"],
    why: ["cotton goes with cotton", "it washes at the same heat", "it lies smooth under thin cotton"],
    keys: ["fill/stuff/add/take wadding"],
  },
  fleece: {
    say: ["[fill|stuff] {him} with [clean |]fleece", "add some clean fleece", "take sheep's fleece for the inside"],
    why: ["wool and fleece move together", "it is as warm as the wool outside", "it fills wool without lumps"],
    keys: ["fill/stuff/add/take fleece"],
  },
  shavings: {
    say: ["[fill|stuff] {him} with fine wood shavings", "add some fine wood shavings", "take wood shavings for the inside"],
    why: ["old mohair bears were made so", "mohair needs a firm body", "soft filling lets mohair sag"],
    keys: ["fill/stuff/add/take shaving"],
  },
  kapok: {
    say: ["[fill|stuff] {him} with kapok", "add some kapok", "take kapok for the inside"],
    why: ["it is light enough for velvet", "hard filling shows through velvet", "velvet drapes well over it"],
    keys: ["fill/stuff/add/take kapok"],
  },
  smallPieces: {
    say: [
      "push in small pieces with a blunt stick",
      "work in small pieces with [a blunt stick|the handle of a spoon]",
      "use small pieces and push them in with a blunt stick",
    ],
    why: ["big lumps never lie flat", "{his} feet fill first that way", "it gives a round tummy"],
    keys: ["push/work/use small piece"],
  },
} as const satisfies Record<string, Advice>;
