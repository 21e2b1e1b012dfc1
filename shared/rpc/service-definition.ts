/**
 * A gRPC service as its .proto file describes it, loaded at start; there is no generated code.
 *
 * Invariant: both sides read messages alike: camelCase fields, 64-bit integers as decimal strings, enums by name, absent
 * scalars as their default, absent messages as null, absent lists empty.
 */
import { fileURLToPath } from 'node:url';
import type { ServiceDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import type { PackageDefinition } from '@grpc/proto-loader';
import { assert } from '../kernel/assert.ts';

export interface ServiceName {
  /** Of the .proto file, which stays in the folder of the service that answers. */
  readonly protoPath: string | URL;
  /** As in the file, for example tandem.pricing.v1. */
  readonly packageName: string;
  readonly serviceName: string;
}

const packages = new Map<string, PackageDefinition>();

/** Throws where the file cannot be read, or has no such service: faults of the installation. */
export function loadService({ protoPath, packageName, serviceName }: ServiceName): ServiceDefinition {
  const path = protoPath instanceof URL ? fileURLToPath(protoPath) : protoPath;
  const loaded = packages.get(path) ?? loadSync(path, { keepCase: false, longs: String, enums: String, defaults: true, oneofs: true });
  packages.set(path, loaded);
  const service = loaded[`${packageName}.${serviceName}`];
  assert(service !== undefined && !('format' in service), `no service ${packageName}.${serviceName} in ${path}`);
  return service as ServiceDefinition;
}
