/**
 * @file Refuses a Node that is too old in one sentence. Old versions must be able to parse it: no newer syntax, no
 * imports of this program.
 */
"use strict";

const wanted = require("../package.json").engines.node.replace(/^>=/, "");
const have = process.version.slice(1).split(".").map(Number);
const least = wanted.split(".").map(Number);
if (have[0] < least[0] || (have[0] === least[0] && have[1] < least[1])) {
  console.error("Bonsai needs Node " + wanted + " or later; this is " + process.version + ".");
  process.exit(1);
}
