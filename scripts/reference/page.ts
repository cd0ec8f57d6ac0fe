/** What this reads of a JSON Schema (2020-12), as zod writes it. */
export interface JsonSchema {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  readonly description?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
  readonly additionalProperties?: JsonSchema | boolean;
}

interface Key {
  readonly path: string;
  readonly schema: JsonSchema;
  readonly isRequired: boolean;
}

/** Keys that hold a value, depth first; of lists of objects the keys inside, as `list[].key`. */
export function keysOf(schema: JsonSchema, prefix = '', outer = true): readonly Key[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, inner]) => {
    const isRequired = outer && (schema.required ?? []).includes(name);
    const path = `${prefix}${name}`;
    if (inner.description === undefined) {
      if (inner.properties) return keysOf(inner, `${path}.`, isRequired);
      if (inner.items?.properties) return keysOf(inner.items, `${path}[].`, true);
    }
    return [{ path, schema: inner, isRequired }];
  });
}

/**
 * The schema with a description for each key.
 * @throws when a key has no words, or words have no key
 */
export function schemaWithWords(
  schema: JsonSchema,
  words: Readonly<Record<string, string>>,
): JsonSchema {
  const used = new Set<string>();
  const described = withWords(schema, words, '', used);
  const mute = keysOf(described).filter(({ schema: { description } }) => description === undefined);
  if (mute.length > 0) throw new Error(`no words for ${mute.map(({ path }) => path).join(', ')}`);
  const idle = Object.keys(words).filter((path) => !used.has(path));
  if (idle.length > 0) throw new Error(`no key is called ${idle.join(', ')}`);
  return described;
}

function withWords(
  schema: JsonSchema,
  words: Readonly<Record<string, string>>,
  path: string,
  used: Set<string>,
): JsonSchema {
  const description = words[path];
  if (description !== undefined) {
    used.add(path);
    return { ...schema, description };
  }
  const { properties, items } = schema;
  const inside = path === '' ? '' : `${path}.`;
  const known = Object.entries(properties ?? {}).map(([name, inner]) => [
    name,
    withWords(inner, words, `${inside}${name}`, used),
  ]);
  return {
    ...schema,
    ...(properties && { properties: Object.fromEntries(known) }),
    ...(items && { items: withWords(items, words, `${path}[]`, used) }),
  };
}

/** A page with a table of all keys. */
export function pageOf(title: string, introduction: string, schema: JsonSchema): string {
  const rows = keysOf(schema).map(({ path, schema: key, isRequired }) => [
    `\`${path}\``,
    isRequired ? 'required' : defaultOf(key),
    escaped(valuesOf(key)),
    escaped(key.description ?? ''),
  ]);
  const lines = [
    ['key', 'default', 'values', 'meaning'],
    ['---', '---', '---', '---'],
    ...rows,
  ].map((row) => `| ${row.join(' | ')} |`);
  return `# ${title}\n\n${introduction}\n\n${lines.join('\n')}\n`;
}

const escaped = (text: string): string => text.replaceAll('|', '\\|');

function defaultOf({ default: value }: JsonSchema): string {
  if (value === undefined) return '';
  return `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;
}

/** What may stand there, in words. */
function valuesOf(schema: JsonSchema): string {
  if (schema.enum) return schema.enum.map((each) => `\`${String(each)}\``).join(', ');
  if (schema.anyOf) return [...new Set(schema.anyOf.map(valuesOf))].join(' or ');
  if (schema.type === 'array') return `list of ${schema.items ? valuesOf(schema.items) : 'values'}`;
  if (schema.type === 'null') return 'nothing';
  if (schema.type === 'boolean') return '`true`, `false`';
  if (schema.type === 'object') return 'keys';
  if (schema.type === 'number' || schema.type === 'integer') return numbersOf(schema);
  return 'text';
}

/** Bounds that only say what a double can hold say nothing. */
const ENDLESS = Number.MAX_SAFE_INTEGER;

function numbersOf(schema: JsonSchema): string {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum } = schema;
  const kind = schema.type === 'integer' ? 'whole number' : 'number';
  const bounds = [
    ...(exclusiveMinimum !== undefined ? [`above ${exclusiveMinimum}`] : []),
    ...(minimum !== undefined && minimum > -ENDLESS ? [`from ${minimum}`] : []),
    ...(exclusiveMaximum !== undefined ? [`below ${exclusiveMaximum}`] : []),
    ...(maximum !== undefined && maximum < ENDLESS ? [`up to ${maximum}`] : []),
  ];
  return [kind, ...bounds].join(' ');
}
