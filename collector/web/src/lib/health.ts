import type { Health } from './wire';

// Unknown and learning are neither up nor down: they say something only where nothing else does.
const GRAVITY: Record<Health, number> = { unknown: 0, learning: 1, ok: 2, suspected: 3, degraded: 4, down: 5 };

export const HEALTHS: readonly Health[] = ['ok', 'suspected', 'degraded', 'down', 'learning', 'unknown'];

export const WORD: Record<Health, string> = {
  ok: 'works',
  suspected: 'suspected',
  degraded: 'degraded',
  down: 'down',
  learning: 'still learning',
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
