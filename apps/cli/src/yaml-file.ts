import { ConfigError, errorMessage } from '@starling/core';
import {
  type Document,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
} from 'yaml';
import type { z } from 'zod';
import { oneLine } from './table.ts';

export interface YamlForm<S extends z.ZodType> {
  /** Its name, for messages. */
  readonly file: string;
  readonly schema: S;
  /** What the whole is, for messages about no key of it. */
  readonly what: string;
}

/** @throws ConfigError that names the line and the key */
export function parseYaml<S extends z.ZodType>(
  text: string,
  { file, schema, what }: YamlForm<S>,
): z.output<S> {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const syntax = document.errors[0];
  if (syntax !== undefined) {
    const line = syntax.linePos?.[0].line ?? 1;
    // The library's message goes on with a picture of the place.
    const cause = oneLine(syntax.message.split('\n')[0]!).replace(/ at line \d+.*$/, '');
    throw new ConfigError(`${file}, line ${line}`, `is no YAML: ${cause}`);
  }
  const parsed = schema.safeParse(contentOf(document, file) ?? {});
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  const path = issue.code === 'unrecognized_keys' ? [...issue.path, issue.keys[0]!] : issue.path;
  const at = offsetOf(document.contents, path);
  const line = at === undefined ? 1 : lines.linePos(at).line;
  const others = parsed.error.issues.length - 1;
  const more = others === 0 ? '' : ` (and ${others} more)`;
  throw new ConfigError(
    `${file}, line ${line}, ${path.join('.') || what}`,
    `${wordsOf(issue)}${more}`,
  );
}

/** What a document says; an alias of nothing, or of too much, shows only here. */
function contentOf(document: Document, file: string): unknown {
  try {
    return document.toJS();
  } catch (error) {
    throw new ConfigError(file, `is no YAML: ${errorMessage(error)}`);
  }
}

const wordsOf = ({ code, message }: { code: string; message: string }): string =>
  code === 'unrecognized_keys' ? 'there is no such key' : message;

/** Where the deepest part of `path` that exists begins: its key, or its place in a list. */
function offsetOf(root: unknown, path: readonly PropertyKey[]): number | undefined {
  let node: unknown = root;
  let offset = rangeStart(node);
  for (const part of path) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && key.value === part);
      if (pair === undefined) return offset;
      offset = rangeStart(pair.key) ?? offset;
      node = pair.value;
    } else if (isSeq(node) && typeof part === 'number') {
      node = node.items[part];
      offset = rangeStart(node) ?? offset;
    } else return offset;
  }
  return offset;
}

const rangeStart = (node: unknown): number | undefined =>
  isNode(node) ? (node as Node).range?.[0] : undefined;
