import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import ts from 'typescript';

/** A TypeScript file, and two copies of its text, of the same length, with parts blanked out. */
export interface Source {
  /** Relative to the root, with forward slashes. */
  readonly path: string;
  readonly text: string;
  /** Without comments and without the contents of strings. */
  readonly code: string;
  /** Comments alone. */
  readonly comments: string;
  readonly file: ts.SourceFile;
}

/** Something to mend: `path:line message`, line counted from 1. */
export const fault = (path: string, line: number, message: string): string =>
  `${path}:${line} ${message}`;

/** Line of the character at `index`, counted from 1. */
export function lineAt(text: string, index: number): number {
  let line = 1;
  for (let i = text.indexOf('\n'); i !== -1 && i < index; i = text.indexOf('\n', i + 1)) line++;
  return line;
}

const SKIPPED_FOLDERS: ReadonlySet<string> = new Set([
  'node_modules',
  'dist',
  'coverage',
  'vectors',
  'fixtures',
  'results',
]);

/**
 * Files below `root` that end in `ending`, sorted, relative; none of build output or recorded data.
 * @param start folder below the root to look in; need not exist
 */
export function filesBelow(root: string, ending: string, start = ''): string[] {
  const found: string[] = [];
  const visit = (folder: string): void => {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      const hidden = entry.name.startsWith('.');
      if (entry.isDirectory() && !hidden && !SKIPPED_FOLDERS.has(entry.name)) visit(path);
      if (entry.isFile() && entry.name.endsWith(ending)) found.push(path);
    }
  };
  if (existsSync(join(root, start))) visit(start);
  return found.sort();
}

/** Names of the folders in `root/folder`; none when it does not exist. */
export function foldersIn(root: string, folder: string): string[] {
  try {
    return readdirSync(join(root, folder), { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
      .map((entry) => entry.name)
      .sort();
  } catch {
    return [];
  }
}

const STRINGS: ReadonlySet<ts.SyntaxKind> = new Set([
  ts.SyntaxKind.StringLiteral,
  ts.SyntaxKind.NoSubstitutionTemplateLiteral,
  ts.SyntaxKind.TemplateHead,
  ts.SyntaxKind.TemplateMiddle,
  ts.SyntaxKind.TemplateTail,
  ts.SyntaxKind.RegularExpressionLiteral,
]);

const blank = (text: string): string => text.replace(/[^\n]/g, ' ');

export function readSource(root: string, path: string): Source {
  const text = readFileSync(join(root, path), 'utf8');
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const code: string[] = [];
  const comments: string[] = [];
  let at = 0;
  const visit = (node: ts.Node): void => {
    if (ts.isJSDoc(node)) return;
    const children = node.getChildren(file);
    if (children.length > 0) {
      children.forEach(visit);
      return;
    }
    // What lies between two tokens is white space and comments.
    const start = node.getStart(file, false);
    const token = text.slice(start, node.end);
    code.push(blank(text.slice(at, start)), STRINGS.has(node.kind) ? blank(token) : token);
    comments.push(text.slice(at, start), blank(token));
    at = node.end;
  };
  visit(file);
  return { path, text, code: code.join(''), comments: comments.join(''), file };
}

/** Whether this module is what was started, not imported by a test. */
export const isMain = (url: string): boolean =>
  process.argv[1] !== undefined && url === pathToFileURL(realpathSync(process.argv[1])).href;

/** Prints the faults and sets the exit code. */
export function report(check: string, faults: readonly string[]): void {
  for (const line of faults) console.error(line);
  if (faults.length > 0) console.error(`${check}: ${faults.length} to mend`);
  process.exitCode = faults.length === 0 ? 0 : 1;
}
