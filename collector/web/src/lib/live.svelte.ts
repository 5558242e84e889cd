import type { Outage, World } from './wire';

const QUIET_MS = 10_000; // without a word for so long, the page asks
const STALE_MS = 25_000; // without an answer for so long, it says so
const ASK_TIMEOUT_MS = 6_000;
const RETRY_MS = [1_000, 2_000, 4_000, 8_000, 15_000];

/** What the collector last said, and whether that can still be believed. */
export class Live {
  world = $state.raw<World | null>(null);
  /** When the collector was last heard, by this device's clock; 0 when never. */
  heardAt = $state(0);
  /** Since when there is no connection; null while there is one. */
  lostAt = $state<number | null>(null);
  /** What the collector says is wrong with itself; empty when nothing is. */
  ailing = $state('');
  now = $state(Date.now());

  /** What is shown must not be taken for the present. */
  readonly stale = $derived(
    this.lostAt !== null || this.ailing !== '' || (this.heardAt > 0 && this.now - this.heardAt > STALE_MS),
  );

  #events: EventSource | null = null;
  #retries = 0;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #asking = false;

  /** Connects, and stays connected until the function that it gives is called. */
  start(): () => void {
    this.#connect();
    const ticking = setInterval(() => this.#tick(), 1_000);
    const again = () => this.#reconnect();
    const look = () => this.#tick();
    window.addEventListener('online', again);
    document.addEventListener('visibilitychange', look);
    return () => {
      clearInterval(ticking);
      clearTimeout(this.#retryTimer);
      window.removeEventListener('online', again);
      document.removeEventListener('visibilitychange', look);
      this.#events?.close();
    };
  }

  #tick(): void {
    this.now = Date.now();
    if (!document.hidden && this.now - this.heardAt > QUIET_MS) void this.#ask();
  }

  #connect(): void {
    const events = new EventSource('/api/v1/events');
    this.#events = events;
    events.addEventListener('open', () => (this.#retries = 0));
    events.addEventListener('state', (event: MessageEvent<string>) => this.#take(JSON.parse(event.data) as World));
    events.addEventListener('outage', (event: MessageEvent<string>) => this.#amend(JSON.parse(event.data) as Outage));
    events.addEventListener('beat', () => this.#heard());
    events.addEventListener('error', () => this.#lose());
  }

  #take(world: World): void {
    this.world = world;
    this.#heard();
  }

  /** An outage is shown as soon as it is told of; the next state brings the rest of the world along. */
  #amend(outage: Outage): void {
    if (this.world) {
      const others = this.world.outages.filter((o) => o.id !== outage.id);
      this.world = { ...this.world, outages: [outage, ...others] };
    }
    this.#heard();
  }

  #heard(): void {
    this.now = this.heardAt = Date.now();
    this.lostAt = null;
    this.ailing = '';
  }

  #lose(): void {
    this.lostAt ??= Date.now();
    this.#events?.close();
    clearTimeout(this.#retryTimer);
    const delay = RETRY_MS[Math.min(this.#retries++, RETRY_MS.length - 1)] ?? 15_000;
    this.#retryTimer = setTimeout(() => this.#reconnect(), delay * (0.75 + Math.random() / 2));
  }

  #reconnect(): void {
    clearTimeout(this.#retryTimer);
    this.#events?.close();
    this.#connect();
  }

  /** A connection may be dead without saying so, as on a phone that changed its network. */
  async #ask(): Promise<void> {
    if (this.#asking || this.lostAt !== null) return;
    this.#asking = true;
    try {
      const signal = AbortSignal.timeout(ASK_TIMEOUT_MS);
      const health = await fetch('/healthz', { signal });
      this.ailing = health.ok ? '' : ((await health.json()) as { problem: string }).problem;
      if (this.ailing) return;
      const world = (await (await fetch('/api/v1/state', { cache: 'no-cache', signal })).json()) as World;
      const missed = world.version !== this.world?.version;
      this.#take(world);
      if (missed) this.#reconnect();
    } catch {
      this.#lose();
    } finally {
      this.#asking = false;
    }
  }
}
