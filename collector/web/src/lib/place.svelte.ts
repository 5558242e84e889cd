/** What the viewer looks at, kept in the address so that it can be shared: #service=twitter&outage=... */
export class Place {
  service = $state<string | null>(null);
  outage = $state<string | null>(null);

  start(): () => void {
    const read = () => {
      const words = new URLSearchParams(location.hash.slice(1));
      this.service = words.get('service');
      this.outage = words.get('outage');
    };
    read();
    window.addEventListener('hashchange', read);
    return () => window.removeEventListener('hashchange', read);
  }

  choose(service: string | null): void {
    this.service = service;
    this.#write(false);
  }

  open(outage: string): void {
    this.outage = outage;
    this.#write(true);
  }

  close(): void {
    this.outage = null;
    this.#write(false);
  }

  #write(step: boolean): void {
    const words = new URLSearchParams();
    if (this.service) words.set('service', this.service);
    if (this.outage) words.set('outage', this.outage);
    const address = words.size > 0 ? `#${words}` : location.pathname;
    if (step) history.pushState(null, '', address);
    else history.replaceState(null, '', address);
  }
}
