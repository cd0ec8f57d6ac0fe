import { plural, shortPeer } from '../lib/format.ts';
import { type Link, type Neighbour, type Spot, swarmMap } from '../lib/swarm-map.ts';

const LEGEND: readonly (readonly [Link, string])[] = [
  ['direct', 'direct'],
  ['relayed', 'through a relay'],
  ['lost', 'cannot be reached'],
];

/** This peer in the middle of those it knows; the list beside it says the same in words. */
export function MapOfPeers(props: {
  readonly self: string;
  readonly neighbours: readonly Neighbour[];
  readonly chosen: string | undefined;
}) {
  const { self, neighbours, chosen } = props;
  const { spots, reach, left } = swarmMap(neighbours);
  const numbers = LEGEND.map(([link, text]) => {
    const count = neighbours.filter((each) => each.link === link).length;
    return `${count} ${text}`;
  });
  const label = `This peer and ${plural(neighbours.length, 'other')}: ${numbers.join(', ')}`;
  return (
    <>
      <svg
        class={spots.length > 12 ? 'map map-crowded' : 'map'}
        viewBox={`${-reach} ${-reach} ${2 * reach} ${2 * reach}`}
        role="img"
        aria-label={label}
      >
        {spots.map(({ peer, link, x, y }) => (
          <line key={peer} class={`map-line map-${link}`} x1={0} y1={0} x2={x} y2={y} />
        ))}
        {spots.map((spot) => (
          <Dot key={spot.peer} spot={spot} isChosen={spot.peer === chosen} />
        ))}
        <g class="map-self">
          <circle r={24} />
          <text y={44}>this peer {shortPeer(self)}</text>
        </g>
      </svg>
      <ul class="legend" aria-hidden="true">
        {LEGEND.map(([link, text]) => (
          <li key={link}>
            <svg class="legend-mark" viewBox="0 0 34 14" aria-hidden="true">
              <line class={`map-line map-${link}`} x1={0} y1={7} x2={22} y2={7} />
              <Mark link={link} x={26} y={7} size={5} />
            </svg>
            {text}
          </li>
        ))}
      </ul>
      {left > 0 && <p class="muted">{plural(left, 'peer')} more in the list than on the map.</p>}
    </>
  );
}

/** A shape for each kind of link: colour is not the only sign. */
function Mark(props: { link: Link; x: number; y: number; size: number }) {
  const { link, x, y, size } = props;
  const name = `map-dot map-dot-${link}`;
  if (link === 'relayed') {
    const [width, corner] = [1.7 * size, -0.85 * size];
    return <rect class={name} x={x + corner} y={y + corner} width={width} height={width} rx={2} />;
  }
  return <circle class={name} cx={x} cy={y} r={size} />;
}

function Dot({ spot, isChosen }: { readonly spot: Spot; readonly isChosen: boolean }) {
  const { peer, link, x, y } = spot;
  return (
    <g class={isChosen ? 'map-peer map-chosen' : 'map-peer'}>
      <title>{peer}</title>
      <Mark link={link} x={x} y={y} size={11} />
      <text x={x} y={y < 0 ? y - 18 : y + 28}>
        {shortPeer(peer)}
      </text>
    </g>
  );
}
