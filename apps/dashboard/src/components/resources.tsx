import { bytes, percent, plural } from '../lib/format.ts';
import type { Status } from '../lib/types.ts';
import { Facts, Meter } from './basics.tsx';

type Resources = Status['resources'];

const of = (value: number, max: number | null, unit = ''): string =>
  max === null
    ? `${bytes(value)}${unit}, no cap`
    : `${bytes(value)}${unit} of ${bytes(max)}${unit}`;

/** What is taken of the machine beside what may be. */
export function Resources({ resources }: { readonly resources: Resources }) {
  const { upload, download, disk, memory, othersLoad, trainer, hours } = resources;
  const rate = (name: string, { perSecond, max }: Resources['upload']) => (
    <Meter isCap label={name} value={perSecond} max={max} text={of(perSecond, max, '/s')} />
  );
  return (
    <>
      {rate('Upload', upload)}
      {rate('Download', download)}
      <Meter isCap label="Disk" value={disk.bytes} max={disk.max} text={of(disk.bytes, disk.max)} />
      <Meter
        isCap
        label="Memory"
        value={memory.bytes}
        max={memory.max}
        text={of(memory.bytes, memory.max)}
      />
      <Facts
        facts={[
          ['Sent, received', `${bytes(upload.total)}, ${bytes(download.total)}`],
          [
            'Trainer',
            `${plural(trainer.cpuThreads, 'thread')}, ${percent(trainer.cpuShare, 0)} of the time`,
          ],
          ['Hours', hours.length === 0 ? 'always' : hours.join(', ')],
          ['Load of others', othersLoad === null ? 'not known' : percent(othersLoad, 0)],
        ]}
      />
    </>
  );
}
