import { expect, test } from 'vitest';
import { jobHref, routeOf } from './router.ts';

test.each([
  ['', { page: 'overview' }],
  ['#', { page: 'overview' }],
  ['#/swarm', { page: 'swarm' }],
  ['#/jobs', { page: 'jobs' }],
  ['#/jobs/', { page: 'unknown' }],
  ['#/jobs/ab%20c', { page: 'job', id: 'ab c' }],
  ['#/jobs/%zz', { page: 'job', id: '%zz' }],
  ['#/nowhere', { page: 'unknown' }],
  ['#token=abc', { page: 'unknown' }],
])('%s', (fragment, route) => expect(routeOf(fragment)).toEqual(route));

test('a job is found by the address that names it', () => {
  expect(routeOf(jobHref('a/b#c'))).toEqual({ page: 'job', id: 'a/b#c' });
});
