import type { Health } from './wire';

/** A mark for each health, told apart by shape as well as by colour; centred on 0, 0 with "radius" r. */
export function markPath(health: Health, r: number): string {
  const n = (value: number) => Math.round(value * 100) / 100;
  switch (health) {
    case 'down': {
      const s = n(r * 0.94);
      return `M${-s} ${-s}H${s}V${s}H${-s}Z`;
    }
    case 'degraded':
      return `M0 ${n(-r * 1.2)}L${n(r * 1.18)} ${n(r * 0.9)}H${n(-r * 1.18)}Z`;
    case 'suspected':
      return `M0 ${n(-r * 1.25)}L${n(r * 1.25)} 0L0 ${n(r * 1.25)}L${n(-r * 1.25)} 0Z`;
    default:
      return `M${-r} 0A${r} ${r} 0 1 1 ${r} 0A${r} ${r} 0 1 1 ${-r} 0Z`;
  }
}
