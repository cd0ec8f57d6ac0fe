import type { Connection, Stream } from '@libp2p/interface';

type Handler = (stream: Stream, connection: Connection) => unknown;
type Method = (...given: unknown[]) => unknown;

/** Undefined when whoever is at the other end may speak; else settles when that is known. */
export type Passes = (connection: Connection) => Promise<void> | undefined;

/**
 * A libp2p service (identify, ping, DHT, gossip) whose streams, either way, wait until the peer is
 * admitted, and are reset when it is not. libp2p 3 has middleware for this, but calls the handler
 * once more for each stream before (it pushes the handler onto the registered list); so the service
 * is given a registrar and a connection manager that ask first.
 */
export function guarded<C extends object, T>(
  factory: (components: C) => T,
  passes: Passes,
): (components: C) => T {
  return (components) =>
    factory(
      view(components, (part, key) => {
        if (key === 'registrar') return view(part as object, (m, k) => onHandle(m, k, passes));
        if (key === 'connectionManager')
          return view(part as object, (m, k) => onOpen(m, k, passes));
        return part;
      }),
    );
}

function onHandle(method: unknown, key: PropertyKey, passes: Passes): unknown {
  if (key !== 'handle') return method;
  return (protocol: unknown, handler: Handler, ...rest: unknown[]): unknown =>
    (method as Method)(protocol, guardedHandler(handler, passes), ...rest);
}

function onOpen(method: unknown, key: PropertyKey, passes: Passes): unknown {
  if (key !== 'openConnection') return method;
  return async (...given: unknown[]): Promise<unknown> => {
    const connection = (await (method as Method)(...given)) as Connection;
    await passes(connection);
    return connection;
  };
}

/** A handler that sees only streams of admitted peers; libp2p resets the others. */
export function guardedHandler(handler: Handler, passes: Passes): Handler {
  return (stream, connection) => {
    const waiting = passes(connection);
    if (waiting === undefined) return handler(stream, connection);
    return waiting.then(() => handler(stream, connection));
  };
}

/** `target` with some of its members seen through `see`; methods keep their `this`. */
function view<T extends object>(target: T, see: (member: unknown, key: PropertyKey) => unknown): T {
  return new Proxy(target, {
    get(from, key) {
      const member: unknown = Reflect.get(from, key, from);
      return see(typeof member === 'function' ? member.bind(from) : member, key);
    },
  });
}
