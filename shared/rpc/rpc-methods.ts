/**
 * How a service's methods are typed on both sides, from one interface that mirrors its .proto file:
 * `interface Pricing { Quote(request: QuoteRequest): Promise<Fare>; Follow(request: …): AsyncIterable<Price> }`.
 *
 * The compiler holds caller and answerer to the interface; that the interface matches the .proto is for tests to show.
 */

/** A promise is a unary method, an AsyncIterable a server stream. There are no client streams. */
export type RpcMethods<T> = { readonly [K in keyof T]: (request: any) => Promise<unknown> | AsyncIterable<unknown> };

export interface CallOptions {
  /** Of a unary call, at most the client's own by default; of a stream none by default. */
  readonly deadlineMs?: number;
  /** Its abort cancels the call, here and at the server; the call then throws the signal's reason. */
  readonly signal?: AbortSignal;
}

export type RpcCalls<T extends RpcMethods<T>> = {
  readonly [K in keyof T]: (request: Parameters<T[K]>[0], options?: CallOptions) => ReturnType<T[K]>;
};

/** What a handler learns of its call. */
export interface RpcCall {
  /** Aborted when the caller went away, its deadline passed, or this server drains (streams only). A stream must end then. */
  readonly signal: AbortSignal;
  readonly peer: string;
}

export type RpcHandlers<T extends RpcMethods<T>> = {
  readonly [K in keyof T]: (request: Parameters<T[K]>[0], call: RpcCall) => ReturnType<T[K]>;
};
