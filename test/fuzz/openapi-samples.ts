/** Values that fit a schema of the API's document; for the good requests that are then mutated. */
import type { Dice } from './mutate.ts';

/** JSON Schema, as far as the document uses it. */
export interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly minItems?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly minLength?: number;
  readonly pattern?: string;
}

export interface Operation {
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: string;
    readonly required?: boolean;
    readonly schema: Schema;
  }[];
  readonly requestBody?: {
    readonly content: Readonly<Record<string, { readonly schema: Schema }>>;
  };
}

export interface ApiDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

const DEPTH_MAX = 6;
const TEXTS = ['a', 'scans', 'ab'.repeat(32), '12D3KooWx', '/nowhere/x.csv', '22:00-07:00', 'ß'];

export function sampleOf(schema: Schema, dice: Dice, document: ApiDocument, depth = 0): unknown {
  const inner = (one: Schema) => sampleOf(one, dice, document, depth + 1);
  if (schema.$ref !== undefined) {
    return inner(document.components.schemas[schema.$ref.split('/').at(-1)!] ?? {});
  }
  if (schema.const !== undefined) return schema.const;
  if (schema.enum !== undefined) return dice.pick(schema.enum);
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices !== undefined) return inner(dice.pick(choices));
  if (schema.allOf !== undefined) {
    return Object.assign({}, ...schema.allOf.map((part) => inner(part) as object));
  }
  if (schema.default !== undefined && dice.chance(0.5)) return schema.default;
  const type = typeof schema.type === 'object' ? dice.pick(schema.type) : schema.type;
  switch (type) {
    case 'object':
      return objectOf(schema, dice, depth, inner);
    case 'array':
      return Array.from({ length: schema.minItems ?? dice.below(3) }, () =>
        inner(schema.items ?? {}),
      );
    case 'integer':
    case 'number':
      return numberOf(schema, dice);
    case 'boolean':
      return dice.chance(0.5);
    case 'null':
      return null;
    default:
      return schema.pattern?.includes('{64}') ? 'ab'.repeat(32) : dice.pick(TEXTS);
  }
}

function objectOf(
  { properties = {}, required = [] }: Schema,
  dice: Dice,
  depth: number,
  inner: (schema: Schema) => unknown,
): object {
  const wanted = Object.entries(properties).filter(
    ([key]) => required.includes(key) || (depth < DEPTH_MAX && dice.chance(0.5)),
  );
  return Object.fromEntries(wanted.map(([key, each]) => [key, inner(each)]));
}

function numberOf({ type, minimum, exclusiveMinimum, maximum }: Schema, dice: Dice): number {
  const least = minimum ?? (exclusiveMinimum !== undefined ? exclusiveMinimum + 0.1 : 0);
  const value = Math.min(least + dice.below(10), maximum ?? Number.POSITIVE_INFINITY);
  return type === 'integer' ? Math.ceil(value) : value;
}
