/** Values of a job file. */
export type Plain = string | number | boolean | null | readonly Plain[] | PlainObject;
export interface PlainObject {
  readonly [key: string]: Plain | undefined;
}

/** Words that YAML reads as text without quotes, in 1.1 and in 1.2. */
const BARE = /^(?!(?:true|false|null|yes|no|on|off|y|n|nan|inf)$)[a-z][a-z0-9_.-]*$/i;

const scalar = (value: Plain): string => {
  if (Array.isArray(value)) return `[${value.map(scalar).join(', ')}]`;
  return typeof value === 'string' && BARE.test(value) ? value : JSON.stringify(value);
};

const isObject = (value: Plain): value is PlainObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Plain objects as YAML blocks; lists stay on one line. What is undefined or empty is left out. */
export function toYaml(value: PlainObject, indent = ''): string {
  return Object.entries(value)
    .map(([key, inner]) => {
      if (inner === undefined) return '';
      if (!isObject(inner)) return `${indent}${key}: ${scalar(inner)}\n`;
      const block = toYaml(inner, `${indent}  `);
      return block === '' ? '' : `${indent}${key}:\n${block}`;
    })
    .join('');
}
