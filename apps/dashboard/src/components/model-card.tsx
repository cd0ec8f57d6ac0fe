import { bytesOf, save } from '../lib/download.ts';
import { bytes, count, decimal, fileName, percent } from '../lib/format.ts';
import { useAction, useServices } from '../lib/hooks.ts';
import type { JobView, ManifestView, Pulled } from '../lib/types.ts';
import { type Fact, Facts, Failure, Hash, Notice, Section } from './basics.tsx';
import { guaranteeText } from './guarantee.tsx';
import { Icon } from './icons.tsx';

/** What a model is, how good it is, and where it comes from. */
export function ModelCard(props: {
  readonly job: JobView;
  readonly manifest: ManifestView | undefined;
}) {
  const { job, manifest } = props;
  const { api } = useServices();
  const { isRunning, failure, run } = useAction();
  const last = job.rounds.at(-1);
  const pull = () =>
    run(async () => {
      const path = `/v1/jobs/${encodeURIComponent(job.id)}/model`;
      const { round, model, proof } = await api.get<Pulled>(path);
      const name = `${fileName(job.name)}-round-${round}.onnx`;
      save(name, bytesOf(model));
      save(`${name}.proof`, bytesOf(proof));
    });
  return (
    <Section title="Model card">
      <Facts facts={[...cardFacts(job), ...manifestFacts(manifest)]} />
      <div class="actions">
        <button
          type="button"
          class="button button-main"
          disabled={isRunning || last === undefined}
          onClick={() => void pull()}
        >
          <Icon name="download" />
          Download model and proof
        </button>
      </div>
      {last === undefined && <p class="muted">There is a trained model after the first round.</p>}
      {last !== undefined && !last.settled && (
        <Notice tone="warn">
          The last round is provisional: another chain may yet take its place.
        </Notice>
      )}
      <p class="muted">
        Anybody can check where it is from: <code>starling model verify FILE.onnx</code>
      </p>
      <Failure text={failure} />
    </Section>
  );
}

function cardFacts(job: JobView): readonly Fact[] {
  const last = job.rounds.at(-1);
  if (last === undefined) return [['Round', 'as launched']];
  return [
    ['Round', `${last.round}, ${last.settled ? 'settled' : 'provisional'}`],
    ['Loss before it', decimal(last.loss)],
    ['Accuracy before it', percent(last.accuracy)],
    ['Measured on', `${count(last.examples)} validation examples`],
    ['Peers in its sum', `${last.survivors} of ${last.participants}`],
    ['Privacy', guaranteeText(job.privacy)],
    ['State', <Hash key="state" value={last.stateHash} what="state" />],
    ['Certificate', <Hash key="certificate" value={last.certificate} what="certificate" />],
  ];
}

/** What the manifest adds, where it is known. */
function manifestFacts(manifest: ManifestView | undefined): readonly Fact[] {
  if (manifest === undefined) return [];
  const { data, model, training, aggregation } = manifest;
  const { parameters, bytes: size } = model;
  const parts = [
    ...(parameters === null ? [] : [`${count(parameters)} parameters`]),
    ...(size === null ? [] : [bytes(size)]),
  ];
  return [
    ['Task', data.task],
    ['Model', parts.length === 0 ? 'not held here' : parts.join(', ')],
    ['Trained with', `${training.optimizer}, rate ${decimal(training.learningRate)}`],
    ['Aggregated by', aggregation.algorithm],
  ];
}
