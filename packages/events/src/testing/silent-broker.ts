import { createServer, type Socket } from 'node:net';

/** Methods of AMQP 0-9-1 by class and number, as they begin a frame's payload. */
const method = (group: number, number: number): number => (group << 16) | number;
const longText = (text: string): string =>
  text.length.toString(16).padStart(8, '0') + Buffer.from(text).toString('hex');

const START = [
  method(10, 10),
  `0009${longText('')}${longText('PLAIN')}${longText('en_US')}`,
] as const;
/** What a broker answers until a connection, a channel and an exchange are there; fields in hex. */
const ANSWERS: ReadonlyMap<number, readonly [method: number, fields: string]> = new Map([
  // Frames of 128 KiB, and a sign of life every minute.
  [method(10, 11), [method(10, 30), '000000020000003c']],
  [method(10, 40), [method(10, 41), '00']],
  [method(20, 10), [method(20, 11), longText('')]],
  [method(40, 10), [method(40, 11), '']],
  [method(85, 10), [method(85, 11), '']],
]);
const FRAME_HEAD = 7;

/** A broker that opens a connection and then says nothing more, not even to a goodbye. */
export async function silentBroker(): Promise<{
  readonly url: string;
  readonly sockets: ReadonlySet<Socket>;
  readonly close: () => void;
}> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => {});
    let waiting = Buffer.alloc(0);
    socket.on('data', (bytes) => {
      waiting = Buffer.concat([waiting, bytes]);
      waiting = waiting.subarray(answer(socket, waiting));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  const { port } = server.address() as { port: number };
  return { url: `amqp://127.0.0.1:${port}`, sockets, close };
}

/** @returns bytes that are dealt with */
function answer(socket: Socket, bytes: Buffer): number {
  let at = 0;
  if (bytes.subarray(0, 4).toString() === 'AMQP') {
    socket.write(frameOf(0, START));
    at = 8;
  }
  while (bytes.length - at >= FRAME_HEAD) {
    const size = bytes.readUInt32BE(at + 3);
    if (bytes.length - at < FRAME_HEAD + size + 1) break;
    const known = size < 4 ? undefined : ANSWERS.get(bytes.readUInt32BE(at + FRAME_HEAD));
    if (known !== undefined) {
      socket.write(frameOf(bytes.readUInt16BE(at + 1), known));
    }
    at += FRAME_HEAD + size + 1;
  }
  return at;
}

function frameOf(channel: number, [id, fields]: readonly [method: number, fields: string]): Buffer {
  const payload = Buffer.from(id.toString(16).padStart(8, '0') + fields, 'hex');
  const head = Buffer.alloc(FRAME_HEAD);
  head.writeUInt8(1);
  head.writeUInt16BE(channel, 1);
  head.writeUInt32BE(payload.length, 3);
  return Buffer.concat([head, payload, Buffer.of(0xce)]);
}
