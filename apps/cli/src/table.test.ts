import { describe, expect, test } from 'vitest';
import { type Column, cut, formatTable, lengthOf, oneLine } from './table.ts';

interface Row {
  readonly name: string;
  readonly count: number;
}

const columns: readonly Column<Row>[] = [
  { title: 'NAME', value: ({ name }) => name, flexible: true },
  { title: 'COUNT', value: ({ count }) => String(count), align: 'right' },
];

describe('a table', () => {
  test('lines its columns up, numbers on the right', () => {
    const rows = [
      { name: 'a', count: 7 },
      { name: 'größer', count: 12_345 },
    ];
    expect(formatTable(columns, rows)).toEqual(['NAME    COUNT', 'a           7', 'größer  12345']);
  });

  test('keeps within the terminal by what gives way', () => {
    const lines = formatTable(columns, [{ name: 'n'.repeat(60), count: 1 }], 30);
    expect(lines.map((line) => line.length)).toEqual([30, 30]);
    expect(lines[1]).toContain('n…');
  });

  test('leaves values whole where there is no terminal', () => {
    const name = 'n'.repeat(300);
    expect(formatTable(columns, [{ name, count: 1 }])[1]).toContain(name);
  });

  test('shows the titles of an empty one', () => {
    expect(formatTable(columns, [])).toEqual(['NAME  COUNT']);
  });
});

test('a name from elsewhere cannot steer the terminal', () => {
  expect(oneLine('evil\u001b[2J\r\nname\u202e')).toBe('evil [2J name');
});

test('cutting counts characters and says so', () => {
  expect(cut('abcdef', 4)).toBe('abc…');
  expect(cut('äöüß', 4)).toBe('äöüß');
});

describe('a table on a narrow terminal', () => {
  const rows = [{ name: 'scans of the ward', count: 1234 }];
  const wide: readonly Column<(typeof rows)[number]>[] = [
    { title: 'A LONG TITLE', value: ({ name }) => name },
    { title: 'NAME', value: ({ name }) => name, flexible: true },
    { title: 'ANOTHER TITLE', value: ({ count }) => String(count), align: 'right' },
  ];

  test.each([80, 60, 40, 30, 20, 10, 3])('keeps within %d columns', (width) => {
    for (const line of formatTable(wide, rows, width)) {
      expect(lengthOf(line)).toBeLessThanOrEqual(width);
    }
  });

  test('counts two columns for a character of Chinese', () => {
    const lines = formatTable(columns, [
      { name: '肺部扫描', count: 1 },
      { name: 'lungs', count: 2 },
    ]);
    expect(lines.map(lengthOf)).toEqual([15, 15, 15]);
    expect(cut('肺部扫描', 5)).toBe('肺部…');
  });
});
