import type { Scope } from './wire';

/** How many agents fail and how many do not, at one place or in one network. */
export interface Tally {
  id: string;
  failing: number;
  healthy: number;
}

export interface Rival {
  scope: Scope;
  kind: string;
  id: string;
  behind: number;
}

/** An outage's evidence as the page shows it; what the collector did not send stays empty. */
export interface Proof {
  regions: Tally[];
  networks: Tally[];
  layers: [layer: string, count: number][];
  silent: string[];
  rivals: Rival[];
}

type Data = Record<string, unknown>;

export function readEvidence(evidence: Data): Proof {
  const failing = data(evidence.failing);
  const healthy = data(evidence.healthy);
  return {
    regions: tallies(data(failing.regions), data(healthy.regions)),
    networks: tallies(data(failing.networks), data(healthy.networks)),
    layers: counts(data(evidence.layers)).sort((a, b) => b[1] - a[1]),
    silent: list(evidence.silent).map(String),
    rivals: list(evidence.considered).map(rival),
  };
}

function tallies(failing: Data, healthy: Data): Tally[] {
  const ids = [...new Set([...Object.keys(failing), ...Object.keys(healthy)])];
  return ids
    .map((id) => ({ id, failing: Number(failing[id] ?? 0), healthy: Number(healthy[id] ?? 0) }))
    .sort((a, b) => b.failing - a.failing || a.id.localeCompare(b.id));
}

function rival(value: unknown): Rival {
  const { scope, subject, behind_nats } = data(value);
  const { kind, id } = data(subject);
  return { scope: scope as Scope, kind: String(kind), id: String(id), behind: Number(behind_nats) };
}

function counts(value: Data): [string, number][] {
  return Object.entries(value).map(([name, count]) => [name, Number(count)]);
}

function data(value: unknown): Data {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Data) : {};
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}
