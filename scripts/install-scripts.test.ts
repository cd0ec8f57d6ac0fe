import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

interface Locked {
  readonly version?: string;
  readonly hasInstallScript?: boolean;
  readonly link?: boolean;
  readonly resolved?: string;
  readonly integrity?: string;
}
const read = (name: string) =>
  JSON.parse(readFileSync(new URL(`../${name}`, import.meta.url), 'utf8'));
const { packages } = read('package-lock.json') as {
  readonly packages: Readonly<Record<string, Locked>>;
};
const { allowScripts, devDependencies } = read('package.json') as {
  readonly allowScripts: Readonly<Record<string, boolean>>;
  readonly devDependencies: Readonly<Record<string, string>>;
};
const foreign = Object.entries(packages).filter(
  ([path, { link }]) => path.includes('node_modules/') && !link,
);
const nameOf = (path: string): string => path.slice(path.lastIndexOf('node_modules/') + 13);

test('every package that would run something at install is named, and runs nothing', () => {
  const scripted = foreign.filter(([, { hasInstallScript }]) => hasInstallScript === true);
  const names = new Set(scripted.map(([path]) => nameOf(path)));
  expect([...names].sort()).toEqual(Object.keys(allowScripts).sort());
  for (const allowed of Object.values(allowScripts)) expect(allowed).toBe(false);
});

test('every package has a hash, and no address to be downloaded from', () => {
  expect(foreign.length).toBeGreaterThan(300);
  for (const [path, { integrity, resolved }] of foreign) {
    expect([path, integrity]).toEqual([path, expect.stringMatching(/^sha512-/)]);
    expect([path, resolved]).toEqual([path, undefined]);
  }
});

test('versions are exact', () => {
  const exact = /^\d+\.\d+\.\d+(-[\w.]+)?$/;
  for (const [name, version] of Object.entries(devDependencies)) {
    expect([name, version]).toEqual([name, expect.stringMatching(exact)]);
  }
});
