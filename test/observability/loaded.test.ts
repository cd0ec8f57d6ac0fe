import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { pathOf } from './artefacts.ts';

const DIST = pathOf('apps/cli/dist');
/** Imports and exports from other files: what is loaded with a file at once. */
const STATIC = /^(?:import|export)\b[^;]*?["']([^"'\n]+)["'];$/gm;
const DYNAMIC = /\bimport\(\s*["']([^"'\n]+)["']\s*\)/g;

/** What an entry of the bundle imports from outside of it: at once, or also later. */
function imports(entry: string, forms: readonly RegExp[], seen = new Set<string>()): Set<string> {
  if (seen.has(entry)) return seen;
  seen.add(entry);
  const path = join(DIST, entry);
  if (!existsSync(path)) return seen;
  const text = readFileSync(path, 'utf8');
  for (const form of forms) {
    for (const [, name] of text.matchAll(form)) imports(name!.replace(/^\.\//, ''), forms, seen);
  }
  return seen;
}

const isTracing = (name: string): boolean => name.startsWith('@opentelemetry/');

test('OpenTelemetry is loaded when traces are wanted, and not before', () => {
  const atOnce = [...imports('daemon.js', [STATIC])];
  const ever = [...imports('daemon.js', [STATIC, DYNAMIC])];
  // The check sees other libraries that are loaded at once, and these where they are.
  expect(atOnce).toContain('classic-level');
  expect(ever.filter(isTracing).sort()).toEqual([
    '@opentelemetry/api',
    '@opentelemetry/exporter-trace-otlp-http',
    '@opentelemetry/resources',
    '@opentelemetry/sdk-trace-base',
  ]);
  expect(atOnce.filter(isTracing)).toEqual([]);
});

test('the command line loads nothing of it at all', () => {
  expect([...imports('starling.js', [STATIC])].filter(isTracing)).toEqual([]);
});
