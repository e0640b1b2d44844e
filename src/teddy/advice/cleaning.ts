/** @file Advice on stains, washing and drying. Pure data. */

import type { Advice } from "./entry.ts";

export const cleaningAdvice = {
  scrapeWithSpoon: {
    say: [
      "[scrape|lift] the {stain} off with [a spoon|a blunt spoon|the edge of a spoon]",
      "[scrape|lift] off as much {stain} as you can with a [teaspoon|spoon]",
      "take a spoon and [scrape|lift] the {stain} [off|away]",
    ],
    why: ["wiping only spreads it", "it sticks to everything that it touches", "it comes off best in one piece"],
    keys: ["scrape/lift spoon/teaspoon"],
  },
  loosenLukewarm: {
    say: [
      "[loosen|soften] the {stain} with [a sponge and lukewarm water|a little lukewarm water]",
      "[soften|loosen] the sticky place with a sponge dipped in lukewarm water",
      "hold a lukewarm sponge against the {stain} until it [softens|loosens]",
    ],
    why: ["warmth makes it run", "it lets go of the hairs when it is warm", "cold water only makes it stiff"],
    keys: ["loosen/soften/sponge lukewarm"],
  },
  letMudDry: {
    say: [
      "let the {stain} dry [completely|all the way|overnight] and [then |]brush it off",
      "leave the {stain} to dry and [brush it out|crumble it off] [the next day|afterwards|later]",
      "wait until the {stain} is dry and then [brush it off|crumble it away]",
    ],
    why: ["dry crumbs come off by themselves", "wet dirt only goes deeper", "it turns to dust when it is dry"],
    keys: ["let/leave/wait dry brush/crumble"],
  },
  shakeOutside: {
    say: [
      "shake {him} [gently|well|softly] [outside|in the garden|out of doors]",
      "take {him} outside and [give {him} a good shake|shake {him} by the arms|shake {him} well]",
    ],
    why: ["the wind carries it away", "loose grains fall out by themselves", "it is quicker than any brush"],
    keys: ["shake outside/garden/door"],
  },
  dabColdWater: {
    say: [
      "dab the {stain} with [a cloth and cold water|cold water]",
      "dab the [spot|mark|stain] with a cloth dipped in cold water",
      "take a cloth with cold water and dab [at |]the {stain} [from the edge to the middle|little by little]",
    ],
    why: ["warm water would set the colour", "the colour goes into the cloth", "sugar and colour both come out cold"],
    keys: ["dab/blot cold water"],
  },
  spongeSoapy: {
    say: [
      "sponge the {stain} off with [cool soapy water|soapy water]",
      "[wipe|clean] the [spot|mark|stain] with a sponge and soapy water",
      "take a sponge and [some |]soapy water and [wash the {stain} out|work the {stain} out]",
    ],
    why: ["it turns sour if it stays", "soap takes out the fat", "old drops begin to smell"],
    keys: ["sponge soapy"],
  },
  blotKitchenPaper: {
    say: [
      "[blot|soak up] the {stain} with kitchen paper",
      "press kitchen paper [on|against] the {stain} until it [stays clean|is dry]",
      "lay kitchen paper on the [spot|mark|stain] and press [gently|softly|lightly]",
    ],
    why: ["paper drinks what is still wet", "what is soaked up cannot dry in", "it must not sink into the stuffing"],
    keys: ["blot/soak/press kitchen paper"],
  },
  pressInTowel: {
    say: [
      "[press|squeeze] the water out [of {him} |]with a [dry|thick|big] towel",
      "wrap {him} in a [dry|thick|big] towel and [press|squeeze] [gently|softly]",
      "roll {him} in a towel and press [the water out|out the water]",
    ],
    why: ["wringing would bend {his} seams", "a towel drinks most of the water", "the stuffing must not stay wet"],
    keys: ["press/squeeze towel"],
  },
  dabVinegar: {
    say: [
      "dab the {stain} with [white vinegar|a little white vinegar|a drop of vinegar]",
      "dab the [spot|mark|stain] with a [cotton bud|cloth] and [some |]white vinegar",
      "put [a drop of|a little] vinegar on a cloth and dab the {stain}",
    ],
    why: ["vinegar loosens the dye", "rubbing would only spread it", "the colour lets go bit by bit"],
    keys: ["dab vinegar"],
  },
  dabDishSoap: {
    say: [
      "dab the {stain} with [a drop of dish soap|a little dish soap]",
      "put a drop of dish soap on a cloth and dab the {stain} [away|off|out]",
      "dab the [spot|mark|stain] with dish soap while it is [fresh|wet]",
    ],
    why: ["dried paint never comes out", "dish soap holds the colour", "it must not dry"],
    keys: ["dab dish soap"],
  },
  dabLemon: {
    say: [
      "dab the {stain} with [a little lemon juice|lemon juice|a slice of lemon]",
      "dab the green [spot|mark] with [a few drops of lemon|lemon juice]",
      "squeeze a lemon over a cloth and dab the [spot|mark|stain]",
    ],
    why: ["lemon takes out the green", "the acid breaks up the colour", "it fades the green gently"],
    keys: ["dab lemon"],
  },
  sprinkleFlour: {
    say: [
      "sprinkle [flour|some flour|a spoonful of flour] on the {stain} and [wait an hour|leave it overnight|let it sit]",
      "cover the {stain} with flour and [brush it off after an hour|brush it off in the morning]",
    ],
    why: ["flour drinks the fat", "water cannot take out fat", "the grease goes into the powder"],
    keys: ["sprinkle/cover/put flour"],
  },
  washGentleCycle: {
    say: [
      "wash {him} in a pillowcase on the gentle cycle",
      "put {him} in a pillowcase and [choose|run|use] the gentle cycle",
      "let the machine wash {him} on the gentle cycle",
    ],
    why: ["plush can stand the machine", "the pillowcase protects {his} nose", "plush dries into shape again"],
    keys: ["wash/put/let/use gentle cycle"],
  },
  washThirtyDegrees: {
    say: [
      "wash {him} at thirty degrees with [the shirts|the other laundry|the pale things]",
      "put {him} in the machine at thirty degrees",
      "give {him} a wash at thirty degrees",
    ],
    why: ["cotton is easy to wash", "cotton shrinks when it is hotter", "thirty is warm enough for cotton"],
    keys: ["wash/put/give thirty"],
  },
  washByHandCool: {
    say: [
      "wash {him} by hand in cool water",
      "wash {him} in a [bowl|basin] of cool water by hand [with wool soap|]",
      "give {him} a bath by hand in cool water [with wool soap|]",
    ],
    why: ["wool felts in the machine", "wool shrinks in warm water", "wool likes to be handled slowly"],
    keys: ["wash/give/bath hand cool"],
  },
  cleanWithFoam: {
    say: [
      "clean only the surface with [soap foam|dry foam]",
      "[stroke|rub|spread] [some |]soap foam over the surface [with a soft brush|with your fingers]",
      "beat soap into foam and clean the surface with it",
    ],
    why: ["mohair must never be soaked", "mohair loses its curl in water", "the backing of mohair rots when it is wet"],
    keys: ["clean/stroke/rub/spread foam surface"],
  },
  wipeAlongPile: {
    say: [
      "wipe {him} along the pile with a [barely |]damp cloth",
      "take a damp cloth and wipe [gently |]along the pile",
      "stroke a damp cloth along the pile [from top to bottom|in one direction]",
    ],
    why: ["velvet shows every rub", "velvet keeps its shine that way", "water leaves rings on velvet"],
    keys: ["wipe/stroke along pile"],
  },
  askGrownUp: {
    say: [
      "ask a grown-up to [help you|help|do it with you]",
      "let a grown-up [help you|help|do the hard part]",
      "[find|fetch] a grown-up who can help",
    ],
    why: ["four hands are better than two", "some things are too tricky alone", "grown-ups like to help bears"],
    keys: ["ask/let/find/fetch grown-up help/hard/hard-part/with"],
  },
  useMildSoap: {
    say: ["use [only |]a mild soap", "take a mild soap [without perfume|without colour]", "add [just |]a few drops of mild soap"],
    why: ["strong powder makes children sneeze", "the bear will be kissed again", "mild soap rinses out well"],
    keys: ["use/take/add mild soap"],
  },
  testHiddenSpot: {
    say: [
      "test [it |everything |]on a hidden spot [first|beforehand]",
      "try a hidden spot [first|before you begin]",
      "choose a hidden spot under the arm for a test",
    ],
    why: ["old dyes may run", "nobody knows what an old bear can take", "a ring would lower the value"],
    keys: ["test/try/choose hidden spot"],
  },
  hangInNet: {
    say: ["hang {him} up in a [laundry net|net]", "put {him} in a laundry net and hang it [over the bath|on a hook|up]"],
    why: ["the net carries {his} weight", "air comes from all sides", "plush keeps its shape in a net"],
    keys: ["hang/put net"],
  },
  hangOnLine: {
    say: ["[hang|peg] {him} on the washing line", "hang {him} on the line with [two pegs|soft pegs|a peg at each ear]"],
    why: ["cotton can hang", "the wind dries cotton in a day", "cotton does not stretch"],
    keys: ["hang/peg line"],
  },
  layFlat: {
    say: ["lay {him} flat on a [dry |clean |]towel", "[spread|lay] {him} out flat [on a rack|on a towel|on the table]"],
    why: ["wet wool stretches when it hangs", "wool keeps its shape lying down", "hanging would make {him} long"],
    keys: ["lay/spread flat"],
  },
  dryInShade: {
    say: ["let {him} dry in the shade", "[put|set|leave] {him} to dry in an airy place in the shade", "dry {him} slowly in the shade"],
    why: ["mohair grows brittle in heat", "the sun bleaches mohair", "mohair needs to dry slowly"],
    keys: ["let/dry/put/set/leave shade"],
  },
  standByFan: {
    say: [
      "[stand|sit|set] {him} in front of a [cool |]fan",
      "let a [cool |small |]fan blow over {him}",
      "[place|stand] {him} by a fan [on its lowest setting|set to cool]",
    ],
    why: ["velvet crushes when it lies", "moving air lifts the pile", "velvet must not touch anything while it is wet"],
    keys: ["stand/sit/set/let/place fan"],
  },
  turnOver: {
    say: [
      "turn {him} [over |]every [hour|few hours|two hours]",
      "turn {him} [over |]from time to time",
      "[remember|do not forget] to turn {him} over every few hours",
    ],
    why: ["both sides need air", "the stuffing dries last", "damp stuffing begins to smell"],
    keys: ["turn over", "turn hour", "turn from time"],
  },
} as const satisfies Record<string, Advice>;
