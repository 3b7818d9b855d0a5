/**
 * `/metrics`: the text format of Prometheus (0.0.4), for whoever has the right `status`. Each
 * question reads one status; nothing is counted twice in the process for it.
 */
import { Counter, Gauge, Registry } from 'prom-client'
import { client } from '../../api/index.js'
import type { ResourceTold } from '../../api/master-client-types.js'
import type { FrMaster } from '../../api/master-types.js'
import type { Credentials } from '../../api/types.js'
import { doorLimits } from '../../base/door-limits.js'
import type { Behind, Mount } from '../mount.js'
import { notRead, sendProblem, sendText } from '../problem.js'
import { require } from '../tokens.js'
import { type Family, masterFamilies, nodeFamilies } from './families.js'
import { processFamilies } from './process.js'
import { PushMeter } from './pushes.js'

/** `credentials`: of the cluster, for questions to the master behind the door. */
export function metricsMount(behind: Behind, credentials: Credentials): Mount {
  const lasting = new Registry()
  const meter = 'node' in behind ? new PushMeter(lasting) : undefined
  const families = async (): Promise<Family[]> => [
    ...('node' in behind
      ? nodeFamilies(behind.node.status())
      : masterFamilies(behind.master.status(), await linksOf(behind.master, credentials))),
    ...(await processFamilies()),
  ]
  return {
    handle(request, response, who) {
      if (request.url?.split('?', 1)[0] !== '/metrics') return false
      if (request.method !== 'GET' && request.method !== 'HEAD') throw notRead()
      require(who, 'status')
      textOf(families, lasting).then(
        (text) =>
          sendText(response, 200, text, { 'content-type': Registry.PROMETHEUS_CONTENT_TYPE }),
        (error: unknown) => sendProblem(response, error),
      )
      return true
    },
    close() {
      meter?.close()
    },
  }
}

async function textOf(families: () => Promise<Family[]>, lasting: Registry): Promise<string> {
  const registry = new Registry()
  for (const family of await families()) register(family, registry)
  return (await registry.metrics()) + (await lasting.metrics())
}

function register({ name, help, type, values }: Family, registry: Registry): void {
  const labelNames = Object.keys(values[0]?.labels ?? {})
  const metric = { name, help, labelNames, registers: [registry] }
  if (type === 'counter') {
    const counter = new Counter(metric)
    for (const { labels = {}, value } of values) counter.inc(labels, value)
  } else {
    const gauge = new Gauge(metric)
    for (const { labels = {}, value } of values) gauge.set(labels, value)
  }
}

/** Those between sites; of a master that cannot answer now, none. */
async function linksOf(master: FrMaster, credentials: Credentials): Promise<ResourceTold[]> {
  const found: ResourceTold[] = []
  try {
    for await (const link of client.links(master.address, credentials)) {
      if (link.kind === 'link') found.push(link)
      if (found.length >= doorLimits.linksMeasured) break
    }
  } catch {
    // What the status says is worth telling without them.
  }
  return found
}
