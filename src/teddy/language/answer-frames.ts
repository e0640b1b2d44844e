/**
 * @file The frames of answer sentences. Every sentence that gives advice is a lead, a clause of advice or danger with
 * or without its reason, and perhaps a joiner with a second clause, or a tail. Every lead goes with every clause.
 */

/** Leads before a clause that is advised; the clause is a bare infinitive. The empty one makes an imperative. */
export const leads = {
  plain: [
    "",
    "",
    "",
    "You [can|should|could|may] ",
    "I would ",
    "It is best to ",
    "The best way is to ",
    "The best thing is to ",
    "You had better ",
    "It helps to ",
    "What helps is to ",
  ],
  first: ["First, ", "First ", "To begin with, ", "Start like this: ", "Before anything else, "],
  next: [
    "Then ",
    "After that, ",
    "Next, ",
    "Also ",
    "And ",
    "Afterwards, ",
    "Then you [can|should|could] ",
    "It also helps to ",
    "Finally, ",
  ],
  gentle: [
    "Please ",
    "Why not ",
    "[Perhaps|Maybe] you [can|could] ",
    "I think you should ",
    "My advice is to ",
    "If I were you, I would ",
    "Try to ",
    "A good way is to ",
  ],
  curt: ["Just ", "Simply ", "Obviously you should ", "You have to "],
  fabric: [
    "With {fabricNoun} it is best to ",
    "For a {fabric} bear you should ",
    "As {name} is made of {fabricNoun}, ",
    "{Fabric} bears are different, so ",
  ],
  instead: ["Instead, ", "Instead you can ", "It is safer to ", "The safe way is to ", "A safe way is to ", "Better "],
} as const satisfies Record<string, readonly string[]>;

/** Leads before a clause that is advised against. */
export const negativeLeads = [
  "Do not ",
  "Please do not ",
  "Never ",
  "Please never ",
  "I would not ",
  "You should not ",
  "You must not ",
  "It is not safe to ",
  "No, do not ",
  "No, please do not ",
  "It is dangerous to ",
];

/** Leads that grant a request. */
export const grantingLeads = [
  "Yes, you can ",
  "Sure, you can ",
  "Yes, just ",
  "You can ",
  "Of course you may ",
  "If you are careful, you can ",
  "All right, ",
];

/** Between two clauses of advice. */
export const joiners = [" and ", ", and then ", ", then ", " and then ", " and also ", ", and afterwards "];

/** Between what is advised against and what to do instead. */
export const contrastJoiners = [", but ", "; instead, ", ", and instead "];

export const becauses = [", because ", ", since ", ": ", ", for "];

/** After a granted danger. */
export const grantingTails = [
  " if you watch {him}",
  ", but be quick",
  ", but keep an eye on {him}",
  " and nothing will happen",
  ", but only for a moment",
];
