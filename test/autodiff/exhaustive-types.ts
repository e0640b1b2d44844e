/**
 * @file Held by the compiler: a table that lacks a primitive's rule, or has a rule of other parameters, is no table.
 */

import { derivativeRules } from "../../src/autodiff/derivative-rules.ts";
import { loweringRules } from "../../src/autodiff/lowering-rules.ts";
import { shapeRules } from "../../src/autodiff/shape-rules.ts";

const { exp: _derivative, ...derivatives } = derivativeRules;
// @ts-expect-error The derivative of exp is missing.
derivatives satisfies typeof derivativeRules;

const { exp: _lowering, ...lowerings } = loweringRules;
// @ts-expect-error The lowering of exp is missing.
lowerings satisfies typeof loweringRules;

const { exp: _shape, ...shapes } = shapeRules;
// @ts-expect-error The shape of exp is missing.
shapes satisfies typeof shapeRules;

// @ts-expect-error The rule of slice reads parameters that exp has not.
({ ...derivativeRules, exp: derivativeRules.slice }) satisfies typeof derivativeRules;
