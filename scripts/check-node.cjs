/** @file Refuses a Node that is too old in one sentence. It must be readable by the oldest: no newer syntax, no imports of this program. */
"use strict";

var wanted = require("../package.json").engines.node.replace(/^>=/, "");
var have = process.version.slice(1).split(".").map(Number);
var least = wanted.split(".").map(Number);
if (have[0] < least[0] || (have[0] === least[0] && have[1] < least[1])) {
  console.error("Bonsai needs Node " + wanted + " or later; this is " + process.version + ".");
  process.exit(1);
}
