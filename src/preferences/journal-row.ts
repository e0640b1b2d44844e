/** @file Checks that a row of a journal is what a collection writes: its shape, and that its parts fit one another. */

import Type from "typebox";
import Value from "typebox/value";
import type { CollectedPrompt, CollectionPlan } from "./collection.ts";

const Preference = Type.Union([Type.Literal(1), Type.Literal(0), Type.Literal(-1)]);
const orders = Type.Optional(Type.Array(Type.Union([Preference, Type.Null()])));
const by = Type.Optional(Type.String());
const Place = Type.Integer({ minimum: 0 });

const Candidate = Type.Object({
  text: Type.String(),
  origin: Type.Union([Type.Literal("sample"), Type.Literal("rewrite"), Type.Literal("given")]),
  seed: Type.Optional(Type.Number()),
  isCut: Type.Optional(Type.Literal(true)),
  of: Type.Optional(Place),
});
const Verdict = Type.Object({
  preference: Type.Optional(Preference),
  margin: Type.Optional(Type.Number()),
  preferences: Type.Optional(Type.Record(Type.String(), Preference)),
  by,
  orders,
});
const Ranking = Type.Object({ ranks: Type.Optional(Type.Array(Type.Number())), by, orders });
const Score = Type.Object({ score: Type.Number(), dimensions: Type.Optional(Type.Record(Type.String(), Type.Number())) });

const common = { index: Place, candidates: Type.Array(Candidate), duplicates: Place };
const byJudge = <T extends Type.TSchema>(found: T): Type.TRecord<"^.*$", T> => Type.Record(Type.String(), found);
const rows = {
  pairs: Type.Object({ ...common, pairs: Type.Array(Type.Tuple([Place, Place])), verdicts: byJudge(Type.Array(Verdict)) }),
  lists: Type.Object({ ...common, rankings: byJudge(Ranking) }),
  points: Type.Object({ ...common, scores: byJudge(Type.Array(Type.Union([Score, Type.Null()]))) }),
};

/** What is wrong with a row of a journal, to follow its place; undefined where nothing is. */
export function journalRowProblem(row: unknown, { form, judges }: Pick<CollectionPlan, "form" | "judges">): string | undefined {
  const schema = rows[form];
  if (!Value.Check(schema, row)) {
    const [first] = Value.Errors(schema, row);
    return `is wrong at ${first?.instancePath || "its root"}: it ${first?.message ?? "does not fit"}`;
  }
  const { candidates, pairs = [], verdicts, rankings, scores } = row as CollectedPrompt;
  if (pairs.flat().some((place) => place >= candidates.length)) return `names an answer beyond its ${candidates.length}`;
  for (const { name } of judges) {
    const found =
      form === "pairs" ? verdicts?.[name] : form === "lists" ? rankings?.[name] && (rankings[name].ranks ?? candidates) : scores?.[name];
    const right = form === "pairs" ? pairs.length : candidates.length;
    if (found?.length !== right)
      return `has not what the judge ${JSON.stringify(name)} says of its ${right} ${form === "pairs" ? "pairs" : "answers"}`;
  }
  return undefined;
}
