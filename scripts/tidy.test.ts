import { describe, expect, test } from 'vitest';
import { onTree } from './fixture-tree.ts';
import { checkTidy } from './tidy.ts';

const faultsOf = (files: Readonly<Record<string, string>>): string[] => onTree(files, checkTidy);
const inPackage = (text: string): string[] =>
  faultsOf({ 'packages/core/README.md': '# core', 'packages/core/src/a.ts': text });
const lines = (count: number): string => '  work();\n'.repeat(count);

describe('sizes', () => {
  test('lines of 100 columns, counted in characters; addresses are let through', () => {
    expect(inPackage(`// ${'x'.repeat(97)}\n`)).toEqual([]);
    expect(inPackage(`// ${'é'.repeat(97)}\n`)).toEqual([]);
    expect(inPackage(`\n// ${'x'.repeat(98)}\n`)).toEqual([
      'packages/core/src/a.ts:2 101 columns, at most 100',
    ]);
    expect(inPackage(`// https://${'x'.repeat(98)}\n`)).toEqual([]);
  });

  test('files of 500 lines', () => {
    expect(inPackage('a();\n'.repeat(500))).toEqual([]);
    expect(inPackage('a();\n'.repeat(501))).toEqual([
      'packages/core/src/a.ts:1 501 lines, at most 500',
    ]);
  });

  test('functions of 70 lines, of every form', () => {
    const forms = [
      (body: string) => `function f() {\n${body}}\n`,
      (body: string) => `const f = () => {\n${body}};\n`,
      (body: string) => `const f = { m() {\n${body}} };\n`,
      (body: string) => `class F { constructor() {\n${body}} }\n`,
    ];
    for (const form of forms) {
      expect(inPackage(form(lines(68)))).toEqual([]);
      expect(inPackage(form(lines(69)))).toEqual([
        'packages/core/src/a.ts:1 function of 71 lines, at most 70',
      ]);
    }
  });

  test('a suite may be long, a test or a helper in it may not', () => {
    const suite = (body: string): string =>
      `export function run() {\n  describe('x', () => {\n${body}  });\n}\n`;
    const one = `test('a', () => {\n${lines(30)}});\n`;
    expect(inPackage(suite(one.repeat(5)))).toEqual([]);
    expect(inPackage(suite(`test('a', () => {\n${lines(70)}});\n`))).toHaveLength(1);
    expect(inPackage(suite(`const help = () => {\n${lines(70)}};\n`))).toHaveLength(2);
  });
});

describe('banned words', () => {
  test.each([
    'const a = b as any;',
    '// @ts-ignore\n',
    "test.only('a', f);",
    "describe.concurrent.only('a', f);",
    "test.skip('a', f);",
    '// TODO mend\n',
    '/* FIXME */',
    "console.log('a');",
  ])('%s', (text) => {
    expect(inPackage(text)).toHaveLength(1);
  });

  test.each([
    "const a = 'as any';",
    '// as any of them knows\n',
    "const a = '@ts-ignore TODO';",
    "// needs a GPU\ntest.skip('a', f);",
    "test.skip('a', f); // needs a GPU",
    'reader.skip(4);',
    '// TODO(#12): mend\n',
    'myconsole.log(1);',
  ])('%s is fine', (text) => {
    expect(inPackage(text)).toEqual([]);
  });

  test('console is for apps, scripts and tests', () => {
    const text = 'console.log(1);\n';
    expect(faultsOf({ 'apps/cli/src/a.ts': text, 'apps/cli/README.md': '' })).toEqual([]);
    expect(faultsOf({ 'scripts/a.ts': text, 'test/e2e/a.test.ts': text })).toEqual([]);
    const spec = { 'protocols/blobs/spec.md': '' };
    expect(faultsOf({ ...spec, 'protocols/blobs/src/a.ts': text })).toHaveLength(1);
  });

  test('build output and recorded data are not looked at', () => {
    const text = 'x as any;\n';
    const app = { 'apps/cli/README.md': '', 'apps/cli/dist/a.ts': text };
    expect(faultsOf({ ...app, 'node_modules/a/b.ts': text })).toEqual([]);
    expect(faultsOf({ 'test/fixtures/a.ts': text, 'dist/a.ts': text })).toEqual([]);
  });
});

describe('pages', () => {
  test('relative links lead somewhere', () => {
    const page = [
      '[here](docs/a.md#part) ![pic](docs/pic.png "title") [web](https://example.org) [up](#top)',
      '`[code](nowhere.md)` [gone](docs/b.md)',
      '```',
      '[shown](nowhere.md)',
      '```',
      '[ref]: nowhere.md',
    ].join('\n');
    const files = { 'README.md': page, 'docs/a.md': '[back](../README.md)', 'docs/pic.png': '' };
    expect(faultsOf(files)).toEqual([
      'README.md:2 broken link to docs/b.md',
      'README.md:6 broken link to nowhere.md',
    ]);
  });

  test('a package and an app have a README, a protocol has a spec', () => {
    const files = { 'packages/a/x': '', 'apps/b/x': '', 'protocols/c/x': '' };
    expect(faultsOf(files)).toEqual([
      'packages/a/README.md:1 is missing',
      'apps/b/README.md:1 is missing',
      'protocols/c/spec.md:1 is missing',
    ]);
  });

  test('a vector is named in a test of its protocol, or by its path elsewhere', () => {
    const files = {
      'protocols/c/spec.md': '',
      'protocols/c/vectors/good.json': '{}',
      'protocols/c/vectors/bad.json': '{}',
      'protocols/c/src/c.test.ts': "read('good.json');\n",
    };
    expect(faultsOf(files)).toEqual(['protocols/c/vectors/bad.json:1 is named in no test']);
    const elsewhere = (text: string) => faultsOf({ ...files, 'test/fuzz/v.test.ts': text });
    expect(elsewhere("read('bad.json');\n")).toHaveLength(1);
    expect(elsewhere("read('protocols/c/vectors/bad.json');\n")).toEqual([]);
    const joined = "for (const name of ['bad', 'good']) read(`vectors/${" + 'name}.json`);';
    expect(faultsOf({ ...files, 'protocols/c/src/c.test.ts': joined })).toEqual([]);
  });
});
