// Stands in for the trainer child and says what it can reach: [file, port] in, outcomes out.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';

function outcome(act) {
  try {
    act();
    return 'done';
  } catch ({ code }) {
    return code;
  }
}

process.on('message', async ([file, port]) => {
  const network = await new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve('done');
    });
    socket.on('error', ({ code }) => resolve(code));
  });
  process.send({
    network,
    read: outcome(() => readFileSync(file)),
    code: outcome(() => readdirSync(new URL('.', import.meta.url))),
    write: outcome(() => writeFileSync(new URL('./escaped', import.meta.url), '')),
    memory: outcome(() => new Uint8Array(600 * 2 ** 20).fill(1)),
    environment: Object.keys(process.env),
  });
  process.disconnect();
});
