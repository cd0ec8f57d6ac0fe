import { shortPeer } from '../lib/format.ts';
import { type Fact, Facts } from './basics.tsx';

/** A group of settings: names and values, groups within named by their path. */
interface Leaves {
  readonly title: string;
  readonly facts: readonly Fact[];
}

const isGroup = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const PEER = /^12D3KooW[1-9A-HJ-NP-Za-km-z]{44}$/;

const textOf = (value: unknown): string => {
  if (value === null || value === undefined) return 'not set';
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.map(textOf).join(', ');
  if (typeof value === 'string' && PEER.test(value)) return shortPeer(value);
  return isGroup(value) ? JSON.stringify(value) : String(value);
};

function leavesOf(value: Readonly<Record<string, unknown>>, prefix = ''): readonly Fact[] {
  return Object.entries(value).flatMap(([key, inner]): readonly Fact[] =>
    isGroup(inner)
      ? leavesOf(inner, `${prefix}${key}.`)
      : [
          [
            `${prefix}${key}`,
            <span key={key} class="break">
              {textOf(inner)}
            </span>,
          ],
        ],
  );
}

/** Settings as they are, by group: whatever a later release adds shows up too. */
export function Tree({ value }: { readonly value: Readonly<Record<string, unknown>> }) {
  const plain = Object.entries(value).filter(([, inner]) => !isGroup(inner));
  const groups: readonly Leaves[] = [
    { title: '', facts: leavesOf(Object.fromEntries(plain)) },
    ...Object.entries(value).flatMap(([title, inner]) =>
      isGroup(inner) ? [{ title, facts: leavesOf(inner) }] : [],
    ),
  ];
  return (
    <div class="tree">
      {groups.map(
        ({ title, facts }) =>
          facts.length > 0 && (
            <div key={title}>
              {title !== '' && <h3>{title}</h3>}
              <Facts facts={facts} />
            </div>
          ),
      )}
    </div>
  );
}
