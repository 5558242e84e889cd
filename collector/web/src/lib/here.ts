import { isFailing } from './health';
import type { World } from './wire';
import { counted, inCountry, listed } from './words';

interface ZonedLocale extends Intl.Locale {
  timeZones?: string[];
  getTimeZones?: () => string[];
}

/** The viewer's country among those that have regions: by time zone, so that nobody is asked or looked up. */
export function guessCountry(countries: readonly string[], zone: string, language: string): string | null {
  const byZone = countries.find((country) => zonesOf(country).includes(zone));
  if (byZone) return byZone;
  const spoken = new Intl.Locale(language).region;
  return countries.find((country) => country === spoken) ?? null;
}

function zonesOf(country: string): string[] {
  try {
    const locale = new Intl.Locale(`und-${country}`) as ZonedLocale;
    return locale.getTimeZones?.() ?? locale.timeZones ?? [];
  } catch {
    return [];
  }
}

/** How it looks from the viewer's own country: is it them, or everybody? */
export function fromHere(world: World, country: string, serviceId: string | null): string {
  const regions = world.regions.filter((r) => r.country === country);
  const seen = regions.filter((r) => (serviceId ? (r.services[serviceId] ?? 'unknown') : r.health) !== 'unknown');
  const place = inCountry(country);
  if (seen.length === 0) return `From ${place} we have no data right now.`;
  return serviceId ? ofService(world, place, serviceId, seen) : ofAll(world, place, seen);
}

type Seen = World['regions'];

function ofService(world: World, place: string, serviceId: string, seen: Seen): string {
  const failing = seen.filter((r) => isFailing(r.services[serviceId] ?? 'unknown'));
  const anywhere = world.regions.some((r) => isFailing(r.services[serviceId] ?? 'unknown'));
  if (failing.length === 0) {
    if (anywhere) return `From ${place} it works so far.`;
    return `From ${place} it works. If it does not for you, it is probably your own connection.`;
  }
  if (failing.length === seen.length) return `From ${place} it fails everywhere we look. It is not you.`;
  const fine = seen.filter((r) => !failing.includes(r));
  return `In ${place} it fails from ${names(failing)} and works from ${names(fine)}.`;
}

function ofAll(world: World, place: string, seen: Seen): string {
  const asked = world.services.filter((s) => seen.some((r) => (r.services[s.id] ?? 'unknown') !== 'unknown'));
  const failing = asked.filter((s) => seen.some((r) => isFailing(r.services[s.id] ?? 'unknown')));
  if (failing.length === 0) {
    return `From ${place} everything works. If it does not for you, it is probably your own connection.`;
  }
  const others = asked.length - failing.length;
  const rest = others > 0 ? `; ${counted(others, 'other service')} ${others === 1 ? 'works' : 'work'}` : '';
  return `From ${place}: trouble with ${listed(failing.map((s) => s.name))}${rest}.`;
}

function names(regions: Seen): string {
  return listed(regions.map((r) => r.name));
}
