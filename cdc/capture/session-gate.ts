/**
 * Lets sessions run, one at a time, unless somebody holds them up.
 *
 * Invariant: when hold() has resolved, no session runs and none begins until each who holds has released. Reasons to hold are
 * independent: releasing one does not undo another.
 */
export class SessionGate {
  readonly #holders = new Set<string>();
  #opened = Promise.withResolvers<void>();
  #running: { readonly interrupt: AbortController; readonly ended: Promise<unknown> } | undefined;

  isHeld(by: string): boolean {
    return this.#holders.has(by);
  }

  /** Interrupts the session that runs and waits for its end. */
  async hold(by: string): Promise<void> {
    this.#holders.add(by);
    this.#running?.interrupt.abort(new Error(`held: ${by}`));
    await this.#running?.ended;
  }

  release(by: string): void {
    this.#holders.delete(by);
    if (this.#holders.size > 0) return;
    this.#opened.resolve();
    this.#opened = Promise.withResolvers();
  }

  /** Waits until nobody holds, then runs. Being held ends the run without an error; the signal's abort throws its reason. */
  async run(signal: AbortSignal, session: (signal: AbortSignal) => Promise<void>): Promise<void> {
    while (this.#holders.size > 0) await opened(this.#opened.promise, signal);
    const interrupt = new AbortController();
    const running = session(AbortSignal.any([signal, interrupt.signal]));
    const current = { interrupt, ended: running.catch(() => {}) };
    this.#running = current;
    try {
      await running;
    } catch (error) {
      if (signal.aborted || !interrupt.signal.aborted) throw error;
    } finally {
      if (this.#running === current) this.#running = undefined;
    }
  }
}

function opened(gate: Promise<void>, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const onAbort = (): void => aborted.reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  return Promise.race([gate, aborted.promise]).finally(() => signal.removeEventListener('abort', onAbort));
}
