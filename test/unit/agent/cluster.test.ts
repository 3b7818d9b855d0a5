/** What a controller tells whoever wants to send something. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { Cluster, type ClusterSpec } from '../../../src/agent/cluster.js'
import type { Admitted } from '../../../src/net/handshake.js'
import { Leases } from '../../../src/store/shared/leases.js'

let directory: string
let events: string[]
let open: Cluster[]
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'fr-cluster-'))
  events = []
  open = []
})
afterEach(async () => {
  for (const one of open) await one.close()
  rmSync(directory, { recursive: true })
})

const isGone = (): boolean => false

function cluster(id: string, role: ClusterSpec['role']): Cluster {
  const leases = new Leases({ directory, holder: id, isGone, lookMs: 5, renewMs: 5 })
  const servers = { directory, holder: id, isGone }
  const log: ClusterSpec['log'] = ({ event }) => events.push(`${id} ${event}`)
  const one = new Cluster({ id, role, servers, leases, log })
  open.push(one)
  return one
}

const member = (port: number) => ({ address: () => `127.0.0.1:${port}`, transfers: () => 0 })

/** Code and address. */
async function told(by: Cluster): Promise<readonly unknown[]> {
  let said: readonly unknown[] = []
  const refuse: Admitted['refuse'] = (code, _, address) => {
    said = [code, address]
  }
  await by.handOver({ refuse } as Admitted)
  return said
}

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 5))
}

it('is whom to dial: a process that distributes, by the one that acts', async () => {
  const [first, second] = [cluster('c1', 'control'), cluster('c2', 'control')]
  expect(await told(first)).toEqual(['ERR_FR_MOVED', undefined])
  await first.start(member(1))
  await until(() => first.acts)
  await second.start(member(2))
  expect(await told(first)).toEqual(['ERR_FR_MOVED', undefined])
  const server = cluster('d1', 'distribute')
  expect([server.handsOver, first.handsOver]).toEqual([false, true])
  await server.start(member(3))
  expect(await told(first)).toEqual(['ERR_FR_MOVED', '127.0.0.1:3'])
  await until(async () => (await told(second))[1] === '127.0.0.1:1')
  await first.close()
  await until(() => second.acts)
  expect(await told(second)).toEqual(['ERR_FR_MOVED', '127.0.0.1:3'])
  await server.close()
  expect(await told(second)).toEqual(['ERR_FR_MOVED', undefined])
})

it('is nobody, where another has taken the lease that it has', async () => {
  const [first, server] = [cluster('c1', 'control'), cluster('d1', 'distribute')]
  await first.start(member(1))
  await server.start(member(2))
  await until(async () => (await told(first))[1] === '127.0.0.1:2')
  const [lease = ''] = readdirSync(directory).filter((name) => name.startsWith('controller.'))
  rmSync(join(directory, lease))
  writeFileSync(join(directory, 'controller.9'), '000000000000\nanother')
  expect(await told(first)).toEqual(['ERR_FR_MOVED', undefined])
  await until(() => events.includes('c1 controller-standing-by'))
})
