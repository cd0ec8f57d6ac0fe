// Stands in for a trainer child: takes 16 MiB more every few milliseconds and never answers.
const taken = [];
process.on('message', () => {
  setInterval(() => taken.push(new Uint8Array(16 * 2 ** 20).fill(1)), 5);
});
