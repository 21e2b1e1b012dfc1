/**
 * The names of the headers that Tandem adds to HTTP, in lower case as Node gives them.
 *
 * It only names: what a header means stands where it is written and read.
 */

/** The hlc of what was written or read; sent back, it asks for an answer no older than that. */
export const TANDEM_TOKEN = 'tandem-token';
/** On a 421: the region that is the home. */
export const TANDEM_HOME = 'tandem-home';
/** The unit that a request turned out to belong to; routers learn from it. */
export const TANDEM_UNIT = 'tandem-unit';
/** Set by a router that carries a request to its peer: the region it comes from. Such a request is not carried again. */
export const TANDEM_FORWARDED = 'tandem-forwarded';
/** Asked for: `remote`. Answered: what was reached, `remote` or `local`. */
export const TANDEM_DURABILITY = 'tandem-durability';
export const IDEMPOTENCY_KEY = 'idempotency-key';
/** `true` on an answer that was kept from the first request with that key. */
export const IDEMPOTENCY_REPLAYED = 'idempotency-replayed';
export const REQUEST_ID = 'x-request-id';
/** The trace that a request belongs to, for people who report a problem. */
export const TRACE_ID = 'trace-id';
