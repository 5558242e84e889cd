// What the collector sends: the JSON of /api/v1, as prepared by its board.

export type Health = 'ok' | 'suspected' | 'degraded' | 'down' | 'learning' | 'unknown';
export type Scope = 'global' | 'regional' | 'network' | 'provider' | 'agent' | 'collector';
export type LifeState = 'suspected' | 'confirmed' | 'recovering' | 'flapping' | 'resolved' | 'withdrawn';

export interface Region {
  id: string;
  name: string;
  country: string;
  latitude: number;
  longitude: number;
  agents: number;
  live: number;
  health: Health;
  services: Record<string, Health>;
}

export interface Service {
  id: string;
  name: string;
  provider: string | null;
  health: Health;
  components: { id: string; health: Health }[];
}

export interface Network {
  asn: number;
  name: string;
  agents: number;
  live: number;
  health: Health;
}

export interface Provider {
  id: string;
  name: string;
  health: Health;
}

export interface Outage {
  id: string;
  state: LifeState;
  scope: Scope;
  subject: { kind: string; id: string };
  target_ids: string[];
  regions: string[];
  asns: number[];
  family: 4 | 6 | null;
  layer: string;
  severity: string;
  confidence: number;
  onset: string;
  onset_after: string;
  onset_before: string;
  detected_at: string;
  confirmed_at: string | null;
  resolved_at: string | null;
  changed_at: string;
  why: string;
}

export interface Transition {
  at: string;
  state: LifeState;
  scope: Scope;
}

export interface Proof {
  agent: string;
  target: string;
  kind: string;
  failing: boolean;
  says: string;
}

export interface OutageStory extends Outage {
  evidence: Record<string, unknown>;
  transitions: Transition[];
  proofs: Proof[];
}

export interface World {
  version: number;
  at: string;
  regions: Region[];
  services: Service[];
  networks: Network[];
  providers: Provider[];
  outages: Outage[];
}
