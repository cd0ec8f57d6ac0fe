import { expect, test } from 'vitest';
import { createLog } from '../../packages/telemetry/src/log.ts';
import { noticeFields } from '../../packages/telemetry/src/notice-fields.ts';
import { JOB, REST, roundOf, SELF } from '../../packages/telemetry/src/testing/run.ts';
import { read } from './artefacts.ts';

interface Mapping {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Mapping>>;
}
interface Template {
  readonly template: { readonly mappings: { readonly properties: { readonly starling: Mapping } } };
}
const { template } = JSON.parse(read('deploy/elk/starling-template.json')) as Template;

const FITS: Readonly<Record<string, (value: unknown) => boolean>> = {
  keyword: (value) => typeof value === 'string',
  long: Number.isSafeInteger,
  double: (value) => typeof value === 'number',
  boolean: (value) => typeof value === 'boolean',
};

/** Fields that the template does not know, or knows otherwise; strings need not be named. */
function misfits(value: unknown, mapping: Mapping | undefined, path: string): readonly string[] {
  if (Array.isArray(value)) return value.flatMap((each) => misfits(each, mapping, path));
  if (typeof value === 'object' && value !== null) {
    return Object.entries(value).flatMap(([key, each]) =>
      misfits(each, mapping?.properties?.[key], `${path}.${key}`),
    );
  }
  return FITS[mapping?.type ?? 'keyword']!(value) ? [] : [path];
}

test('the index template fits every line that a notice makes', async () => {
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  const log = await createLog({ level: 'info', format: 'ecs', version: '0.1.0', destination });
  log.identify(SELF);
  const progress = { step: 3, steps: 9, examplesPerSecond: 10.5, secondsLeft: 2.5 };
  const notices = [
    ...[...roundOf(1), ...REST],
    { kind: 'progress', round: 1, ...progress } as const,
    { kind: 'waiting', round: 1, joined: 2, needed: 3 } as const,
  ];
  for (const notice of notices) log.info(notice.kind, noticeFields(JOB, notice));
  expect(lines).toHaveLength(notices.length);
  const read = lines.map((line) => JSON.parse(line) as { starling: unknown });
  const { starling } = template.mappings.properties;
  expect(read.flatMap((line) => misfits(line.starling, starling, 'starling'))).toEqual([]);
  const certified = read.find((line) => JSON.stringify(line).includes('"certified"'));
  expect(certified).toMatchObject({ starling: { round: 1, summed: 3, rosterSize: 4, loss: 0.5 } });
});
