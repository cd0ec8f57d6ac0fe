/** Long runs by hand: `npm run soak -- simulated …`, `… daemons …` or `… chaos …`. */
const KINDS = {
  simulated: () => import('./soak-simulated.ts'),
  daemons: () => import('./soak-daemons.ts'),
  chaos: () => import('./soak-chaos.ts'),
};
const kind = process.argv[2] ?? '';
if (!Object.hasOwn(KINDS, kind)) {
  process.stderr.write(`soak: say which one: ${Object.keys(KINDS).join(', ')}\n`);
  process.exitCode = 2;
} else {
  await KINDS[kind as keyof typeof KINDS]();
}
