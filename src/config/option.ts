/** @file One option as a TypeBox property with annotations: what parsers, --help and docs are made from. */

import { IsOptional, Type, type TSchema } from "typebox";

/** What an option's schema says besides its type. */
export interface OptionAnnotations<Group extends string = string> {
  /** The heading under which --help and docs list it. */
  group: Group;
  description: string;
  /** Absent for an option that must be given, and for an optional one that stands for nothing when it is not given. */
  default?: string | number | boolean | readonly string[];
  /** What the error says, as a sentence, where the option must be given and is not. */
  whenMissing?: string;
  /**
   * What it takes, as the end of a sentence, where its type does not say: "an address such as http://127.0.0.1:8000".
   */
  values?: string;
  /** What the value stands for in --help, such as PATH. */
  metavar?: string;
  /** Unit of a number. Bytes also take the suffixes KiB, MiB and GiB. */
  unit?: "bytes" | "seconds" | "milliseconds" | "tokens" | "steps" | "rows" | "epochs";
  /** Command-line spelling, where it is not the property's name in kebab case. */
  flag?: string;
  /** How docs name the default when it depends on the machine. */
  defaultText?: string;
  /** The value is never shown, in errors and logs neither. */
  secret?: boolean;
}

/** A function that checks annotations and gives them back, for a schema of these groups. */
export const annotations =
  <Group extends string>() =>
  <const A extends OptionAnnotations<Group>>(given: A): A =>
    given;

/** One of a list of words, written as JSON Schema's `enum`. */
export const oneOf = <const Words extends readonly string[]>(words: Words, given: OptionAnnotations) =>
  Type.Unsafe<Words[number]>({ type: "string", enum: [...words], ...given });

/** One option, as parsers and writers of docs see it. */
export interface Option<Name extends string = string> extends OptionAnnotations {
  name: Name;
  schema: TSchema;
  /** Command-line spelling without the dashes, which is also the key in a config file. */
  flag: string;
  /** Environment variable, where the command reads them. */
  variable: string;
  /** It has no default, and its schema is not `Type.Optional`. */
  isRequired: boolean;
  kind: "string" | "integer" | "number" | "boolean" | "list";
  /** The words that an option may take, where it takes one of a list. */
  words: readonly string[] | undefined;
  minimum: number | undefined;
  exclusiveMinimum: number | undefined;
  maximum: number | undefined;
}

const kebabCase = (name: string): string => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

type AnnotatedSchema = TSchema &
  OptionAnnotations & { type: string; enum?: string[]; minimum?: number; exclusiveMinimum?: number; maximum?: number };

/** The options of a schema's properties, in their order. */
export function optionsOf<Name extends string>(properties: Readonly<Record<Name, TSchema>>): Option<Name>[] {
  return (Object.entries(properties) as [Name, TSchema][]).map(([name, property]) => {
    const schema = property as unknown as AnnotatedSchema;
    const flag = schema.flag ?? kebabCase(name);
    return {
      ...schema,
      name,
      schema: property,
      flag,
      variable: `BONSAI_${flag.replaceAll("-", "_").toUpperCase()}`,
      kind: schema.type === "array" ? "list" : (schema.type as "string" | "integer" | "number" | "boolean"),
      isRequired: schema.default === undefined && !IsOptional(property),
      words: schema.enum,
      minimum: schema.minimum,
      exclusiveMinimum: schema.exclusiveMinimum,
      maximum: schema.maximum,
    };
  });
}

/** A fresh object of all defaults, by name; options without one are not in it. */
export function defaultsOf(options: readonly Option[]): Record<string, unknown> {
  const withDefault = options.filter((option) => option.default !== undefined);
  return structuredClone(Object.fromEntries(withDefault.map((option) => [option.name, option.default])));
}
