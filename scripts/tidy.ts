/** What the compiler and the linter do not see: sizes, banned words, links, READMEs, vectors. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import ts from 'typescript';
import {
  fault,
  filesBelow,
  foldersIn,
  isMain,
  lineAt,
  readSource,
  report,
  type Source,
} from './source-text.ts';

const COLUMNS_MAX = 100;
const FILE_LINES_MAX = 500;
const FUNCTION_LINES_MAX = 70;

/** `path:line message` of every breach below `root`. */
export function checkTidy(root: string): string[] {
  const paths = ['.ts', '.tsx'].flatMap((ending) => filesBelow(root, ending));
  const sources = paths.map((path) => readSource(root, path));
  return [
    ...sources.flatMap((source) => [
      ...sizeFaults(source),
      ...functionFaults(source),
      ...wordFaults(source),
    ]),
    ...filesBelow(root, '.md').flatMap((path) => linkFaults(root, path)),
    ...readmeFaults(root),
    ...vectorFaults(root, sources),
  ];
}

function sizeFaults({ path, text }: Source): string[] {
  const lines = text.trimEnd().split('\n');
  const faults = lines.flatMap((line, i) => {
    // Characters, not UTF-16 units; an address cannot be broken.
    const columns = [...line].length;
    if (columns <= COLUMNS_MAX || /https?:\/\//.test(line)) return [];
    return [fault(path, i + 1, `${columns} columns, at most ${COLUMNS_MAX}`)];
  });
  if (lines.length > FILE_LINES_MAX) {
    faults.push(fault(path, 1, `${lines.length} lines, at most ${FILE_LINES_MAX}`));
  }
  return faults;
}

/**
 * Calls whose callbacks count for themselves: a suite is a list, not a function to be understood.
 */
const SUITE_CALL = /^(describe|test|it)\b/;

function functionFaults({ path, file }: Source): string[] {
  const faults: string[] = [];
  const lineOf = (position: number): number =>
    file.getLineAndCharacterOfPosition(position).line + 1;
  const linesOf = (node: ts.Node): number => lineOf(node.end) - lineOf(node.getStart(file)) + 1;
  const isSuite = (node: ts.Node): boolean =>
    ts.isFunctionLike(node) &&
    ts.isCallExpression(node.parent) &&
    SUITE_CALL.test(node.parent.expression.getText(file));
  /** Lines below `node` that belong to suites nested in it. */
  const suiteLines = (node: ts.Node): number => {
    let lines = 0;
    ts.forEachChild(node, (child) => {
      lines += isSuite(child) ? linesOf(child) : suiteLines(child);
    });
    return lines;
  };
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node) && linesOf(node) > FUNCTION_LINES_MAX) {
      const lines = linesOf(node) - suiteLines(node);
      const at = lineOf(node.getStart(file));
      if (lines > FUNCTION_LINES_MAX) {
        faults.push(fault(path, at, `function of ${lines} lines, at most ${FUNCTION_LINES_MAX}`));
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return faults;
}

interface Ban {
  readonly where: 'code' | 'comments';
  readonly pattern: RegExp;
  readonly message: string;
  /** Whether the find at `line` of this file is allowed. */
  readonly except?: (source: Source, line: number) => boolean;
}

const BANS: readonly Ban[] = [
  { where: 'code', pattern: /\bas any\b/g, message: '`as any`' },
  { where: 'comments', pattern: /@ts-ignore\b/g, message: '@ts-ignore' },
  {
    where: 'code',
    pattern: /\b(?:describe|test|it|suite)(?:\.\w+)*\.only\b/g,
    message: '.only leaves the other tests out',
  },
  {
    where: 'code',
    pattern: /\b(?:describe|test|it|suite)(?:\.\w+)*\.skip\b/g,
    message: '.skip without a comment that says why',
    except: hasComment,
  },
  {
    where: 'comments',
    pattern: /\b(?:TODO|FIXME)\b(?![^\n]*#\d)/g,
    message: 'without the number of an issue',
  },
  {
    where: 'code',
    pattern: /(?<![.\w$])console\./g,
    message: 'console in a package; use the Log that is passed in',
    except: ({ path }) => !/^(packages|protocols)\//.test(path) || path.endsWith('.test.ts'),
  },
];

/** A comment on this line or the one before. */
function hasComment({ comments }: Source, line: number): boolean {
  return comments
    .split('\n')
    .slice(Math.max(0, line - 2), line)
    .some((text) => /\/[/*]|\*\//.test(text));
}

function wordFaults(source: Source): string[] {
  return BANS.flatMap(({ where, pattern, message, except }) =>
    [...source[where].matchAll(pattern)].flatMap((match) => {
      const line = lineAt(source[where], match.index);
      const word = message.startsWith('without') ? `${match[0]} ${message}` : message;
      return except?.(source, line) ? [] : [fault(source.path, line, word)];
    }),
  );
}

/** `[text](target)`, `![text](target)` and `[name]: target`. */
const LINK = /\]\(\s*<?([^)\s>]+)>?[^)]*\)|^[ \t]*\[[^\]]+\]:[ \t]*(\S+)/gm;

function linkFaults(root: string, path: string): string[] {
  const text = readFileSync(join(root, path), 'utf8')
    // Code shows links, it does not make any.
    .replace(/^(```|~~~)[\s\S]*?^\1/gm, (block) => block.replace(/[^\n]/g, ' '))
    .replace(/`[^`\n]*`/g, (span) => ' '.repeat(span.length));
  return [...text.matchAll(LINK)].flatMap((match) => {
    const target = (match[1] ?? match[2])!;
    const file = decodeURI(target.replace(/[#?].*$/, ''));
    if (file === '' || /^[a-z][a-z0-9+.-]*:/i.test(target)) return [];
    if (existsSync(join(root, dirname(path), file))) return [];
    return [fault(path, lineAt(text, match.index), `broken link to ${target}`)];
  });
}

function readmeFaults(root: string): string[] {
  const wanted = { packages: 'README.md', apps: 'README.md', protocols: 'spec.md' };
  return Object.entries(wanted).flatMap(([folder, page]) =>
    foldersIn(root, folder)
      .filter((name) => !existsSync(join(root, folder, name, page)))
      .map((name) => fault(`${folder}/${name}/${page}`, 1, 'is missing')),
  );
}

/** A vector that no test names is checked by nobody. */
function vectorFaults(root: string, sources: readonly Source[]): string[] {
  const tests = sources.filter(({ path }) => path.endsWith('.test.ts'));
  return foldersIn(root, 'protocols').flatMap((protocol) => {
    const folder = `protocols/${protocol}/vectors`;
    if (!existsSync(join(root, folder))) return [];
    const isNamed = (file: string): boolean =>
      tests.some(({ path, text }) => {
        if (!path.startsWith(`protocols/${protocol}/`)) return text.includes(`${folder}/${file}`);
        // Tests beside their vectors may put the name together: 'good' and `vectors/${name}.json`.
        const stem = new RegExp(`['"\`]${file.slice(0, -'.json'.length)}['"\`]`);
        return text.includes(file) || (text.includes('vectors/') && stem.test(text));
      });
    return readdirSync(join(root, folder))
      .filter((file) => file.endsWith('.json') && !isNamed(file))
      .map((file) => fault(`${folder}/${file}`, 1, 'is named in no test'));
  });
}

if (isMain(import.meta.url)) report('tidy', checkTidy(process.cwd()));
