import xsalsa20 from 'xsalsa20';

/**
 * All that the module allows, and far more than is ever enciphered at a time. Address space only:
 * pages that nobody writes to take no memory.
 */
const ROOM_BYTES = 1_000 * 65_536;
const [NONCE_BYTES, KEY_BYTES] = [24, 32];

let hasRoom = false;

/**
 * Grows the one memory that all ciphers of private swarms' sockets share (xsalsa20 1.2.0), before
 * there is any. Each cipher keeps a view of that memory, which is empty once another has grown it;
 * it then takes the memory for too small and grows it again, which empties all the other views. Two
 * connections alone so drive it to its limit within minutes, where growing throws in the middle of
 * a socket's event and ends the process.
 */
export function giveCiphersRoom(): void {
  if (hasRoom) return;
  hasRoom = true;
  const cipher = xsalsa20(new Uint8Array(NONCE_BYTES), new Uint8Array(KEY_BYTES));
  // Absent where there is no WebAssembly: its other implementation shares nothing.
  cipher._xor.realloc?.(ROOM_BYTES);
}
