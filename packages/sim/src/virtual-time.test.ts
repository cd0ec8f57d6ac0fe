import { expect, test } from 'vitest';
import { VirtualTime } from './virtual-time.ts';

test('virtual time stands still while real work is under way, and what follows it', async () => {
  const time = new VirtualTime();
  const seen: string[] = [];
  const work = async (name: string) => {
    await new Promise((resolve) => setTimeout(resolve, 5));
    seen.push(`${name} at ${time.now}`);
  };
  time.after(10, () => {
    // Work that is asked for by the end of other work.
    void time.hold(work('first')).then(() => time.hold(work('second')));
  });
  time.after(20, () => void seen.push(`event at ${time.now}`));
  while (await time.step());
  expect(seen).toEqual(['first at 10', 'second at 10', 'event at 20']);
});

test('work that fails gives its failure to who asked, and time goes on', async () => {
  const time = new VirtualTime();
  const failed = time.hold(Promise.reject(new Error('no')));
  time.after(1, () => {});
  await expect(failed).rejects.toThrow('no');
  expect(await time.step()).toBe(true);
  expect(time.now).toBe(1);
});
