import { describe, expect, test } from 'vitest';
import { type Column, cut, formatTable, oneLine } from './table.ts';

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
