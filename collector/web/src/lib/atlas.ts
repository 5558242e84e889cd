import { geoEqualEarth, geoPath, type GeoProjection } from 'd3-geo';
import codes from 'i18n-iso-countries/codes.json';
import { feature } from 'topojson-client';
import type { GeometryCollection, Topology } from 'topojson-specification';
import shapes from 'world-atlas/countries-110m.json?url';
import type { Region } from './wire';
import { countryName } from './words';

export const WIDTH = 960;
export const HEIGHT = 452;

export interface Land {
  /** ISO 3166-1 alpha-2; empty where the atlas knows none. */
  code: string;
  name: string;
  path: string;
  box: Box;
}

export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

export const WHOLE: Box = { x: 0, y: 0, width: WIDTH, height: HEIGHT };

const ANTARCTICA = '010';
const alpha2 = new Map((codes as string[][]).map(([two, , numeric]) => [numeric ?? '', two ?? '']));

/** Equal Earth: areas are true, so that a big country does not look like a bigger outage than it is. */
export const projection: GeoProjection = geoEqualEarth()
  .rotate([-11, 0]) // the map's edge runs through the Bering Strait, so that no land is cut
  .scale(189)
  .translate([WIDTH / 2 - 2, 252]);

/** The countries as paths; fetched as a file of its own, so that the sentence on top need not wait for it. */
export async function loadLands(): Promise<Land[]> {
  const answer = await fetch(shapes);
  if (!answer.ok) throw new Error(`the atlas: ${answer.status}`);
  const topology = (await answer.json()) as Topology<{ countries: GeometryCollection<{ name: string }> }>;
  const path = geoPath(projection).digits(1);
  return feature(topology, topology.objects.countries)
    .features.filter((f) => f.id !== ANTARCTICA)
    .map((f) => {
      const code = alpha2.get(String(f.id)) ?? '';
      const [[left, top], [right, bottom]] = path.bounds(f);
      const name = code ? countryName(code) : f.properties.name;
      return { code, name, path: path(f) ?? '', box: { x: left, y: top, width: right - left, height: bottom - top } };
    });
}

/** Where a region stands on the map. */
export function spot(region: Region): [number, number] {
  return projection([region.longitude, region.latitude]) ?? [0, 0];
}

/** The part of the map that shows a country with its surroundings, in the map's own proportions. */
export function around(box: Box): Box {
  const width = Math.min(WIDTH, Math.max(box.width * 1.5, (box.height * 1.35 * WIDTH) / HEIGHT, 120));
  const height = (width * HEIGHT) / WIDTH;
  return { x: box.x + box.width / 2 - width / 2, y: box.y + box.height / 2 - height / 2, width, height };
}
