import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { type PlainObject, toYaml } from './yaml.ts';

test('what a job file looks like', () => {
  const job = {
    name: 'a',
    model: 'zoo:mlp',
    stop: { rounds: 3 },
    training: {},
    data: { input: { shape: [28, 28] } },
  };
  expect(toYaml(job)).toBe(
    'name: a\nmodel: "zoo:mlp"\nstop:\n  rounds: 3\ndata:\n  input:\n    shape: [28, 28]\n',
  );
});

const scalar = fc.oneof(
  fc.string({ minLength: 1, unit: 'grapheme' }),
  fc.constantFrom('yes', 'null', '1e3', '- a', '# b', 'a: b', '0x10', '~', 'on', '.inf'),
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.boolean(),
);
const key = fc.stringMatching(/^[a-z]{3,8}$/).filter((name) => !/^(?:true|null|false)$/.test(name));

test('any YAML reader reads back what was meant', () => {
  const object = fc.dictionary(key, fc.oneof(scalar, fc.array(scalar)), { minKeys: 1 });
  fc.assert(
    fc.property(fc.dictionary(key, fc.oneof(object, scalar), { minKeys: 1 }), (value) => {
      const text = JSON.parse(JSON.stringify(value)) as PlainObject;
      expect(parse(toYaml(text))).toEqual(text);
    }),
  );
});
