import { access } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import type { ControlApp } from './routes/operation.ts';

/** What Vite names by a hash of its content. */
const HASHED = /^assets\//;
const SECONDS_OF_A_YEAR = 31_536_000;

/** Scripts, styles and requests of its own only, in no frame. */
const POLICY = [
  "default-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "object-src 'none'",
].join('; ');

/** For every answer over TCP. */
export const BROWSER_HEADERS = {
  'content-security-policy': POLICY,
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
} as const;

/** What a daemon says is for who asked, and for now. */
export const NOT_KEPT = { 'cache-control': 'no-store' } as const;

const NOT_BUILT = `<!doctype html>
<html lang="en">
<title>Starling</title>
<h1>The dashboard is not built</h1>
<p>Run <code>npm run build</code> where Starling is installed, and load this page again.
The API is served all the same.</p>
</html>
`;

/**
 * Serves the built dashboard. It holds no secret and needs no token: the page asks for it.
 * @param pages the built directory, which may be absent
 */
export async function staticRoutes(app: ControlApp, pages: string): Promise<void> {
  const { default: fastifyStatic } = await import('@fastify/static');
  await app.register(fastifyStatic, {
    root: pages,
    serve: false,
    index: false,
    cacheControl: false,
    dotfiles: 'ignore',
    // Of what is sent, not of what is not there.
    setHeaders: (reply, path) => reply.setHeader('cache-control', cachingOf(relative(pages, path))),
  });
  const open = { config: { open: 'everybody' }, schema: { hide: true } } as const;
  const index = (_request: unknown, reply: FastifyReply) => sendIndex(reply, pages);
  app.get('/', open, index);
  app.get('/index.html', open, index);
  const schema = { hide: true, params: z.object({ '*': z.string() }) };
  app.get('/*', { ...open, schema }, ({ params }, reply) => reply.sendFile(params['*']));
}

const cachingOf = (path: string): string =>
  HASHED.test(path) ? `public, max-age=${SECONDS_OF_A_YEAR}, immutable` : 'no-cache';

async function sendIndex(reply: FastifyReply, pages: string): Promise<FastifyReply> {
  try {
    await access(join(pages, 'index.html'));
  } catch {
    return reply.code(404).headers(NOT_KEPT).type('text/html; charset=utf-8').send(NOT_BUILT);
  }
  return reply.sendFile('index.html');
}
