import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse as parseHcl } from '@cdktf/hcl2json';
import { parseConfig } from '@starling/daemon';
import { describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';

const DEPLOY = join(import.meta.dirname, '../../deploy');
const KUBERNETES = join(DEPLOY, 'kubernetes');
const PORT = 4001;
const OVERLAYS = ['base', 'overlays/private-swarm', 'overlays/edge', 'overlays/gpu'];
const hasKubectl = spawnSync('kubectl', ['version', '--client']).status === 0;

interface Labelled {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
}
interface Validated {
  validate(): void;
}

/** A typed model of an object of Kubernetes, by the group and version that it names. */
async function modelOf(object: Labelled): Promise<Validated> {
  const path = `kubernetes-models/${object.apiVersion}/${object.kind}`;
  const loaded = (await import(path)) as Record<string, new (data: object) => Validated>;
  return new loaded[object.kind]!(object);
}

const render = (folder: string): readonly Labelled[] => {
  const text = execFileSync('kubectl', ['kustomize', join(KUBERNETES, folder)], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return parseAllDocuments(text).map((document) => document.toJS());
};

interface Mount {
  readonly name: string;
  readonly mountPath: string;
}
interface Pod {
  readonly metadata: { readonly labels: Readonly<Record<string, string>> };
  readonly spec: {
    readonly serviceAccountName: string;
    readonly containers: readonly {
      readonly args: readonly string[];
      readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
      readonly volumeMounts: readonly Mount[];
      readonly securityContext: object;
      readonly resources: { readonly limits: Readonly<Record<string, string>> };
    }[];
    readonly securityContext: object;
    readonly volumes: readonly {
      readonly name: string;
      readonly configMap?: { readonly name: string };
      readonly secret?: { readonly secretName: string };
    }[];
  };
}
interface Set_ {
  readonly serviceName: string;
  readonly selector: { readonly matchLabels: object };
  readonly template: Pod;
  readonly volumeClaimTemplates: readonly { readonly metadata: { readonly name: string } }[];
}

const one = <T>(objects: readonly Labelled[], kind: string): T & Labelled => {
  const found = objects.filter((each) => each.kind === kind);
  expect(found.map((each) => each.kind)).toEqual([kind]);
  return found[0] as T & Labelled;
};
const set = (objects: readonly Labelled[]) => one<{ spec: Set_ }>(objects, 'StatefulSet').spec;

describe.skipIf(!hasKubectl)('Kubernetes', () => {
  test.each(OVERLAYS)('%s: every object is of its type', async (folder) => {
    const objects = render(folder);
    expect(objects.map(({ kind }) => kind).sort()).toEqual([
      ...['ConfigMap', 'NetworkPolicy', 'PodDisruptionBudget', 'Service', 'ServiceAccount'],
      'StatefulSet',
    ]);
    for (const object of objects) (await modelOf(object)).validate();
    // It would have found a fault.
    const budget = one<{ spec: object }>(objects, 'PodDisruptionBudget');
    const wrong = { ...budget, spec: { ...budget.spec, maxUnavailable: [1] } };
    const model = await modelOf(wrong);
    expect(() => model.validate()).toThrow('maxUnavailable');
  });

  test.each(OVERLAYS)('%s: what names something names what is there', (folder) => {
    const objects = render(folder);
    const { serviceName, selector, template, volumeClaimTemplates } = set(objects);
    const { labels } = template.metadata;
    const service = one<{ spec: { selector: object; ports: { targetPort: string }[] } }>(
      objects,
      'Service',
    );
    expect(service.metadata.name).toBe(serviceName);
    const budget = one<{ spec: { selector: { matchLabels: object } } }>(
      objects,
      'PodDisruptionBudget',
    );
    const policy = one<{ spec: { podSelector: { matchLabels: object } } }>(
      objects,
      'NetworkPolicy',
    );
    const selectors = [
      ...[service.spec.selector, selector.matchLabels, budget.spec.selector.matchLabels],
      policy.spec.podSelector.matchLabels,
    ];
    for (const each of selectors) {
      expect(Object.keys(each)).not.toEqual([]);
      expect(labels).toMatchObject(each);
    }
    const { containers, volumes, serviceAccountName } = template.spec;
    expect(one(objects, 'ServiceAccount').metadata.name).toBe(serviceAccountName);
    const [container] = containers;
    expect(container!.ports).toEqual([
      expect.objectContaining({ name: service.spec.ports[0]!.targetPort, containerPort: PORT }),
    ]);
    const names = [...volumes, ...volumeClaimTemplates.map(({ metadata }) => metadata)];
    const mounted = container!.volumeMounts.map(({ name }) => name);
    expect(names.map(({ name }) => name).sort()).toEqual([...mounted].sort());
    const config = volumes.find(({ configMap }) => configMap)!.configMap!;
    expect(one(objects, 'ConfigMap').metadata.name).toBe(config.name);
  });

  test.each(OVERLAYS)('%s: the daemon takes the configuration, and may do little', (folder) => {
    const objects = render(folder);
    const { data } = one<{ data: Readonly<Record<string, string>> }>(objects, 'ConfigMap');
    const config = parseConfig(data['starling.yaml']!, 'starling.yaml');
    expect(config.listen).toEqual([`/ip4/0.0.0.0/tcp/${PORT}`]);
    const { spec } = set(objects).template;
    const [{ args, volumeMounts, securityContext, resources }] = spec.containers as [
      Pod['spec']['containers'][number],
    ];
    const folderOf = (name: string) => volumeMounts.find((each) => each.name === name)?.mountPath;
    expect(args).toEqual(['--config', `${folderOf('config')}/starling.yaml`]);
    expect(folderOf('state')).toBe('/var/lib/starling');
    expect(securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
    expect(spec.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 10001 });
    expect(resources.limits).toMatchObject({ cpu: expect.anything(), memory: expect.anything() });
  });

  test('the secret that shows what an invite looks like is the one that peers read', async () => {
    const file = join(KUBERNETES, 'overlays/private-swarm/secret.example.yaml');
    const secret = parse(readFileSync(file, 'utf8'));
    (await modelOf(secret)).validate();
    const { volumes, containers } = set(render('overlays/private-swarm')).template.spec;
    const volume = volumes.find((each) => each.secret)!;
    expect(volume.secret!.secretName).toBe(secret.metadata.name);
    const mount = containers[0]!.volumeMounts.find(({ name }) => name === volume.name)!;
    const script = JSON.stringify(containers[0]);
    expect(script).toContain(`'${mount.mountPath}/${Object.keys(secret.stringData)[0]}'`);
  });
});

test('the job for Nomad is HCL, with a configuration that the daemon takes', async () => {
  const file = join(DEPLOY, 'nomad/starling.nomad.hcl');
  const { job } = (await parseHcl(file, readFileSync(file, 'utf8'))) as {
    job: { starling: [{ group: { peers: [Record<string, unknown>] } }] };
  };
  const [group] = job.starling[0].group.peers as unknown as [
    {
      count: number;
      network: [{ port: { peers: [{ static: number }] } }];
      volume: object;
      task: { daemon: [{ config: [{ args: string[] }]; template: [Template]; user: string }] };
    },
  ];
  expect(group.count).toBe(3);
  expect(group.network[0].port.peers[0].static).toBe(PORT);
  const [task] = group.task.daemon;
  const [template] = task.template;
  expect(task.config[0].args).toEqual(['--config', `/${template.destination}`]);
  const config = parseConfig(template.data, template.destination);
  expect(config.listen).toEqual([`/ip4/0.0.0.0/tcp/${PORT}`]);
  await expect(parseHcl('x', 'job "a" {')).rejects.toThrow();
});

interface Template {
  readonly destination: string;
  readonly data: string;
}

test('every overlay is tested', () => {
  const found = readdirSync(join(KUBERNETES, 'overlays')).map((name) => `overlays/${name}`);
  expect(['base', ...found].sort()).toEqual([...OVERLAYS].sort());
});
