import { isLoopbackAddress, parseListen } from '@starling/control';
import { z } from 'zod';

/** A name, without a port. */
const host = z.string().regex(/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/i, 'give a name, no port');

/** Where the control API listens beside its Unix socket; nowhere unless told. */
export const apiSchema = z
  .strictObject({
    listen: z
      .string()
      .refine((text) => parseListen(text) !== undefined, {
        message: 'give an IP address and a port, such as 127.0.0.1:7380 or [::1]:7380',
      })
      .optional(),
    /** PEM files; demanded of everything but loopback. */
    tls: z.strictObject({ cert: z.string(), key: z.string() }).optional(),
    /** Names by which others call it, beside its addresses. */
    hosts: z.array(host).default([]),
  })
  .superRefine(({ listen, tls, hosts }, context) => {
    const fault = (key: string, message: string) =>
      context.addIssue({ code: 'custom', path: [key], message });
    const address = listen === undefined ? undefined : parseListen(listen);
    if (listen === undefined && (tls !== undefined || hosts.length > 0)) {
      fault('listen', 'is missing: without it nothing listens, and the rest has no effect');
    }
    if (address !== undefined && tls === undefined && !isLoopbackAddress(address)) {
      fault('listen', 'demands TLS: name PEM files in api.tls, or listen on 127.0.0.1');
    }
  })
  .prefault({});
