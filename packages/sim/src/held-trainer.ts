import type { PreparedJob, Trainer } from '@starling/rounds';
import type { VirtualTime } from './virtual-time.ts';

/** A real trainer for a virtual peer: virtual time stands still while it works. */
export function heldTrainer(trainer: Trainer, time: VirtualTime): Trainer {
  const held = (job: PreparedJob): PreparedJob => ({
    layout: job.layout,
    initial: job.initial,
    train: (...given) => time.hold(job.train(...given)),
    evaluate: (...given) => time.hold(job.evaluate(...given)),
    close: () => time.hold(job.close()),
  });
  return {
    describe: (...given) => time.hold(trainer.describe(...given)),
    prepare: (job) => time.hold(trainer.prepare(job).then(held)),
  };
}
