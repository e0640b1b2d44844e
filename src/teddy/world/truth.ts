/**
 * @file The truth: for each topic two points that a good answer makes, each decided by at most one slot of the
 * question. What is right for another fabric or mishap is wrong here.
 */

import { alwaysWrong, type AdviceId } from "../advice/advice.ts";
import type { Asker, Fabric, Mishap } from "./slots.ts";
import type { Topic } from "./topics.ts";

type Point =
  | { by: "nothing"; advice: AdviceId }
  | { by: "fabric"; advice: Readonly<Record<Fabric, AdviceId>> }
  | { by: "mishap"; advice: Readonly<Record<Mishap, AdviceId>> }
  | { by: "asker"; advice: Readonly<Record<Asker, AdviceId>> };

const always = (advice: AdviceId): Point => ({ by: "nothing", advice });
const byFabric = (plush: AdviceId, mohair: AdviceId, cotton: AdviceId, wool: AdviceId, velvet: AdviceId): Point => ({
  by: "fabric",
  advice: { plush, mohair, cotton, wool, velvet },
});
const byAsker = (child: AdviceId, parent: AdviceId, collector: AdviceId): Point => ({ by: "asker", advice: { child, parent, collector } });

const remedy: Point = {
  by: "mishap",
  advice: {
    jam: "scrapeWithSpoon",
    honey: "loosenLukewarm",
    mud: "letMudDry",
    sand: "shakeOutside",
    juice: "dabColdWater",
    milk: "spongeSoapy",
    cocoa: "blotKitchenPaper",
    rain: "pressInTowel",
    ink: "dabVinegar",
    paint: "dabDishSoap",
    grass: "dabLemon",
    butter: "sprinkleFlour",
  },
};
const wash = byFabric("washGentleCycle", "cleanWithFoam", "washThirtyDegrees", "washByHandCool", "wipeAlongPile");

/** The first point counts more than the second. */
export const truth: Readonly<Record<Topic, readonly [Point, Point]>> = {
  stain: [remedy, wash],
  washing: [wash, byAsker("askGrownUp", "useMildSoap", "testHiddenSpot")],
  drying: [byFabric("hangInNet", "dryInShade", "hangOnLine", "layFlat", "standByFan"), always("turnOver")],
  brushing: [byFabric("combWide", "brushBabyBrush", "smoothWithHands", "teaseWithFingers", "steamThePile"), always("startAtTips")],
  smell: [byFabric("bakingSoda", "afternoonInGarden", "rinseVinegar", "airByWindow", "steamyBathroom"), always("feelForDamp")],
  dust: [
    byFabric("vacuumStocking", "paintbrushDust", "shakeOutside", "tapFlatHand", "lintRoller"),
    byAsker("everyWeek", "everyMonth", "glassCabinet"),
  ],
  storage: [byFabric("clothBag", "lavenderSachet", "cardboardBox", "cedarBalls", "tissuePaper"), always("dryCupboard")],
  sun: [always("outOfTheSun"), byAsker("drawCurtain", "swapPlaces", "filterGlass")],
  seam: [
    byFabric("ladderStitch", "curvedNeedle", "backstitch", "darnWithYarn", "silkFromInside"),
    byAsker("askGrownUp", "knotTwice", "photographFirst"),
  ],
  eye: [byAsker("feltPatch", "safetyEye", "glassEye"), always("keepOldEye")],
  stuffing: [byFabric("polyester", "shavings", "wadding", "fleece", "kapok"), always("smallPieces")],
  travel: [byAsker("backpack", "handLuggage", "paddedCase"), always("nameTag")],
  bedtime: [byAsker("tuckByPillow", "sameHour", "linenCover"), always("humLullaby")],
  story: [always("smallTrouble"), byAsker("drawPicture", "childChoosesEnd", "yearMade")],
  naming: [always("sayAloud"), byAsker("furColour", "familyVote", "makersMark")],
  gift: [always("giftBasket"), byAsker("paintCard", "addBook", "certificate")],
  birthday: [always("honeyCakes"), byAsker("paperCrown", "inviteBears", "yearlyPortrait")],
  sharing: [always("takeTurns"), byAsker("secondBear", "nameFeelings", "cleanHands")],
  teaparty: [always("pretendTea"), byAsker("cushions", "oldTablecloth", "thinChina")],
  cold: [always("scarf"), byAsker("insideCoat", "brushOffSnow", "warmUpSlowly")],
  lost: [always("retraceSteps"), byAsker("tellGrownUp", "putUpPoster", "callLostProperty")],
};

type SlotName = "fabric" | "mishap" | "asker";

/** The slots that decide a topic's truth: a question about it states them. */
export function slotsOf(topic: Topic): ReadonlySet<SlotName> {
  return new Set(truth[topic].flatMap((point) => (point.by === "nothing" ? [] : [point.by])));
}

/** The slots of a question that its truth depends on; absent where the question does not say. */
export interface TruthSlots {
  topic: Topic;
  fabric?: Fabric | undefined;
  mishap?: Mishap | undefined;
  asker?: Asker | undefined;
}

/**
 * What is right, wrong and beside the point for one question. An advice that is in none of these belongs to another
 * topic.
 */
export interface Verdicts {
  /**
   * The advice that each point asks for. Several where the question leaves open which slot value it is about: any of
   * them will do.
   */
  points: readonly [readonly AdviceId[], readonly AdviceId[]];
  wrong: ReadonlySet<AdviceId>;
}

export function verdictsOf(slots: TruthSlots): Verdicts {
  const [first, second] = truth[slots.topic];
  const points = [rightFor(first, slots), rightFor(second, slots)] as const;
  const right = new Set(points.flat());
  const wrong = [first, second]
    .filter((point) => point.by === "fabric" || point.by === "mishap")
    .flatMap((point) => Object.values(point.advice));
  return { points, wrong: new Set([...wrong, ...alwaysWrong].filter((id) => !right.has(id))) };
}

function rightFor(point: Point, slots: TruthSlots): AdviceId[] {
  if (point.by === "nothing") return [point.advice];
  const value = slots[point.by];
  const table = point.advice as Readonly<Record<string, AdviceId>>;
  return value === undefined ? Object.values(table) : [table[value]!];
}
