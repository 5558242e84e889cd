import type { Health } from './wire';

// Unknown is neither up nor down: it says something only where nothing else does.
const GRAVITY: Record<Health, number> = { unknown: 0, ok: 1, suspected: 2, degraded: 3, down: 4 };

export const HEALTHS: readonly Health[] = ['ok', 'suspected', 'degraded', 'down', 'unknown'];

export const WORD: Record<Health, string> = {
  ok: 'works',
  suspected: 'suspected',
  degraded: 'degraded',
  down: 'down',
  unknown: 'no data',
};

export function gravity(health: Health): number {
  return GRAVITY[health];
}

export function worstOf(healths: Iterable<Health>): Health {
  let worst: Health = 'unknown';
  for (const health of healths) if (GRAVITY[health] > GRAVITY[worst]) worst = health;
  return worst;
}

export function isFailing(health: Health): boolean {
  return GRAVITY[health] > GRAVITY.ok;
}
