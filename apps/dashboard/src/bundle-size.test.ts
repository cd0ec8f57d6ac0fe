import { readdirSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';

const BUILT = new URL('../../cli/dist/dashboard/', import.meta.url);
const GZIP_MAX = 80_000;

const files = readdirSync(new URL('assets/', BUILT)).map((name) => ({
  name,
  bytes: readFileSync(new URL(`assets/${name}`, BUILT)),
}));

test('scripts and styles stay small on the wire', () => {
  const sizes = files.map(
    ({ name, bytes }) => [name, gzipSync(bytes, { level: 9 }).length] as const,
  );
  const total = sizes.reduce((sum, [, size]) => sum + size, 0);
  console.log(
    `dashboard: ${total} bytes in gzip of at most ${GZIP_MAX}`,
    Object.fromEntries(sizes),
  );
  expect(files.map(({ name }) => name.replace(/.*\./, '')).sort()).toEqual(['css', 'js']);
  expect(total).toBeGreaterThan(10_000);
  expect(total).toBeLessThan(GZIP_MAX);
});

test('the schemas and their library are not in the bundle', () => {
  const script = files.find(({ name }) => name.endsWith('.js'))!.bytes.toString();
  expect(script).not.toMatch(/ZodError|invalid_type|strictObject/);
});

test('the page holds nothing that a strict policy forbids', () => {
  const page = readFileSync(new URL('index.html', BUILT), 'utf8');
  expect(page).not.toMatch(/<style|style=|\son\w+=|javascript:/i);
  for (const [tag] of page.matchAll(/<script[^>]*>[^<]*<\/script>/g)) {
    expect(tag).toMatch(/^<script type="module" crossorigin src="\/assets\/[\w.-]+"><\/script>$/);
  }
  for (const { bytes } of files)
    expect(bytes.toString()).not.toMatch(/https?:\/\/(?!www\.w3\.org)/);
});

test('no component writes markup of strangers', () => {
  const script = files.find(({ name }) => name.endsWith('.js'))!.bytes.toString();
  // Preact itself knows the name; nobody here uses it.
  expect(script.match(/dangerouslySetInnerHTML:/g)).toBeNull();
});
