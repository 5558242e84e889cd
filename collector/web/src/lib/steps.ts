export type Spot = readonly [number, number];

const DIRECTIONS: Record<string, Spot> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

/** The nearest spot in the direction of an arrow key; null where there is none, or for another key. */
export function nextSpot(spots: readonly Spot[], from: number, key: string): number | null {
  const direction = DIRECTIONS[key];
  const here = spots[from];
  if (!direction || !here) return null;
  let best: number | null = null;
  let least = Infinity;
  spots.forEach((spot, index) => {
    const along = (spot[0] - here[0]) * direction[0] + (spot[1] - here[1]) * direction[1];
    const aside = Math.abs((spot[0] - here[0]) * direction[1]) + Math.abs((spot[1] - here[1]) * direction[0]);
    if (along <= 0 || along + 2 * aside >= least) return;
    least = along + 2 * aside;
    best = index;
  });
  return best;
}
