/** An app of shared/http on a free port, with what it logged and counted. */
import { createMetrics } from '../../../shared/telemetry/metrics.ts';
import type { Metrics } from '../../../shared/telemetry/metrics.ts';
import { buildHttp, closeHttp, listen } from '../../../shared/http/http-server.ts';
import type { HttpApp, HttpOptions } from '../../../shared/http/http-server.ts';
import { captureLog } from '../telemetry/captured-log.ts';
import type { CapturedLog } from '../telemetry/captured-log.ts';

export interface TestApp extends AsyncDisposable {
  readonly app: HttpApp;
  readonly metrics: Metrics;
  readonly captured: CapturedLog;
  /** Listens; gives the base URL, without a slash at its end. */
  serve(): Promise<string>;
}

export function testApp(options: Partial<HttpOptions> = {}): TestApp {
  const metrics = createMetrics({ service: 'test', region: 'east', instance: 'test-east-1' });
  const captured = captureLog();
  const app = buildHttp({ name: 'test', log: captured.log, metrics, ...options });
  return {
    app,
    metrics,
    captured,
    serve: async () => `http://127.0.0.1:${(await listen(app, { host: '127.0.0.1', port: 0 })).port}`,
    [Symbol.asyncDispose]: async () => {
      await closeHttp(app);
      await metrics.stop();
    },
  };
}
