import { ProtocolError } from '@starling/core';
import type { Node } from './types.ts';

/**
 * The nodes in an order in which each comes behind those whose values it uses: the order of the
 * file where that is one already.
 * @param given names that exist before the first node
 * @throws ProtocolError `model-corrupt` on a value that is made twice or never, and on a cycle
 */
export function orderNodes(nodes: readonly Node[], given: Iterable<string>): readonly Node[] {
  const maker = new Map<string, Node | undefined>(Array.from(given, (name) => [name, undefined]));
  for (const node of nodes) {
    for (const output of node.outputs) {
      if (output === '') continue;
      if (maker.has(output)) {
        const fault = `two nodes make the value "${output}", or one makes an input: ${where(node)}`;
        throw new ProtocolError('model-corrupt', fault);
      }
      maker.set(output, node);
    }
  }
  const ordered: Node[] = [];
  const done = new Set<Node>();
  for (const node of nodes) place(node, { maker, ordered, done });
  return ordered;
}

const where = ({ name, op }: Node) => `node "${name}" (${op})`;

interface Placing {
  readonly maker: ReadonlyMap<string, Node | undefined>;
  readonly ordered: Node[];
  readonly done: Set<Node>;
}

/** Puts what `last` needs before it; with a stack of its own, since a chain may be long. */
function place(last: Node, { maker, ordered, done }: Placing): void {
  const path = [{ node: last, input: 0 }];
  const open = new Set([last]);
  while (path.length > 0) {
    const top = path.at(-1)!;
    const name = top.node.inputs[top.input++];
    if (name === undefined || done.has(top.node)) {
      path.pop();
      open.delete(top.node);
      if (!done.has(top.node)) ordered.push(top.node);
      done.add(top.node);
      continue;
    }
    if (name === '') continue;
    if (!maker.has(name)) {
      const fault = `${where(top.node)} uses "${name}", which nothing makes`;
      throw new ProtocolError('model-corrupt', fault);
    }
    const before = maker.get(name);
    if (before === undefined || done.has(before)) continue;
    if (open.has(before))
      throw cycleError(
        path.map(({ node }) => node),
        before,
      );
    open.add(before);
    path.push({ node: before, input: 0 });
  }
}

function cycleError(path: readonly Node[], from: Node): ProtocolError {
  const cycle = [...path.slice(path.indexOf(from)), from].reverse();
  const names = cycle.map(({ name, op }) => `"${name}" (${op})`);
  const shown = names.length > 6 ? [...names.slice(0, 5), '…', names.at(-1)] : names;
  return new ProtocolError('model-corrupt', `the graph has a cycle: ${shown.join(' → ')}`);
}
