// A daemon's stand-in, to be killed in mid-run: says its child's process id, then trains for ever.
import { noiseJob, noiseTrainer } from './bars.ts';

const [folder, epochs] = process.argv.slice(2);
const trainer = await noiseTrainer(folder!, {});
const job = await trainer.prepare(noiseJob({}, Number(epochs)));
const training = job.train(job.initial, 1);
process.send!(trainer.pids[0]!);
await training;
