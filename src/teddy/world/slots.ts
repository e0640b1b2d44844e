/**
 * @file What a question varies besides its topic: the bear, its fabric, what happened to it, and who asks in which
 * tone.
 */

export const fabrics = ["plush", "mohair", "cotton", "wool", "velvet"] as const;
export type Fabric = (typeof fabrics)[number];

export const mishaps = ["jam", "honey", "mud", "sand", "juice", "milk", "cocoa", "rain", "ink", "paint", "grass", "butter"] as const;
export type Mishap = (typeof mishaps)[number];

export const askers = ["child", "parent", "collector"] as const;
export type Asker = (typeof askers)[number];

export const tones = ["polite", "worried", "brisk", "cheerful"] as const;
export type Tone = (typeof tones)[number];

/** What happened, said of `{bear}`: the sentence goes on after the bear. */
export const mishapEvents: Readonly<Record<Mishap, readonly string[]>> = {
  jam: [
    "has [strawberry |raspberry |plum |]jam on {his} [paw|tummy|nose|ear]",
    "sat in a plate of jam",
    "got jam all over {his} [paws|face|front]",
  ],
  honey: ["is sticky with honey", "has honey on {his} [paw|tummy|nose|ear]", "put {his} [paw|nose] into the honey"],
  mud: ["fell into the mud", "is covered in mud", "has mud on {his} [feet|tummy|back|legs]", "was dropped in the mud"],
  sand: ["is full of sand", "has sand in {his} fur", "came home from the beach full of sand"],
  juice: [
    "has [apple |orange |cherry |grape |]juice on {his} [tummy|paw|ear|front]",
    "was splashed with juice",
    "sat in a puddle of juice",
  ],
  milk: ["has milk on {his} [tummy|paw|ear|front]", "was splashed with milk", "fell into a bowl of milk"],
  cocoa: ["has cocoa on {his} [tummy|paw|ear|front]", "was splashed with cocoa", "tipped a cup of cocoa over {himself}"],
  rain: ["got soaked in the rain", "was left out in the rain", "was forgotten in the garden and got wet in the rain"],
  ink: [
    "has ink on {his} [paw|tummy|nose|ear]",
    "has a blot of ink on {his} [back|front|leg]",
    "lay under a leaking pen and has ink on {his} [leg|arm]",
  ],
  paint: ["has [blue |red |green |]paint on {his} [paw|tummy|nose|ear]", "helped with the painting and has paint on {his} [arm|leg]"],
  grass: ["has grass stains on {his} [knees|back|paws|tummy]", "rolled down the hill and has a grass stain on {his} [back|leg]"],
  butter: [
    "has butter on {his} [paw|tummy|nose|ear]",
    "fell onto the bread and butter",
    "leaned on the butter dish and has butter on {his} [arm|leg]",
  ],
};
