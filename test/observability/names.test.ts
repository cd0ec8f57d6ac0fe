import { beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import {
  dashboard,
  fullExposition,
  metricsIn,
  namesIn,
  PAGE,
  queries,
  RULE_TESTS,
  read,
  rules,
} from './artefacts.ts';

interface RuleTest {
  readonly name: string;
  readonly alert_rule_test: readonly {
    readonly alertname: string;
    readonly exp_alerts: object[];
  }[];
}

let names: ReadonlySet<string>;
beforeAll(async () => {
  names = namesIn(await fullExposition());
});

/** What is named and does not exist. */
const unknown = (texts: readonly string[]): readonly string[] =>
  texts.flatMap(metricsIn).filter((name) => !names.has(name));

const recorded = rules.flatMap(({ record }) => record ?? []);
const alerts = rules.filter((rule) => rule.alert !== undefined);

describe('every metric exists that is named', () => {
  test('in a query of the dashboard, or in one of its variables', () => {
    expect(queries.length).toBeGreaterThan(50);
    const definitions = dashboard.templating.list.flatMap(({ definition }) => definition ?? []);
    expect(unknown([...queries.map(({ expr }) => expr), ...definitions])).toEqual([]);
  });

  test('in a rule', () => {
    expect(unknown(rules.map(({ expr }) => expr))).toEqual([]);
    const used = rules.flatMap(({ expr }) => expr.match(/\b[a-z]+:[a-z0-9_]+:[a-z0-9_]+/g) ?? []);
    expect(used.filter((name) => !recorded.includes(name))).toEqual([]);
  });

  test('in the series of the tests of rules', () => {
    expect(unknown([read(RULE_TESTS)])).toEqual([]);
  });

  test('in the documentation', () => {
    expect(unknown([read(PAGE)])).toEqual([]);
  });
});

test('the documentation names every metric of ours, and every recorded one', () => {
  const page = read(PAGE);
  const documented = new Set(metricsIn(page));
  const own = [...names].filter((name) => name.startsWith('starling_'));
  const families = own.map((name) => name.replace(/_(seconds|rows)_(bucket|sum|count)$/, '_$1'));
  expect([...new Set(families)].filter((name) => !documented.has(name))).toEqual([]);
  expect(recorded.filter((name) => !page.includes(name))).toEqual([]);
});

describe('every alert', () => {
  test.each(alerts.map((rule) => [rule.alert!, rule] as const))('%s is whole', (name, rule) => {
    expect(rule.annotations).toMatchObject({
      ...{ summary: expect.stringMatching(/\.$/), description: expect.stringMatching(/\.$/) },
      runbook: `${PAGE}#${name.toLowerCase()}`,
    });
    expect(read(PAGE)).toContain(`\n### ${name}\n`);
  });

  test('is tested where it fires, and where it does not', () => {
    const { tests } = parse(read(RULE_TESTS)) as { tests: RuleTest[] };
    const checked = tests.flatMap((each) => each.alert_rule_test);
    for (const { alert } of alerts) {
      const own = checked.filter(({ alertname }) => alertname === alert);
      expect(
        own.some(({ exp_alerts }) => exp_alerts.length > 0),
        alert,
      ).toBe(true);
      expect(
        own.some(({ exp_alerts }) => exp_alerts.length === 0),
        alert,
      ).toBe(true);
    }
  });
});

describe('the dashboard', () => {
  const { panels } = dashboard;

  test('has panels that do not lie on each other, in the five rows', () => {
    const rows = panels.filter(({ type }) => type === 'row').map(({ title }) => title);
    expect(rows).toEqual(['Swarm', 'Jobs', 'Rounds', 'Privacy', 'Resources']);
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const taken = new Set<string>();
    for (const { title, gridPos } of panels) {
      expect(gridPos.x + gridPos.w, title).toBeLessThanOrEqual(24);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect(taken.has(`${x} ${y}`), `${title} at ${x} ${y}`).toBe(false);
          taken.add(`${x} ${y}`);
        }
      }
    }
  });

  test('takes data source, scrape job and instance from its variables', () => {
    for (const { type, title, datasource, description } of panels) {
      if (type === 'row') continue;
      expect(datasource?.uid, title).toBe('$' + '{datasource}');
      expect(description, title).toMatch(/\.$/);
    }
    for (const { panel, expr } of queries) {
      const selectors = metricsIn(expr).length;
      const chosen = expr.match(/\{job=~"\$job", instance=~"\$instance"[,}]/g) ?? [];
      expect(chosen.length, panel).toBeGreaterThanOrEqual(selectors);
    }
  });
});
