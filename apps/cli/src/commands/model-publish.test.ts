import { expect, test } from 'vitest';
import { metricOf } from './model-publish.ts';

test('a metric is a name and a number', () => {
  expect(metricOf('accuracy=0.97')).toEqual({ name: 'accuracy', value: 0.97 });
  expect(metricOf('log.loss=-1e-3')).toEqual({ name: 'log.loss', value: -0.001 });
});

test.each(['accuracy', 'accuracy=', '=1', 'Accuracy=1', 'a=b', 'a=1x', 'a=Infinity'])(
  '%s is none',
  (text) => {
    expect(() => metricOf(text)).toThrow('expected a name and a number, as accuracy=0.97');
  },
);
