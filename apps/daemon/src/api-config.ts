import { isLoopbackAddress, parseListen } from '@starling/control';
import { z } from 'zod';

/** A name, without a port. */
const host = z.string().regex(/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/i, 'give a name, no port');

/** Where something listens over TCP; nowhere unless told. */
export const listenFields = (port: string) => ({
  listen: z
    .string()
    .refine((text) => parseListen(text) !== undefined, {
      message: `give an IP address and a port, such as 127.0.0.1:${port} or [::1]:${port}`,
    })
    .optional(),
  /** PEM files; demanded of everything but loopback. */
  tls: z.strictObject({ cert: z.string(), key: z.string() }).optional(),
  /** Names by which others call it, beside its addresses. */
  hosts: z.array(host).default([]),
});

interface Listening {
  readonly listen?: string | undefined;
  readonly tls?: object | undefined;
  readonly hosts: readonly string[];
}

/** What is wrong with where it listens; `tlsKey` names the files of the certificate. */
export function listenFault({ listen, tls, hosts }: Listening, tlsKey: string): readonly string[] {
  const address = listen === undefined ? undefined : parseListen(listen);
  const isIdle = listen === undefined && (tls !== undefined || hosts.length > 0);
  if (isIdle) return ['is missing: without it nothing listens, and the rest has no effect'];
  if (address === undefined || tls !== undefined || isLoopbackAddress(address)) return [];
  return [`demands TLS: name PEM files in ${tlsKey}, or listen on 127.0.0.1`];
}

/** Where the control API listens beside its Unix socket. */
export const apiSchema = z
  .strictObject(listenFields('7380'))
  .superRefine((given, context) => {
    for (const message of listenFault(given, 'api.tls')) {
      context.addIssue({ code: 'custom', path: ['listen'], message });
    }
  })
  .prefault({});
