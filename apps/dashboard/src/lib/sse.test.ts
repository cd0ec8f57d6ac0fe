import fc from 'fast-check';
import { expect, test } from 'vitest';
import { EventReader, type ServerEvent } from './sse.ts';

const STREAM =
  ': hello\n\nid: 7\ndata: {"a":1}\n\nevent: gap\r\ndata: one\r\ndata:two\r\n\r\nid: 9\n\n';
const EVENTS: readonly ServerEvent[] = [
  { name: 'message', id: '7', data: '{"a":1}' },
  { name: 'gap', id: '7', data: 'one\ntwo' },
];

test('comments and events without data are none', () => {
  expect(new EventReader().push(STREAM)).toEqual(EVENTS);
});

test('it does not matter where the stream is cut', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(STREAM.length)), (cuts) => {
      const reader = new EventReader();
      const places = [0, ...cuts.sort((a, b) => a - b), STREAM.length];
      const found = places.flatMap((from, i) => reader.push(STREAM.slice(from, places[i + 1])));
      expect(found).toEqual(EVENTS);
    }),
  );
});

test('what is not whole waits', () => {
  const reader = new EventReader();
  expect(reader.push('data: a')).toEqual([]);
  expect(reader.push('b\n')).toEqual([]);
  expect(reader.push('\n')).toEqual([{ name: 'message', id: undefined, data: 'ab' }]);
});
