/**
 * How requests are held against their schemas.
 *
 * Invariant: every bad field of a part is named, none is dropped in silence. Bodies are taken as they are: "2" is not 2;
 * query, path and headers are text by nature, so there numbers and booleans are read from it. Objects of body and query
 * are closed unless their schema says otherwise: a misspelt optional field is an error, not a default.
 */
import { Ajv } from 'ajv';
import type { ErrorObject, Options } from 'ajv';
import addFormats from 'ajv-formats';
import type { FastifySchema, FastifySchemaCompiler } from 'fastify';
import { TandemError } from '../kernel/tandem-error.ts';
import type { FieldError } from './problem.ts';

/** Errors listed in one answer; a body can hold thousands of wrong items. */
export const FIELD_ERRORS_MAX = 50;

/** One for a process: compiling validators is the dear part of a start. */
export function createValidatorCompiler(): FastifySchemaCompiler<unknown> {
  const forBody = validator({ coerceTypes: false });
  const forText = validator({ coerceTypes: 'array' });
  return ({ schema, httpPart }) => (httpPart === 'body' ? forBody : forText).compile(schema as object);
}

function validator(options: Options): Ajv {
  const ajv = new Ajv({ allErrors: true, useDefaults: true, removeAdditional: false, strictTypes: false, strictTuples: false, ...options });
  addFormats.default(ajv);
  return ajv;
}

/** fastify's schemaErrorFormatter: one TandemError validation-failed that lists every bad field of that part. */
export function validationError(errors: readonly Pick<ErrorObject, 'keyword' | 'instancePath' | 'params' | 'message'>[], part: string): TandemError {
  const byField = new Map<string, typeof errors>();
  for (const error of errors) {
    const field = fieldOf(error, part);
    byField.set(field, [...(byField.get(field) ?? []), error]);
  }
  const fields: FieldError[] = [...byField].slice(0, FIELD_ERRORS_MAX).map(([field, group]) => ({ field, message: messageOf(group) }));
  const message = fields.map(({ field, message }) => `${field} ${message}`).join('; ');
  return new TandemError('validation-failed', message, { details: { errors: fields } });
}

function fieldOf({ instancePath, keyword, params }: Pick<ErrorObject, 'instancePath' | 'keyword' | 'params'>, part: string): string {
  const path = instancePath.split('/').slice(1).map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
  if (keyword === 'required') path.push(String(params['missingProperty']));
  if (keyword === 'additionalProperties') path.push(String(params['additionalProperty']));
  return path.length === 0 ? part : path.join('.');
}

/** One sentence for all that is wrong with a field. A union reports each of its branches; only their sum says something. */
function messageOf(group: readonly Pick<ErrorObject, 'keyword' | 'params' | 'message'>[]): string {
  const union = group.find(({ keyword }) => keyword === 'anyOf' || keyword === 'oneOf');
  if (union !== undefined) {
    const branches = group.filter((error) => error !== union);
    const isOneOfValues = branches.length > 0 && branches.every(({ keyword }) => keyword === 'const');
    if (isOneOfValues) return `must be one of ${branches.map(({ params }) => JSON.stringify(params['allowedValue'])).join(', ')}`;
    return [...new Set(branches.map(wordsOf))].join(' or ') || 'matches none of the allowed forms';
  }
  return [...new Set(group.map(wordsOf))].join(' and ');
}

function wordsOf({ keyword, params, message }: Pick<ErrorObject, 'keyword' | 'params' | 'message'>): string {
  if (keyword === 'required') return 'is required';
  if (keyword === 'additionalProperties') return 'is not a known field';
  if (keyword === 'const') return `must be ${JSON.stringify(params['allowedValue'])}`;
  if (keyword === 'enum') return `must be one of ${(params['allowedValues'] as unknown[]).map((value) => JSON.stringify(value)).join(', ')}`;
  return message ?? 'is invalid';
}

/** The schema of a route with the objects of its body and query closed. */
export function closeSchema(schema: FastifySchema): FastifySchema {
  const closed = { ...schema };
  if (schema.body !== undefined) closed.body = close(schema.body);
  if (schema.querystring !== undefined) closed.querystring = close(schema.querystring);
  return closed;
}

/** Not below allOf: there each part sees the others' fields as additional ones. */
function close(schema: unknown): unknown {
  if (typeof schema !== 'object' || schema === null) return schema;
  const { properties, items, anyOf, additionalProperties, ...rest } = schema as Record<string, unknown>;
  const closed: Record<string, unknown> = rest;
  if (typeof properties === 'object' && properties !== null) {
    closed['properties'] = Object.fromEntries(Object.entries(properties).map(([name, inner]) => [name, close(inner)]));
    closed['additionalProperties'] = additionalProperties ?? false;
  } else if (additionalProperties !== undefined) {
    closed['additionalProperties'] = additionalProperties;
  }
  if (items !== undefined) closed['items'] = close(items);
  if (Array.isArray(anyOf)) closed['anyOf'] = anyOf.map(close);
  return closed;
}
