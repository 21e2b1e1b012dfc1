/**
 * Gives every unit its first home in etcd; runs once at each start of the stack and changes nothing that is there.
 */
import { hostPorts, readConfig, regions } from '../../../shared/config/config.ts';
import { openEtcd } from '../../../shared/etcd/etcd.ts';
import { seedUnits } from '../../../shared/etcd/units.ts';
import { runStep } from './run-step.ts';

await runStep('units', async (log) => {
  const config = readConfig({ regions: regions('TANDEM_REGIONS'), etcd: hostPorts('TANDEM_ETCD') }, process.env);
  const etcd = openEtcd({ endpoints: config.etcd, log });
  try {
    await seedUnits(etcd, config.regions);
    log.info({}, 'every unit has a home');
  } finally {
    await etcd.close();
  }
});
