import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { createMetrics } from '../../packages/telemetry/src/metrics.ts';
import { REST, roundOf, SELF, tell, view } from '../../packages/telemetry/src/testing/run.ts';

export const pathOf = (path: string): string =>
  fileURLToPath(new URL(`../../${path}`, import.meta.url));
export const read = (path: string): string => readFileSync(pathOf(path), 'utf8');

export const RULES = 'deploy/prometheus/starling.rules.yml';
export const RULE_TESTS = 'deploy/prometheus/starling.rules.test.yml';
export const PAGE = 'docs/observability.md';

export interface Rule {
  readonly alert?: string;
  readonly record?: string;
  readonly expr: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

interface RuleFile {
  readonly groups: readonly { readonly rules: readonly Rule[] }[];
}
export const rules: readonly Rule[] = (parse(read(RULES)) as RuleFile).groups.flatMap(
  (group) => group.rules,
);

export interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly gridPos: {
    readonly x: number;
    readonly y: number;
    readonly w: number;
    readonly h: number;
  };
  readonly datasource?: { readonly uid: string };
  readonly targets?: readonly { readonly expr: string; readonly refId: string }[];
}

interface Dashboard {
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly definition?: string }[] };
}
export const dashboard = JSON.parse(read('deploy/grafana/starling.json')) as Dashboard;

export const queries: readonly { readonly panel: string; readonly expr: string }[] =
  dashboard.panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ expr }) => ({ panel: title, expr })),
  );

/** Samples that rates and quantiles need. */
export const SCRAPES_MIN = 4;

/** A query as Grafana sends it with everything chosen. */
export const substituted = (expr: string): string =>
  expr
    .replace(/\$__rate_interval/g, '30s')
    .replace(/\$__range/g, '5m')
    .replace(/\$(job|instance|name)\b/g, '.*');

/** Names of metrics in a query or a text, as the exposition has them. */
export function metricsIn(text: string): readonly string[] {
  const found = text.match(/(?<![\w:])(?:starling|nodejs|process)_[a-z0-9_]+(?![\w:])/g) ?? [];
  return [...new Set(found)].filter((name) => !name.endsWith('_'));
}

/** The metrics of a daemon of which everything is known, after some rounds. */
export async function fullExposition(): Promise<string> {
  const metrics = createMetrics(SELF);
  tell([metrics.listener], [...roundOf(1), ...REST], metrics);
  metrics.serving.answered('ward', 0.1);
  metrics.serving.batch('ward', 1);
  metrics.serving.swapped('ward');
  return metrics.text(view());
}

/** Every name that a series may have, those of histograms' parts with them. */
export function namesIn(exposition: string): ReadonlySet<string> {
  const series = exposition.match(/^[a-z][a-z0-9_]*(?=[{ ])/gm) ?? [];
  const families = [...exposition.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name!);
  return new Set([...series, ...families]);
}
